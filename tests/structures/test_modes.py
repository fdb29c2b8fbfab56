"""Second derivatives and normal modes of two atoms on a spring."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from interpmd.structures.modes import hessian, modes_of

STIFFNESS = 30.0
OXYGEN = Atoms("O2", [[0, 0, 0], [0, 0, 1.0]])


def spring(structures):
    """Forces of a bond of length 1 Å."""
    bonds = np.array([atoms.positions[1] - atoms.positions[0] for atoms in structures])
    lengths = np.linalg.norm(bonds, axis=1)[:, None]
    pull = STIFFNESS * (lengths - 1) * bonds / lengths
    return np.stack([pull, -pull], axis=1)


def test_hessian_of_a_spring():
    along = np.zeros((6, 1))
    along[[2, 5], 0] = 1, -1
    found = hessian(spring, OXYGEN)
    np.testing.assert_allclose(found, STIFFNESS * along @ along.T, atol=1e-2)
    np.testing.assert_array_equal(found, found.T)


def test_a_diatomic_has_one_mode_of_the_reduced_mass():
    displacements, curvatures = modes_of(OXYGEN, hessian(spring, OXYGEN))
    assert len(curvatures) == 1
    mass = OXYGEN.get_masses()[0]
    assert curvatures[0] == pytest.approx(2 * STIFFNESS / mass, rel=1e-6)
    # one unit of the mass-weighted coordinate moves each atom by 1 / sqrt(2 m)
    assert np.abs(displacements[0, [2, 5]]) == pytest.approx(1 / np.sqrt(2 * mass), rel=1e-9)
    assert np.abs(displacements[0, [0, 1, 3, 4]]).max() < 1e-12


def test_an_unstable_direction_has_negative_curvature():
    _, curvatures = modes_of(OXYGEN, hessian(lambda moved: -spring(moved), OXYGEN))
    assert curvatures[0] == pytest.approx(-2 * STIFFNESS / OXYGEN.get_masses()[0], rel=1e-6)
