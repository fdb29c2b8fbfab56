"""Rows of a periodic structure are those of the same atoms alone; numbering does not matter."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from ase import Atoms

from interpmd.decomposition.assemble import decompose
from interpmd.potentials import Potential
from interpmd.potentials.base import TERMS, LocalTerm

LOCAL = sorted(kind for kind, term in TERMS.items() if issubclass(term, LocalTerm))


def cell(potential, pbc):
    """Four atoms in a cell thinner than the cutoffs, so that atoms meet their own images."""
    numbers = np.resize(potential.elements or (1, 6, 8), 4)
    positions = [[0, 0, 0], [1.3, 0.1, 0], [0, 1.4, 0.2], [1.8, 1.7, 1.9]]
    vectors = [[3.6, 0, 0], [0.4, 3.7, 0], [0.2, 0.3, 3.9]]
    return Atoms(numbers, positions=positions, cell=vectors, pbc=pbc)


def alone(potential, numbers, positions):
    """Row of a cluster in vacuum by inclusion-exclusion over energies of all its parts."""
    size = len(numbers)
    return sum(
        (-1) ** (size - k) * float(potential.predict(Atoms(numbers[[*s]], positions[[*s]])).energy)
        for k in range(1, size + 1)
        for s in combinations(range(size), k)
    )


@pytest.fixture(params=LOCAL)
def potential(request):
    return Potential([TERMS[request.param].example()])


@pytest.mark.parametrize("pbc", [True, [True, False, True]], ids=["bulk", "slab"])
def test_rows_are_those_of_the_images_alone(potential, pbc):
    atoms = cell(potential, pbc)
    table = decompose(potential, atoms, order=min(potential.body_order, 3))
    rows = [row for row in table if not row.remainder]
    assert len({(row.term, row.atoms, row.shifts) for row in rows}) == len(rows)
    for row in rows[:: max(len(rows) // 40, 1)]:
        positions = atoms.positions[[*row.atoms]] + np.array(row.shifts) @ atoms.cell.array
        expected = alone(potential, atoms.numbers[[*row.atoms]], positions)
        assert row.energy_eV == pytest.approx(expected, abs=1e-10)


def test_rows_and_remainders_are_free_of_net_force_and_torque(potential):
    atoms = cell(potential, True)
    for row in decompose(potential, atoms, order=2):
        positions = atoms.positions[[*row.atoms]] + np.array(row.shifts) @ atoms.cell.array
        assert np.abs(row.forces.sum(0)).max() < 1e-10
        assert np.abs(np.cross(positions, row.forces).sum(0)).max() < 1e-10


def test_renumbering_atoms_renumbers_rows(potential):
    atoms, order = cell(potential, True), np.array([2, 0, 3, 1])
    found = decompose(potential, atoms, order=2)
    swapped = decompose(potential, atoms[order], order=2)
    by_atoms, by_swapped = found.by("atoms").energy_eV, swapped.by("atoms").energy_eV
    assert np.allclose(swapped.forces, found.forces[order], atol=1e-12)
    for row_atoms, energy in by_swapped.items():
        if len(row_atoms) <= 2:
            key = tuple(sorted(int(order[a]) for a in row_atoms))
            assert energy == pytest.approx(by_atoms[key], abs=1e-10)
