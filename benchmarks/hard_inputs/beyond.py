"""Beyond the training data: said by itself, wherever a potential is asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.optimize import BFGS

import interpmd as im
from hard_inputs.case import Case
from interpmd.demo import MALONALDEHYDE

UNLIKE = "unlike|training data|beyond|apart"


def squeezed(factor: float = 0.75) -> Atoms:
    """Malonaldehyde, all its lengths scaled."""
    atoms = MALONALDEHYDE.copy()
    atoms.positions *= factor
    return atoms


def cases() -> Iterator[Case]:
    """All cases beyond the data."""

    # a potential warns once of each line that asks, so each case has its own
    def fresh(name: str = "malonaldehyde"):
        return im.load(name)

    def attached(atoms):
        atoms.calc = fresh().calculator()
        return atoms

    asked = {
        "predict": lambda a: fresh().predict(a),
        "an ASE calculator": lambda a: attached(a).get_forces(),
        "an optimiser": lambda a: BFGS(attached(a), logfile=None).run(steps=1),
        "simulate": lambda a: im.simulate(fresh(), a, timestep=0.01, steps=2, progress=False),
        "explain": lambda a: im.explain(fresh(), a, im.Force(8)),
        "explain_trajectory": lambda a: im.explain_trajectory(
            fresh(), [a, a], im.Force(8), progress=False
        ),
    }
    for name, ask in asked.items():
        yield Case(f"a squeezed molecule in {name}", lambda ask=ask: ask(squeezed()), UNLIKE)
    swapped = MALONALDEHYDE.copy()
    swapped.numbers[[0, 2]] = swapped.numbers[[2, 0]]
    torn = MALONALDEHYDE.copy()
    torn.positions[7] += 1.2 * (torn.positions[7] - torn.positions.mean(0)) / 2
    rattled = MALONALDEHYDE.copy()
    rattled.rattle(0.35, seed=0)
    for name, atoms in {
        "elements swapped": swapped,
        "a bond torn": torn,
        "rattled by 0.35 A": rattled,
        "stretched by a half": squeezed(1.5),
    }.items():
        yield Case(f"a molecule with {name}", lambda atoms=atoms: fresh().predict(atoms), UNLIKE)
    for length in (1.8, 2.4, 3.0):
        pulled = molecule("H2O")
        pulled.set_distance(0, 1, length, fix=0)
        yield Case(
            f"a bond of water pulled to {length} A",
            lambda pulled=pulled: fresh("water").predict(pulled),
            UNLIKE,
        )
    near = molecule("H2O") + molecule("H2O")
    near.positions[3:] += [0, 0, 1.7]
    yield Case("two waters pressed together", lambda: fresh("water").predict(near), UNLIKE)
    from pathlib import Path

    data = Path(__file__).parents[2] / "data"
    for name in ("malonaldehyde", "water"):
        known = im.read_frames(data / name / "test.extxyz.gz")[:60]

        def quiet(name=name, known=known) -> bool:
            import warnings

            model, said = im.load(name), 0
            for atoms in known:
                with warnings.catch_warnings(record=True) as seen:
                    warnings.simplefilter("always")
                    model.predict(atoms)
                said += any("training" in str(w.message) for w in seen)
            return said <= 0.05 * len(known)

        yield Case(f"no false alarm on test frames of {name}", quiet)
    strange = MALONALDEHYDE.copy()
    strange.numbers[0] = 16
    yield Case(
        "an element that the potential does not know",
        lambda: fresh().predict(strange),
        "knows only",
    )
    for name, change in {"NaN": np.nan, "infinite": np.inf}.items():
        bad = MALONALDEHYDE.copy()
        bad.positions[3, 1] = change
        yield Case(
            f"a position that is {name}",
            lambda bad=bad: fresh().predict(bad),
            "atom 3 .* not finite",
        )
    touching = MALONALDEHYDE.copy()
    touching.positions[1] = touching.positions[0] + [0.05, 0, 0]
    yield Case("two atoms in one place", lambda: fresh().predict(touching), "atoms? 0|closer|apart")
