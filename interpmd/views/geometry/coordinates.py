"""Bonds, angles and dihedrals that can be set, and the atoms that move with them."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
from ase import Atoms
from ase.neighborlist import build_neighbor_list

from interpmd.errors import StructureError


@dataclass(frozen=True)
class Coordinate:
    """A bond (two atoms, A), an angle (three) or a dihedral (four atoms, degrees).

    Args:
        atoms: indices in order along the coordinate.
        moved: indices of the atoms that move when it is set.
        ring: whether it closes a ring, so that the last atom moves alone and strains the ring.
    """

    atoms: tuple[int, ...]
    moved: tuple[int, ...]
    ring: bool

    def value(self, atoms: Atoms) -> float:
        """Present value in A or degrees."""
        get = (atoms.get_distance, atoms.get_angle, atoms.get_dihedral)[len(self.atoms) - 2]
        return float(get(*self.atoms))

    def at(self, atoms: Atoms, value: float) -> Atoms:
        """A copy of `atoms` with the coordinate set to `value` (A or degrees)."""
        copy, moved = atoms.copy(), list(self.moved)
        if len(self.atoms) == 2:
            copy.set_distance(*self.atoms, value, fix=0, indices=moved)
        elif len(self.atoms) == 3:
            copy.set_angle(*self.atoms, value, indices=moved)
        else:
            copy.set_dihedral(*self.atoms, value, indices=moved)
        return copy


def coordinate(atoms: Atoms, *indices: int) -> Coordinate:
    """The coordinate of two, three or four atoms, with the group that moves by connectivity.

    Raises:
        StructureError: other than two to four different atoms of the structure.
    """
    known = all(0 <= i < len(atoms) for i in indices)
    if not 2 <= len(indices) <= 4 or len(set(indices)) < len(indices) or not known:
        raise StructureError(
            f"atoms {indices} are no bond, angle or dihedral: "
            f"name two to four different atoms of 0 to {len(atoms) - 1}"
        )
    found = build_neighbor_list(atoms, self_interaction=False)
    bonds = nx.from_numpy_array(found.get_connectivity_matrix(sparse=False))
    pivot, first = indices[1:3] if len(indices) == 4 else indices[-2:]
    if bonds.has_edge(pivot, first):
        bonds.remove_edge(pivot, first)
    moved = nx.node_connected_component(bonds, first)
    ring = pivot in moved
    return Coordinate(indices, (indices[-1],) if ring else tuple(sorted(moved)), ring)
