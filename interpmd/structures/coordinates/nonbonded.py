"""Which coordinates molecules have against each other: contacts, and pairs of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, vdw_alvarez
from ase.neighborlist import neighbor_list

from interpmd.structures.coordinates.formulas import dot
from interpmd.structures.coordinates.graph import HERE, Graph, Link, Molecule, added, link

#: Atoms of different molecules closer than this many times the sum of their van der Waals radii
#: are in contact; those of a crystal and what lies on it a little farther.
CONTACT, CONTACT_WITH_NETWORK = 1.0, 1.2

#: Molecules with atoms closer than this many times the sum of their radii are neighbours.
NEIGHBOURS = 1.1

#: Contacts and neighbours are looked for in at most so many frames of a trajectory; those that
#: come and go in between are weak.
MOST_FRAMES = 50

#: Å, for elements that Alvarez (Dalton Trans. 2013, 8617) gives no radius.
UNKNOWN_RADIUS = 2.5


def radii(numbers: np.ndarray) -> np.ndarray:
    """Van der Waals radii in Å."""
    known = np.full(len(chemical_symbols), np.nan)
    known[: len(vdw_alvarez.vdw_radii)] = vdw_alvarez.vdw_radii
    return np.nan_to_num(known, nan=UNKNOWN_RADIUS)[numbers]


@dataclass(frozen=True)
class Between:
    """Coordinates between molecules.

    Attributes:
        contacts: pairs of atoms.
        molecules: that take part as bodies.
        pairs: neighbours among them, and the cell of the second.
    """

    contacts: list[Link]
    molecules: list[Molecule]
    pairs: list[Link]


def between_molecules(graph: Graph, farther: float = 1.0) -> Between:
    """Contacts of atoms, and neighbouring molecules, over all frames.

    Args:
        graph: links of the structure.
        farther: factor on the reach of neighbours, where the usual one leaves motions out. Above
            1, atoms that share a bonded neighbour in a network are coordinates, too.
    """
    molecules = graph.molecules
    number = np.zeros(len(graph.numbers), dtype=int)
    image = {}
    for m, molecule in enumerate(molecules):
        for atom, shift in molecule.places:
            number[atom], image[atom] = m, shift
    near: dict[Link, float] = {}
    every = max(1, len(graph.frames) // MOST_FRAMES)
    for positions, cell in zip(graph.frames[::every], graph.cells[::every], strict=True):
        for pair, ratio in _near(graph, positions, cell, NEIGHBOURS * farther).items():
            near[pair] = min(ratio, near.get(pair, np.inf))
    near = {p: r for p, r in near.items() if not _within(p, number, image, molecules)}

    linked = _linked(graph)
    contacts, pairs = [], set()
    for (i, j, shift), ratio in sorted(near.items()):
        network = molecules[number[i]].endless or molecules[number[j]].endless
        touching = CONTACT_WITH_NETWORK * farther if network else CONTACT
        if ratio < touching and (i, j, shift) not in linked:
            contacts.append((i, j, shift))
        if not network and ratio < NEIGHBOURS * farther:
            pairs.add(_of_molecules(i, j, shift, number, image))
    pairs = {p for p in pairs if p[0] != p[1]}
    pairs |= _joining(graph, molecules, number, image, pairs)
    taking_part = sorted({m for i, j, _ in pairs for m in (i, j)})
    renumbered = {m: b for b, m in enumerate(taking_part)}
    if farther > 1:
        contacts += sorted(_across(graph, molecules))
    return Between(
        # the distance of two single atoms is that of the two as molecules
        [c for c in contacts if max(len(molecules[number[a]].places) for a in c[:2]) > 1],
        [molecules[m] for m in taking_part],
        sorted((renumbered[i], renumbered[j], shift) for i, j, shift in pairs),
    )


def _near(graph: Graph, positions: np.ndarray, cell: np.ndarray, reach: float) -> dict[Link, float]:
    """Pairs of atoms within reach, and their distance over the sum of their radii."""
    atoms = Atoms(graph.numbers, positions, cell=cell, pbc=graph.pbc)
    size = radii(graph.numbers)
    i, j, shifts, distances = neighbor_list("ijSd", atoms, max(reach, CONTACT_WITH_NETWORK) * size)
    ratios = distances / (size[i] + size[j])
    return {
        link(a, b, s): float(r)
        for a, b, s, r in zip(i, j, shifts.tolist(), ratios, strict=True)
        if a <= b
    }


def _within(pair: Link, number, image, molecules) -> bool:
    """Whether both atoms belong to one molecule, and not to an image of it."""
    i, j, shift = pair
    if number[i] != number[j]:
        return False
    return molecules[number[i]].endless or added(shift, image[i]) == image[j]


def _of_molecules(i: int, j: int, shift: tuple, number, image) -> Link:
    return link(number[i], number[j], added(added(shift, image[i]), image[j], -1))


def _across(graph: Graph, molecules: Sequence[Molecule]) -> set[Link]:
    """Atoms of networks that share a bonded neighbour and are not bonded themselves."""
    network = {a for molecule in molecules if molecule.endless for a, _ in molecule.places}
    pairs = {
        link(a, b, added(t, s, -1))
        for atom in network
        for (a, s), (b, t) in combinations(graph.neighbours[atom], 2)
    }
    return {p for p in pairs if p[0] != p[1] or p[2] != HERE} - set(graph.bonds)


def _linked(graph: Graph) -> set[Link]:
    """Hydrogen bonds, and the pairs of atoms next to their ends, which they stand for."""
    linked = set()
    for i, j, shift in graph.hydrogen_bonds:
        ends = ((i, HERE), (j, shift))
        around = [[end, *graph.around(end)] for end in ends]
        linked |= {link(a, b, added(t, s, -1)) for a, s in around[0] for b, t in around[1]}
    return linked


def _joining(graph, molecules, number, image, pairs: set[Link]) -> set[Link]:
    """The shortest links that join what is not yet joined, however far apart."""
    group = np.arange(len(molecules))
    networks = [m for m, molecule in enumerate(molecules) if molecule.endless]
    for i, j, _ in pairs:
        group[group == group[j]] = group[i]
    links: set[Link] = set()
    while len(np.unique(np.delete(group, networks))) > 1:
        group_of = group[number]
        inside = ~np.isin(number, networks)
        shortest, joined = np.inf, (0, 0, HERE)
        for i in np.flatnonzero(inside):
            vectors = graph.frames[0] - graph.frames[0, i]
            shifts = np.zeros(vectors.shape, dtype=int)
            if graph.pbc.any():
                fractional = np.linalg.solve(graph.cells[0].T, vectors.T).T
                shifts = -np.round(fractional * graph.pbc).astype(int)
                vectors = vectors + shifts @ graph.cells[0]
            square = np.where(inside & (group_of != group_of[i]), dot(vectors, vectors), np.inf)
            j = int(square.argmin())
            if square[j] < shortest:
                x, y, z = shifts[j].tolist()
                shortest, joined = square[j], (int(i), j, (x, y, z))
        i, j, shift = joined
        links.add(_of_molecules(i, j, shift, number, image))
        group[group == group[number[j]]] = group[number[i]]
    return links
