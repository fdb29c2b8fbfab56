"""A structure beyond the training data does not pass in silence, and looking costs little."""

from __future__ import annotations

import asyncio
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.optimize import BFGS

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials import fast
from interpmd.potentials import watch as watching
from interpmd.potentials.watch import EVERY, FIRST, GradeWatch
from interpmd.trust.axioms import check_explainer
from interpmd.trust.conformance import check_potential

SQUEEZED = MALONALDEHYDE.copy()
SQUEEZED.positions *= 0.75


@pytest.fixture
def potential():
    return im.load("malonaldehyde")


def attached(potential):
    atoms = SQUEEZED.copy()
    atoms.calc = potential.calculator()
    return atoms


async def _watched_live(potential):
    live = im.LiveMD(potential, SQUEEZED)
    live.stop()


ASKED = {
    "predict": lambda p: p.predict(SQUEEZED),
    "predict several": lambda p: p.predict([MALONALDEHYDE, SQUEEZED]),
    "ASE": lambda p: attached(p).get_forces(),
    "ASE energy": lambda p: attached(p).get_potential_energy(),
    "an optimiser": lambda p: BFGS(attached(p), logfile=None).run(steps=2),
    "simulate": lambda p: im.simulate(p, SQUEEZED, timestep=0.01, steps=2, progress=False),
    "explain": lambda p: im.explain(p, SQUEEZED, im.Force(8)),
    "explain by atoms": lambda p: im.explain(p, SQUEEZED, im.Force(8), gauge="atoms", order=2),
    "explain without error bars": lambda p: im.explain(p, SQUEEZED, im.Force(8), error_bars=False),
    "a method without error bars": lambda p: im.explain(p, SQUEEZED, method="ablation"),
    "explain_trajectory": lambda p: im.explain_trajectory(
        p, [MALONALDEHYDE, SQUEEZED, SQUEEZED], im.Force(8, along=0), progress=False
    ),
    "LiveMD": lambda p: asyncio.run(_watched_live(p)),
}


@pytest.mark.parametrize("how", ASKED)
def test_what_is_beyond_the_data_warns_once_at_the_line_that_asked(potential, how):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            ASKED[how](potential)
        except im.SimulationError:
            pytest.fail("the timestep is small enough")
    told = [w for w in caught if issubclass(w.category, im.ExtrapolationWarning)]
    assert len(told) == 1, [str(w.message) for w in told]
    assert "is unlike the training data (extrapolation grade" in str(told[0].message)
    assert told[0].filename == __file__
    assert ("of structure 1" in str(told[0].message)) is (how == "predict several")
    bars = potential.calculator()
    atoms = SQUEEZED.copy()
    grade = bars.get_property("extrapolation", atoms)
    atom = int(str(told[0].message).split()[1])
    assert atom == grade.argmax() and f"grade {grade.max():.1f}" in str(told[0].message)


@pytest.mark.parametrize("asked", [{"method": "ablation"}, {"error_bars": False}])
def test_the_certificate_says_so_without_error_bars_too(potential, asked):
    with pytest.warns(im.ExtrapolationWarning):
        found = im.explain(potential, SQUEEZED, im.Force(8), **asked)
    assert "BEYOND the training data" in found.certificate().verdict
    inside = im.explain(potential, MALONALDEHYDE, im.Force(8), **asked)
    assert "BEYOND" not in inside.certificate().verdict


def test_structures_within_the_data_and_parts_of_them_are_silent(potential):
    with warnings.catch_warnings():
        warnings.simplefilter("error", im.ExtrapolationWarning)
        potential.predict(MALONALDEHYDE)
        im.simulate(potential, MALONALDEHYDE, steps=60, progress=False)
        im.explain(potential, MALONALDEHYDE, gauge="atoms", order=3)  # radicals are its parts
        im.explain(potential, MALONALDEHYDE)
        im.certify(potential, MALONALDEHYDE, progress=False)  # puts a lone atom far away
        check_explainer("shapley", potential, MALONALDEHYDE)
        check_potential(potential, MALONALDEHYDE)
        im.evaluate(potential, [attached_labels(potential)])
        LennardJonesAlone().predict(Atoms("Ar2", [[0, 0, 0], [0, 0, 1.5]]))


def LennardJonesAlone():
    return im.Potential([im.potentials.LennardJones(epsilon=0.01, sigma=3.4, cutoff=8.0)])


def attached_labels(potential):
    atoms = SQUEEZED.copy()
    atoms.calc = potential.calculator()
    atoms.calc._watch.look = lambda *_: None
    atoms.get_forces()
    return atoms


def test_each_line_of_code_is_told_once(potential):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(5):
            potential.predict(SQUEEZED)
        potential.predict(SQUEEZED)
    assert len(caught) == 2
    assert caught[0].lineno == caught[1].lineno - 1


def test_a_line_that_was_told_is_looked_at_now_and_then(potential, monkeypatch):
    """Who goes on with what is beyond the data does not pay for the look at every step."""
    looks = []
    real = watching.uncertainty
    monkeypatch.setattr(watching, "uncertainty", lambda *a, **k: looks.append(k) or real(*a, **k))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(FIRST + 4 * EVERY):
            potential.predict(SQUEEZED)
        potential.predict(SQUEEZED)  # another line is told too
    assert len(caught) == 2
    assert len(looks) == FIRST + 4 + 1


def test_a_run_is_looked_at_now_and_then_and_at_once_where_forces_grow(potential, monkeypatch):
    looks = []
    real, glance = watching.uncertainty, fast.glance
    monkeypatch.setattr(
        watching, "uncertainty", lambda *a, **k: looks.append(k["draws"]) or real(*a, **k)
    )
    monkeypatch.setattr(fast, "glance", lambda *a: looks.append(a[-1]) or glance(*a))
    watch = GradeWatch(once=True)
    forces = potential.predict_unwatched(MALONALDEHYDE).forces.numpy()
    steps = FIRST + 4 * EVERY
    grades = [watch.look(potential, MALONALDEHYDE, forces) for _ in range(steps)]
    assert len(looks) == FIRST + 4 and set(looks) == {watching.DRAWS}
    assert max(g for g in grades if g is not None) < 1
    strange = potential.predict_unwatched(SQUEEZED).forces.numpy()
    assert np.abs(strange).max() > watching.LARGER * np.abs(forces).max()
    with pytest.warns(im.ExtrapolationWarning):
        grade = watch.look(potential, SQUEEZED, strange)
    exact = float(real(potential, potential.batch(SQUEEZED)).extrapolation.max())
    assert grade == exact and looks[-2:] == [watching.DRAWS, None]
    assert watch.look(potential, SQUEEZED, strange) is None  # said once


@pytest.mark.parametrize("engine", ["ase", "openmm", "lammps", "torch_sim"])
def test_a_run_that_goes_astray_is_named_at_the_line_that_asked(engine):
    """However deep in an engine that calls back."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        im.simulate(
            im.load("malonaldehyde"), MALONALDEHYDE, temperature=8000, timestep=0.2, steps=300,
            engine=engine, progress=False,
        )  # fmt: skip
    told = [w for w in seen if w.category is im.ExtrapolationWarning]
    assert told and {w.filename for w in told} == {__file__}
