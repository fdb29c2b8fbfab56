"""Frames with some labels missing are used for what they have: the same potential comes out."""

import numpy as np
import pytest
from frames_of_methanol import ISOLATED, SMALL
from frames_of_methanol import frames as frames_of_spread

import interpmd as im
from interpmd.errors import LabelWarning
from interpmd.fitting import labels
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.normal import weighted_rows
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec


def frames(count, seed=0):
    """Frames near the minimum, whose forces are of 10 eV/A."""
    return frames_of_spread(count, seed, spread=0.03)


TEST = frames(30, seed=99)


def fitted(train, **options):
    options = {"spec": SMALL, "ridge": 1e-7, "progress": False, "test": TEST} | options
    return im.fit([*train, *ISOLATED], **options)


def without(atoms, what):
    del atoms.calc.results[what]
    return atoms


def rows_of_one(change):
    """Rows and targets of a frame, before and after some of its labels are taken."""
    spec = Spec(**SMALL)
    problem = Problem(spec.expansion([1, 6, 8], 0), unlearned({1: 0, 6: 0, 8: 0}, {}), spec,
                      FitSettings(80.0, 1.0, {}, 5.0, 0))  # fmt: skip
    found = []
    for changed in (False, True):
        [atoms] = frames(1)
        if changed:
            change(atoms.calc.results)
        [target] = problem.targets([atoms])
        scale = np.ones(problem.term.readout.numel())
        found += weighted_rows(problem.term, atoms, target, scale)
    return found


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        (lambda r: r.pop("energy"), range(1, 19)),
        (lambda r: r.update(energy=np.nan), range(1, 19)),
        (lambda r: r.pop("forces"), [0]),
        (lambda r: r["forces"].__setitem__(slice(None), np.nan), [0]),
        (lambda r: r["forces"].__setitem__((2, 1), np.nan), [*range(7), *range(10, 19)]),
    ],
)
def test_rows_are_those_of_the_labels_that_are_there(change, kept):
    rows, values, some, of_some = rows_of_one(change)
    assert np.array_equal(some, rows[list(kept)])
    assert np.array_equal(of_some, values[list(kept)])
    assert len(of_some) == len(list(kept))


def test_partial_frames_teach_what_they_have():
    whole = fitted(frames(60))
    few = fitted(frames(20))
    many = frames(60)
    for index, atoms in enumerate(many[20:]):
        if index % 3 == 0:
            without(atoms, "energy")
        elif index % 3 == 1:
            atoms.calc.results["forces"][:2] = np.nan
        else:
            without(atoms, "forces")
    with pytest.warns(
        LabelWarning, match="14 without energy .first: 20., 13 without forces .first"
    ):
        partial = fitted(many)
    rmse = [r.errors().loc["test", "force_rmse_meV/A"] for r in (whole, partial, few)]
    assert rmse[1] < 1.2 * rmse[0]  # 12.9, 13.6 and 43.0 meV/A
    assert rmse[1] < 0.5 * rmse[2]


def test_forces_or_energies_alone():
    by_forces = [without(a, "energy") for a in frames(40)]
    with pytest.warns(LabelWarning, match="40 without energy|nor any energy"):
        report = im.fit(by_forces, spec=SMALL, ridge=1e-7, progress=False, test=TEST)
    assert report.errors().loc["test", "force_rmse_meV/A"] < 20
    true, found = report.evaluations["test"].energy.T
    assert np.std(found - true) < 0.002  # all but the zero of the energy
    by_energies = fitted([without(a, "forces") for a in frames(120)]).errors().loc["test"]
    assert by_energies["energy_rmse_meV"] < 10
    assert by_energies["force_rmse_meV/A"] < 120


def test_evaluations_leave_out_what_is_missing(tmp_path):
    potential = fitted(frames(40)).potential
    test = frames(6, seed=5)
    whole = im.evaluate(potential, test).summary()
    test[1].calc.results["forces"][3] = np.nan
    without(test[2], "energy")
    found = im.evaluate(potential, test)
    assert np.isfinite(list(found.summary().values())).all()
    wrong = found.forces[..., 1] - found.forces[..., 0]
    assert np.isnan(wrong[9]).all()
    assert np.isfinite(np.delete(wrong, 9, 0)).all()
    assert found.summary()["energy_rmse_meV"] != whole["energy_rmse_meV"]
    found.plot()


def test_free_energies_belong_to_the_forces():
    train = frames(4)
    for atoms in train:
        atoms.calc.results["free_energy"] = atoms.calc.results["energy"] - 0.1
    with pytest.warns(LabelWarning, match="4 of 4 frames have a free energy.*energy_key='energy'"):
        [first, *_] = im.read_frames(train, forces_key="forces")
    assert labels.energy_of(first) == pytest.approx(train[0].calc.results["free_energy"])
    [first, *_] = im.read_frames(train, energy_key="energy")
    assert labels.energy_of(first) == pytest.approx(train[0].calc.results["energy"])
