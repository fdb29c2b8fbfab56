"""Constraints act on motion alone, not on explanations, evaluations and recorded forces."""

import numpy as np
import pytest
from ase.constraints import FixAtoms, Hookean

import interpmd as im
from interpmd.demo import MALONALDEHYDE

PARTS = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.fixture(params=["fixed", "spring"])
def held(request):
    atoms = MALONALDEHYDE.copy()
    if request.param == "fixed":
        atoms.set_constraint(FixAtoms([0, 8]))
    else:  # 3.4 A longer than it may be without force
        atoms.set_constraint(Hookean(0, 8, k=5.0, rt=0.1))
    return atoms


def test_explanations_do_not_see_them(held):
    potential = im.load("malonaldehyde")
    free = MALONALDEHYDE.copy()
    for model in (potential, potential.calculator()):
        for target in (im.Force(8, along=0), im.Energy()):
            asked = {"fragments": PARTS, "order": 2}
            found = im.explain(model, held, target, **asked)
            assert np.allclose(found.values, im.explain(model, free, target, **asked).values)
    assert abs(im.explain(potential.calculator(), held, im.Force(8, along=0)).total) > 0.1


def test_recorded_forces_are_those_of_the_potential(held, tmp_path):
    potential = im.load("malonaldehyde")
    for out in (None, tmp_path / "run.traj"):
        run = im.simulate(potential, held, steps=10, seed=0, progress=False, out=out)
        errors = im.evaluate(potential, list(run)).summary()
        assert max(errors.values()) < 1e-6
        true = [float(potential.predict(a).energy) for a in run]
        assert np.allclose(run.potential_energies, true, atol=1e-9)
    kept = im.read_frames(tmp_path / "run.traj")
    assert max(im.evaluate(potential, kept).summary().values()) < 1e-6
    if isinstance(held.constraints[0], FixAtoms):
        assert np.abs(run[-1].positions[8] - held.positions[8]).max() == 0  # it holds


def test_sampled_labels_do_not_see_them(held):
    [labelled] = im.label(held, im.load("malonaldehyde").calculator(), progress=False)
    free = im.load("malonaldehyde").predict(MALONALDEHYDE)
    assert np.allclose(labelled.get_forces(), free.forces.numpy())
    assert labelled.get_potential_energy() == pytest.approx(float(free.energy))
