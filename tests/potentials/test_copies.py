"""Calculators of potentials are copied, pickled, sent to processes; places far from the origin."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from ase.build import molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import StructureError


def energy_and_force(atoms):
    return atoms.get_potential_energy(), float(atoms.get_forces()[8, 0])


@pytest.fixture
def attached():
    atoms = MALONALDEHYDE.copy()
    atoms.calc = im.load("malonaldehyde").calculator()
    atoms.get_forces()
    return atoms


def moved(atoms):
    """Away from what the calculator remembers, and back, so that it computes anew."""
    atoms.positions[8, 0] += 0.05
    atoms.get_forces()
    atoms.positions[8, 0] -= 0.05
    return energy_and_force(atoms)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))])
def test_copies_compute_the_same(attached, copied):
    expected = energy_and_force(attached)
    assert moved(copied(attached)) == pytest.approx(expected, abs=1e-12)
    other = MALONALDEHYDE.copy()
    other.calc = copied(attached.calc)
    assert moved(other) == pytest.approx(expected, abs=1e-12)
    again = copied(attached.calc.potential)
    assert float(again.predict(MALONALDEHYDE).energy) == pytest.approx(expected[0], abs=1e-12)


def test_other_processes_compute_the_same(attached):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        [found] = pool.map(energy_and_force, [attached])
    assert found == pytest.approx(energy_and_force(attached), abs=1e-12)


@pytest.mark.parametrize("far", [30.0, 1e3, 1e5])
def test_single_precision_far_from_the_origin(far):
    """0.27 eV/A off at 1e5 A where places were rounded before distances were taken."""
    potential = im.load("malonaldehyde")
    expected = potential.predict(MALONALDEHYDE).forces.numpy()
    single = copy.deepcopy(potential).float()
    away = MALONALDEHYDE.copy()
    away.positions += [far, -far, 2 * far]
    batch = im.Batch.from_ase([away, MALONALDEHYDE]).to(torch.float32)
    forces = [
        single.predict(away).forces,
        single.predict([MALONALDEHYDE, away]).forces[9:],
        single.predict(batch).forces[:9],
        potential.calculator(precision="float32").get_forces(away),
    ]
    for found in forces:
        assert np.abs(np.asarray(found, dtype=float) - expected).max() < 1e-4
    assert np.array_equal(im.Batch.from_ase(away).positions.numpy(), away.positions)


def test_a_molecule_has_no_stress():
    potential = im.load("water")
    slab = molecule("H2O", cell=[9, 9, 9], pbc=[True, True, False])
    for ask in (potential.predict, potential.predict_by_torch):
        with pytest.raises(StructureError, match="periodic in 0 of 3 directions.*no stress"):
            ask(molecule("H2O"), stress=True)
        with pytest.raises(StructureError, match="structure 1 is periodic in 2 of 3"):
            ask([molecule("H2O", cell=[9, 9, 9], pbc=True), slab], stress=True)
