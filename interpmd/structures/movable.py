"""Bonds, angles and dihedrals that can be set, and the atoms that move with them."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
from ase import Atoms

from interpmd.errors import StructureError
from interpmd.structures.chemistry import bonds


@dataclass(frozen=True)
class Coordinate:
    """A distance (two atoms, in Å), an angle (three) or a dihedral (four, in degrees).

    Args:
        atoms: indices in order along the coordinate.
        moved: indices of the atoms that move when it is set.
        ring: whether it is part of a ring, so that the last atom moves alone and strains the ring.
    """

    atoms: tuple[int, ...]
    moved: tuple[int, ...]
    ring: bool

    @property
    def quantity(self) -> str:
        """What the slider sets."""
        return "distance" if len(self.atoms) == 2 else "angle"

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return "Å" if len(self.atoms) == 2 else "°"

    @property
    def step(self) -> float:
        """Step of the slider."""
        return 0.01 if len(self.atoms) == 2 else 1.0

    def limits(self, atoms: Atoms) -> tuple[float, float]:
        """Where the slider ends, the present value inside."""
        now = self.value(atoms)
        low, high = {2: (0.7 * now, 1.8 * now), 3: (60.0, 180.0), 4: (now - 180, now + 180)}[
            len(self.atoms)
        ]
        return min(low, now), max(high, now)

    def value(self, atoms: Atoms) -> float:
        """Present value in Å or degrees."""
        get = (atoms.get_distance, atoms.get_angle, atoms.get_dihedral)[len(self.atoms) - 2]
        return float(get(*self.atoms))

    def at(self, atoms: Atoms, value: float) -> Atoms:
        """A copy of `atoms` with the coordinate set to `value` (Å or degrees)."""
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
    graph = _graph(atoms)
    pivot, first = indices[1:3] if len(indices) == 4 else indices[-2:]
    if graph.has_edge(pivot, first):
        graph.remove_edge(pivot, first)
    moved = nx.node_connected_component(graph, first)
    ring = pivot in moved
    return Coordinate(indices, (indices[-1],) if ring else tuple(sorted(moved)), ring)


def proposals(atoms: Atoms) -> dict[str, Coordinate]:
    """Bonds, angles and dihedrals of a molecule that do not strain a ring, by name ("O0–H1")."""
    graph = _graph(atoms)
    chains: list[tuple[int, ...]] = sorted(tuple(sorted(b)) for b in graph.edges)
    for centre in graph:
        ends = sorted(graph[centre])
        chains += [(a, centre, b) for n, a in enumerate(ends) for b in ends[n + 1 :]]
    for i, j in sorted(tuple(sorted(b)) for b in graph.edges):
        before = [a for a in sorted(graph[i]) if a != j]
        after = [b for b in sorted(graph[j]) if b != i]
        if before and after and before[0] != after[0]:
            chains.append((before[0], i, j, after[0]))
    symbols = atoms.get_chemical_symbols()
    named = {"–".join(f"{symbols[i]}{i}" for i in c): coordinate(atoms, *c) for c in chains}
    return {name: c for name, c in named.items() if not c.ring}


def _graph(atoms: Atoms) -> nx.Graph:
    graph = nx.empty_graph(len(atoms))
    graph.add_edges_from(bonds(atoms).pairs.tolist())
    return graph
