"""The shipped potential of liquid water keeps a box of it, and feels charges beyond its cutoff."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.geometry import find_mic

import interpmd as im
from interpmd.potentials import LongRange, Potential

DATA = Path(__file__).parents[2] / "data" / "water_liquid"


@pytest.fixture(scope="module")
def box() -> Atoms:
    """The box of the test set whose density is nearest to that of water."""
    boxes = [a for a in im.read_frames(DATA / "test.extxyz.gz") if a.pbc.all()]
    return min(boxes, key=lambda a: abs(a.get_volume() - 960.2))


def test_a_box_of_water_stays_what_it_is_at_constant_energy(box):
    """Clusters alone do not teach that: a potential fitted to them breaks a box within 20 steps."""
    start = box.copy()
    start.calc = None
    run = im.simulate(
        im.load("water_liquid"), start, temperature=300, steps=200, interval=20, progress=False
    )
    last = run[-1]
    bonds = np.concatenate([last.positions[k::3] - last.positions[0::3] for k in (1, 2)])
    assert find_mic(bonds, last.cell, last.pbc)[1].max() < 1.4
    totals = np.array([a.get_total_energy() for a in run]) / len(last)
    assert np.ptp(totals) < 1e-3
    assert 100 < run.temperatures[5:].mean() < 500


def test_forces_and_stresses_of_boxes_are_those_of_the_quantum_method(box):
    found = im.load("water_liquid").predict(box, stress=True)
    errors = found.forces.numpy() - box.get_forces()
    assert np.sqrt((errors**2).mean()) < 0.06
    assert np.sqrt((box.get_forces() ** 2).mean()) > 0.5
    stress = found.stress[0].numpy()[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    assert np.abs(stress - box.get_stress()).max() < 3e-3


def test_generated_code_and_torch_agree_where_charges_and_expansion_add_up(box):
    potential = im.load("water_liquid")
    assert "long_range" in potential.terms
    fast, slow = potential.predict(box, stress=True), potential.predict_by_torch(box, stress=True)
    assert np.abs(fast.forces.numpy() - slow.forces.numpy()).max() < 1e-9
    assert np.abs(fast.stress.numpy() - slow.stress.numpy()).max() < 1e-12
    batched = potential.predict([box, box[:3], box])
    assert batched.energy[0] == pytest.approx(float(fast.energy[0]), abs=1e-9)
    assert np.abs(batched.forces[-len(box) :].numpy() - fast.forces.numpy()).max() < 1e-10


def test_the_charges_of_a_box_do_not_depend_on_how_it_is_cut():
    """A skew cell of the same crystal, and one twice as long."""
    cell = np.array([[4.0, 0, 0], [0.5, 4.5, 0], [0.2, -0.4, 5.0]])
    atoms = Atoms("NaCl", [[0.1, 0.2, 0.3], [2.1, 2.0, 2.2]], cell=cell, pbc=True)
    potential = Potential([LongRange({"Na": 1.0, "Cl": -1.0}, 1.3)])
    once = potential.predict(atoms, stress=True)
    skewed = atoms.copy()
    skewed.set_cell(np.array([[1, 0, 0], [1, 1, 0], [0, 2, 1]]) @ cell)
    other = potential.predict(skewed, stress=True)
    assert float(other.energy[0]) == pytest.approx(float(once.energy[0]), abs=1e-7)
    assert np.abs(other.stress.numpy() - once.stress.numpy()).max() < 1e-9
    twice = potential.predict(atoms.repeat((1, 2, 1)), stress=True)
    assert float(twice.energy[0]) == pytest.approx(2 * float(once.energy[0]), abs=1e-7)


def test_rows_of_a_periodic_box_hold_the_charges_whole(box):
    """The term acts between pairs, so that atoms and pairs add up, and nothing is left over."""
    few = box[:9]
    few.calc = None
    potential = Potential([LongRange({"O": -0.8, "H": 0.5}, 1.2)])  # a charged cell
    found, rows = potential.predict(few), im.decompose(potential, few)
    assert not rows.remainder.any()
    assert rows.energies.sum() == pytest.approx(float(found.energy[0]), abs=1e-10)
    forces = np.zeros((9, 3))
    np.add.at(forces, rows.member_atoms, rows.member_forces)
    assert np.abs(forces - found.forces.numpy()).max() < 1e-10
    assert np.abs(forces).max() > 0.1
    without = few[3:]
    left = [k for k, atoms in enumerate(rows.clusters.tuples()) if min(atoms) >= 3]
    expected = float(potential.predict(without).energy[0])
    assert rows.energies[left].sum() == pytest.approx(expected, abs=1e-10)
