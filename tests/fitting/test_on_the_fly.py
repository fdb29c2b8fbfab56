"""Candidates that are no thermal pool, and dynamics that ask where they do not know."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from ase.build import molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.active.candidates import restraints_of, rotatable, stretched_bonds
from interpmd.structures.chemistry import bonds

SPEC = im.Spec(weights=300)


@pytest.fixture(scope="module")
def cold():
    frames = im.sample(molecule("H2O"), "md", n=24, temperatures=[60.0], seed=0, progress=False)
    return im.label(frames, "gfn2-xtb", progress=False)


def test_candidates_go_where_thermal_runs_do_not():
    found = im.candidates(MALONALDEHYDE, n=16, seed=1, progress=False)
    kinds = {kind: [a for a in found if a.info["sampling"] == kind] for kind in
             ("hot", "biased", "stretched", "moved")}  # fmt: skip
    assert [len(each) for each in kinds.values()] == [4] * 4

    def middle(atoms):
        return abs(atoms.get_distance(0, 8) - atoms.get_distance(4, 8)) < 0.4

    assert any(middle(atoms) for atoms in kinds["biased"])
    of_bonds = [each.get_distance(1, 2) for each in stretched_bonds(MALONALDEHYDE)]
    assert min(of_bonds) < 0.9 * MALONALDEHYDE.get_distance(1, 2)
    assert max(of_bonds) > 1.4 * MALONALDEHYDE.get_distance(1, 2)
    size = {
        kind: np.median([_largest(a) for a in kinds[kind]]) for kind in ("hot", "moved")
    }  # fmt: skip
    assert size["moved"] > 1.2 * size["hot"]
    again = im.candidates(MALONALDEHYDE, n=16, seed=1, progress=False)
    assert all(np.array_equal(a.positions, b.positions) for a, b in zip(found, again, strict=True))


def _largest(atoms) -> float:
    made = im.label([atoms], "gfn2-xtb", progress=False)[0]
    return np.linalg.norm(made.get_forces(), axis=1).max()


def test_what_can_be_driven():
    butane = molecule("trans-butane")
    assert {frozenset(t[1:3]) for t in rotatable(butane)} == {
        frozenset(pair) for pair in bonds(butane).pairs.tolist() if butane.numbers[pair].min() > 1
    }
    assert rotatable(molecule("C6H6")) == []
    assert restraints_of(molecule("H2O")) == []
    low, high = (restraints_of(MALONALDEHYDE)[0](part).target for part in (0.0, 1.0))
    assert (low, high) == (-0.8, 0.8)
    with pytest.raises(im.UnknownSamplingError, match="cold"):
        im.candidates(butane, kinds=["cold"])


def test_dynamics_ask_where_they_do_not_know_and_then_no_more(cold, tmp_path):
    report = im.fit(cold, spec=SPEC, isolated_energies="average", progress=False)
    out = tmp_path / "labels.extxyz"
    calculator = im.on_the_fly(report.potential, cold, "gfn2-xtb", out=out)
    with warnings.catch_warnings():
        warnings.simplefilter("error", im.ExtrapolationWarning)
        run = im.simulate(
            calculator, cold[0], "nvt", temperature=800.0, steps=2000, seed=3, progress=False,
            interval=50,
        )  # fmt: skip
    log = calculator.to_frame()
    assert 3 <= len(log) <= 100
    assert (log.grade > 1).all() and (log.grade_after < log.grade).all()
    quarter = calculator.calls / 4
    assert (log.call <= quarter).sum() > 2 * (log.call > 3 * quarter).sum()
    assert f"asked {len(log)} times" in repr(calculator)
    # what it has learned is right where it has been
    frames = im.label([a.copy() for a in run[10:]], "gfn2-xtb", progress=False)
    before, after = (
        im.evaluate(p, frames).summary()["force_rmse_meV/A"]
        for p in (report.potential, calculator.potential)
    )
    assert after < 0.1 * before
    # a run that starts anew begins with what was learned
    again = im.on_the_fly(report.potential, cold, "gfn2-xtb", out=out)
    assert len(again.fit.frames) == len(cold) + len(log)
    im.simulate(again, cold[0], "nvt", temperature=800.0, steps=40, seed=3, progress=False)
    assert len(again.log) <= 3


def test_a_spent_allowance_is_said_once(cold):
    report = im.fit(cold, spec=SPEC, isolated_energies="average", progress=False)
    calculator = im.on_the_fly(report.potential, cold, "gfn2-xtb", most=1)
    far = cold[0].copy()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", im.ExtrapolationWarning)
        for length in (1.3, 1.7, 2.0, 2.3):
            far.set_distance(0, 1, length, fix=0)
            calculator.get_potential_energy(far)
    said = [str(w.message) for w in found if w.category is im.ExtrapolationWarning]
    assert len(calculator.log) == 1 and len(said) == 1 and "asked 1 times" in said[0]
