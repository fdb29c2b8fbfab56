"""First steps of a new user: names as labels say them, short tables, words before long waits."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator

import numpy as np
from ase.build import molecule

import interpmd as im
from hard_inputs.case import Case
from hard_inputs.labels import fit, materials
from interpmd.demo import MALONALDEHYDE


def cases() -> Iterator[Case]:
    """All cases of first steps."""
    potential = im.load("malonaldehyde")
    named = im.explain(potential, MALONALDEHYDE, im.Force("H8", along="O0"))
    plain = im.explain(potential, MALONALDEHYDE, im.Force(8, along=0))
    yield Case("Force by the name of its atom", lambda: abs(named.total - plain.total) < 1e-12)
    yield Case(
        "Force by a name of another element",
        lambda: im.explain(potential, MALONALDEHYDE, im.Force("C8")),
        "C8|atom 8",
    )
    yield Case(
        "Force on an atom that is not there",
        lambda: im.explain(potential, MALONALDEHYDE, im.Force(20)),
        "20",
    )
    yield Case(
        "Force by a name that is none",
        lambda: im.explain(potential, MALONALDEHYDE, im.Force("proton")),
        "proton",
    )
    whole = im.explain(potential, MALONALDEHYDE, im.Force(8))
    yield Case(
        "a plain Force grouped along the force", lambda: len(np.shape(whole.by("kind"))) == 1
    )

    def table() -> bool:
        text = repr(im.evaluate(potential, materials()["malonaldehyde"][:5]))
        return "meV" in text and len(text.splitlines()) < 20

    yield Case("evaluate prints a short table", table)
    yield Case(
        "a report of a fit prints a short table", lambda: "meV" in repr(fit(materials()["argon"]))
    )
    for name in ("sample", "doctor", "certify", "ledger", "fit", "simulate", "label"):
        yield Case(
            f"{name} has a progress bar",
            lambda name=name: "progress" in inspect.signature(getattr(im, name)).parameters,
        )

    def early():
        run = im.simulate(potential, MALONALDEHYDE, steps=120, interval=60, seed=0, progress=False)
        began = time.perf_counter()
        try:
            im.ledger(potential, run, atoms=[8], progress=False)
        finally:
            assert time.perf_counter() - began < 20, "said too late"

    yield Case("a ledger of frames too far apart says so first", early, "apart|frames|interval")
    still = MALONALDEHYDE.copy()
    yield Case(
        "a run from a minimum is equilibrated on request",
        lambda: (
            len(
                im.simulate(potential, still, steps=4, interval=2, equilibration=10, progress=False)
            )
            == 3
        ),
    )
    yield Case(
        "a gauge that is none", lambda: im.explain(potential, MALONALDEHYDE, gauge="atom"), "atom"
    )
    yield Case(
        "a method that is none",
        lambda: im.explain(potential, MALONALDEHYDE, method="shaply"),
        "shaply",
    )
    yield Case(
        "an option that is none",
        lambda: im.explain(potential, MALONALDEHYDE, method="shapley", smaples=3),
        "smaples",
    )
    yield Case("a potential that is not shipped", lambda: im.load("malonaldehid"), "malonaldehid")
    yield Case("a level that is none", lambda: im.label([molecule("H2O")], "gfn3-xtb"), "gfn3-xtb")
    yield Case(
        "a way of sampling that is none", lambda: im.sample(molecule("H2O"), how="rattel"), "rattel"
    )
    yield Case("a grouping that is none", lambda: plain.by("kinds"), "kinds")
    yield Case(
        "an unknown term", lambda: fit(materials()["argon"], spec={"terms": {"d5": {}}}), "d5"
    )
