"""Bonds, angles and torsions of molecules over a trajectory, and which of them are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Int

from interpmd.errors import StructureError
from interpmd.structures.chemistry import bonds, hydrogen_bonds, molecules
from interpmd.structures.coordinates.bonded import bonded
from interpmd.structures.coordinates.graph import Link, graph_of, link, unwrapped

#: Frames in which bonds are looked for.
FRAMES = 100

#: Farthest that a pair of atoms can be by bonds, where it matters how far.
FAR = 9


@dataclass(frozen=True)
class Topology:
    """What valence terms are made of; atoms of each coordinate in the order along its bonds.

    Attributes:
        numbers: atomic numbers.
        stretches: bonds, both of a proton that changes its partner, and hydrogen bonds within a
            molecule, shape (n, 2).
        angles: shape (n, 3). bends: those near a line, shape (n, 3).
        dihedrals: shape (n, 4).
        planes: a centre and its three neighbours, shape (n, 4).
        kind: number that atoms share which no permutation of equal atoms tells apart.
        steps: bonds between any two atoms, `FAR` where there are more or none, shape (atoms,
            atoms).
    """

    numbers: Int[np.ndarray, " atoms"]
    stretches: Int[np.ndarray, "n 2"]
    angles: Int[np.ndarray, "n 3"]
    bends: Int[np.ndarray, "n 3"]
    dihedrals: Int[np.ndarray, "n 4"]
    planes: Int[np.ndarray, "n 4"]
    kind: Int[np.ndarray, " atoms"]
    steps: Int[np.ndarray, "atoms atoms"]

    def check(self, atoms: Atoms) -> None:
        """Raise a StructureError for other atoms than these in this order."""
        if not np.array_equal(atoms.numbers, self.numbers):
            raise StructureError(
                f"bonds, angles and torsions were distilled for the atoms of "
                f"{Atoms(self.numbers).symbols} in this order, not for {atoms.symbols}"
            )

    def named(self, atoms: Sequence[int]) -> str:
        """Atoms one after the other, as "C0–O5–H11"."""
        return "–".join(f"{chemical_symbols[self.numbers[a]]}{a}" for a in atoms)


def topology(frames: Sequence[Atoms]) -> Topology:
    """The valence coordinates of a trajectory; bonds that hold in any frame count in all.

    Raises:
        StructureError: frames of different atoms, or crystals, which are bonded to their own
            images.
    """
    first = frames[0]
    for number, frame in enumerate(frames):
        if not np.array_equal(frame.numbers, first.numbers):
            raise StructureError(
                f"frame {number} ({frame.symbols}) holds other atoms than frame 0 "
                f"({first.symbols}): bonds, angles and torsions are of one system; distil pairs "
                "and triplets from mixed structures, or each system for itself"
            )
    some = unwrapped(frames[:: max(1, len(frames) // FRAMES)])
    weak = [_weak(a) if len(molecules(a)) == 1 else set() for a in some]
    graph = graph_of(some, [_bonds(a) for a in some], weak)
    if any(m.endless for m in graph.molecules):
        raise StructureError(
            f"{first.symbols} is bonded to its own periodic images, and bonds, angles and torsions "
            'are of molecules; distil terms=("pairs", "triplets")'
        )
    inside = bonded(graph)

    def members(places: Sequence, width: int) -> Int[np.ndarray, "n width"]:
        table = [[a for a, _ in row[:width]] for row in places]
        return np.array(table, dtype=int).reshape(-1, width)

    stretches = np.array(
        [(i, j) for i, j, _ in sorted({*graph.bonds, *graph.hydrogen_bonds})], dtype=int
    ).reshape(-1, 2)
    network = nx.Graph()
    network.add_nodes_from(range(len(first)))
    network.add_edges_from(stretches.tolist())
    return Topology(
        numbers=first.numbers.copy(),
        stretches=stretches,
        angles=members(inside.angles, 3),
        bends=members([*inside.bends, *inside.lone_bends], 3),
        dihedrals=members([d for _, several in inside.torsions for d in several], 4),
        planes=members(inside.planes, 4),
        kind=_kinds(network, first.numbers),
        steps=_steps(network),
    )


def alike(
    topo: Topology, atoms: Int[np.ndarray, "n members"]
) -> tuple[Int[np.ndarray, " n"], list[int]]:
    """Which coordinates share a curve, and the first one of each curve.

    A coordinate and the same read backwards are alike.
    """
    kinds = topo.kind[atoms].tolist()
    keys = [min(tuple(k), tuple(k[::-1])) for k in kinds]
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    found = np.array([order[key] for key in keys], dtype=int)
    return found, [keys.index(key) for key in order]


def _bonds(atoms: Atoms) -> set[Link]:
    known = bonds(atoms)
    return {link(i, j, s) for (i, j), s in zip(known.pairs, known.shifts, strict=True)}


def _weak(atoms: Atoms) -> set[Link]:
    known = hydrogen_bonds(atoms)
    rows = zip(known.hydrogen, known.acceptor, known.acceptor_shifts, strict=True)
    return {link(i, j, s) for i, j, s in rows}


def _kinds(network: nx.Graph, numbers: np.ndarray) -> Int[np.ndarray, " atoms"]:
    """Colours of atoms by their surroundings (Weisfeiler and Leman, 1968), refined until they no
    longer change."""
    kind = np.unique(numbers, return_inverse=True)[1]
    for _ in range(len(numbers)):
        around = [(int(kind[a]), tuple(sorted(int(kind[b]) for b in network[a]))) for a in network]
        order = {key: number for number, key in enumerate(sorted(set(around)))}
        finer = np.array([order[key] for key in around], dtype=int)
        if len(order) == len(set(kind.tolist())):
            return finer
        kind = finer
    return kind


def _steps(network: nx.Graph) -> Int[np.ndarray, "atoms atoms"]:
    steps = np.full((len(network), len(network)), FAR, dtype=int)
    for atom, near in nx.all_pairs_shortest_path_length(network, cutoff=FAR - 1):
        for other, count in near.items():
            steps[atom, other] = count
    return steps
