"""Coordinates take exactly the value asked for, and move the group that hangs on them."""

import pytest
from ase.build import molecule

from interpmd.errors import StructureError
from interpmd.structures.movable import coordinate


@pytest.mark.parametrize(
    ("indices", "value"), [((0, 1), 1.7), ((1, 0, 2), 95.0), ((2, 0, 1, 3), 40.0)]
)
def test_value_is_exact_and_others_stay(indices, value):
    atoms = molecule("CH3OH")
    chosen = coordinate(atoms, *indices)
    changed = chosen.at(atoms, value)
    assert chosen.value(changed) == pytest.approx(value, abs=1e-9)
    still = [i for i in range(len(atoms)) if i not in chosen.moved]
    assert abs(changed.positions[still] - atoms.positions[still]).max() < 1e-12


def test_ring_moves_one_atom_and_says_so():
    chosen = coordinate(molecule("C6H6"), 0, 1)
    assert chosen.ring and chosen.moved == (1,)


def test_wrong_atoms_are_named():
    with pytest.raises(StructureError, match="99"):
        coordinate(molecule("CH3OH"), 0, 99)
