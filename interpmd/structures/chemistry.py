"""Bonds, molecules, hydrogen bonds and shared protons of a structure, all by one rule.

The rule is that of `interpmd.structures.bonding`: closer than 1.3 times the sum of the covalent
radii, with both partners of a jumping proton, without ions and noble gases.

Hydrogen bonds D-H...A between N, O and F: H...A not bonded and below 2.5 Å, D-H...A above 120
degrees (Baker and Hubbard, Prog. Biophys. Mol. Biol. 44, 97, 1984). The definition of IUPAC
(Arunan et al., Pure Appl. Chem. 83, 1637, 2011) sets no distance and prefers angles above 110.
At its jump a proton has two bonds and no hydrogen bond; `shared_protons` names both of its sides
alike all the way, for names that are to outlast the jump.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.structures.bonding import (
    BOND_FACTOR,
    ClosePairs,
    are_bonded,
    close_pairs,
    longest_bond,
)

__all__ = [
    "BOND_FACTOR",
    "Bonds",
    "HydrogenBonds",
    "Molecules",
    "SharedProton",
    "are_bonded",
    "bonds",
    "both_ways",
    "hydrogen_bonds",
    "lewis_bonds",
    "longest_bond",
    "made_whole",
    "molecules",
    "put_together",
    "shared_protons",
]

#: Largest distance H...A of a hydrogen bond in Å, and smallest angle D-H...A in degrees.
HYDROGEN_BOND_LENGTH, HYDROGEN_BOND_ANGLE = 2.5, 120.0

#: Atomic numbers of what gives and takes hydrogen bonds: N, O, F.
HYDROGEN_BONDING = (7, 8, 9)


@dataclass(frozen=True)
class Bonds:
    """The bonds of a structure, each once.

    Attributes:
        pairs: the two atoms, shape (bonds, 2); the first is not the larger, and they are equal
            where an atom is bonded to its own image.
        shifts: cell in which the second atom lies as seen from the first, shape (bonds, 3).
        distances: in Å, shape (bonds,).
    """

    pairs: Int[np.ndarray, "bonds 2"]
    shifts: Int[np.ndarray, "bonds 3"]
    distances: Float[np.ndarray, " bonds"]

    def __len__(self) -> int:
        return len(self.distances)


@dataclass(frozen=True)
class HydrogenBonds:
    """Hydrogen bonds D-H...A; a hydrogen with two donors or two acceptors stands in two rows.

    Attributes:
        donor, hydrogen, acceptor: atoms, shape (hydrogen_bonds,) each.
        donor_shifts: cell of the donor as seen from the hydrogen, shape (hydrogen_bonds, 3).
        acceptor_shifts: cell of the acceptor as seen from the hydrogen, of the same shape.
        distances: H...A in Å.
        angles: D-H...A in degrees.
    """

    donor: Int[np.ndarray, " hydrogen_bonds"]
    hydrogen: Int[np.ndarray, " hydrogen_bonds"]
    acceptor: Int[np.ndarray, " hydrogen_bonds"]
    donor_shifts: Int[np.ndarray, "hydrogen_bonds 3"]
    acceptor_shifts: Int[np.ndarray, "hydrogen_bonds 3"]
    distances: Float[np.ndarray, " hydrogen_bonds"]
    angles: Float[np.ndarray, " hydrogen_bonds"]

    def __len__(self) -> int:
        return len(self.distances)


@dataclass(frozen=True)
class SharedProton:
    """A hydrogen between two electronegative atoms, whichever of them holds it now.

    Attributes:
        hydrogen: the proton.
        first, second: N, O or F on its two sides, the smaller number first, so that the names do
            not change as the proton jumps.
        first_shift, second_shift: their cells as seen from the proton.
        first_distance, second_distance: in Å.
    """

    hydrogen: int
    first: int
    second: int
    first_shift: tuple[int, int, int]
    second_shift: tuple[int, int, int]
    first_distance: float
    second_distance: float


@dataclass(frozen=True)
class Molecules:
    """Which molecule each atom belongs to.

    Attributes:
        number: of the molecule of each atom, in order of their first atoms, shape (atoms,).
        images: cell in which each atom lies when its molecule is put together, shape (atoms, 3).
        endless: numbers of the molecules that are bonded to their own images (crystals).
    """

    number: Int[np.ndarray, " atoms"]
    images: Int[np.ndarray, "atoms 3"]
    endless: frozenset[int]


def bonds(atoms: Atoms) -> Bonds:
    """All bonds of a structure, across periodic boundaries too.

    Raises:
        StructureError: see `longest_bond`.
    """
    near = close_pairs(atoms)
    once = (near.first < near.second) | ((near.first == near.second) & _ahead(near.shifts))
    near = near.where(near.bonded & once)
    return Bonds(np.column_stack([near.first, near.second]), near.shifts, near.distances)


def both_ways(known: Bonds) -> tuple[Int[np.ndarray, "twice 2"], Int[np.ndarray, "twice 3"]]:
    """Every bond from either end: pairs and shifts."""
    return (
        np.concatenate([known.pairs, known.pairs[:, ::-1]]),
        np.concatenate([known.shifts, -known.shifts]),
    )


def lewis_bonds(atoms: Atoms) -> Bonds:
    """The bonds of a Lewis structure: a hydrogen with several partners keeps the nearest alone.

    For what a second partner would forbid: bond orders, and sides that turn about a bond, since a
    proton on its way between two oxygen atoms closes a ring.

    Raises:
        StructureError: see `longest_bond`.
    """
    known, taken, kept = bonds(atoms), set(), []
    for bond in np.argsort(known.distances, kind="stable").tolist():
        hydrogens = {a for a in known.pairs[bond].tolist() if atoms.numbers[a] == 1}
        if not hydrogens & taken:
            taken |= hydrogens
            kept.append(bond)
    kept.sort()
    return Bonds(known.pairs[kept], known.shifts[kept], known.distances[kept])


def molecules(atoms: Atoms) -> list[tuple[int, ...]]:
    """The atoms of each molecule, connected by bonds; molecules in order of their first atoms.

    Raises:
        StructureError: see `longest_bond`.
    """
    number = put_together(bonds(atoms), len(atoms)).number
    return [tuple(np.flatnonzero(number == m).tolist()) for m in range(number.max(initial=-1) + 1)]


def put_together(known: Bonds, count: int) -> Molecules:
    """Molecules that bonds make of ``count`` atoms, and where their atoms lie."""
    partners: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(count)]
    for (first, second), shift in zip(*both_ways(known), strict=True):
        partners[first].append((int(second), shift))
    number, images, endless = np.full(count, -1), np.zeros((count, 3), dtype=int), set()
    for seed in range(count):
        if number[seed] >= 0:
            continue
        molecule = int(number.max()) + 1
        number[seed], waiting = molecule, [seed]
        while waiting:
            atom = waiting.pop()
            for other, shift in partners[atom]:
                image = images[atom] + shift
                if number[other] < 0:
                    number[other], images[other] = molecule, image
                    waiting.append(other)
                elif (image != images[other]).any():
                    endless.add(molecule)
    return Molecules(number, images, frozenset(endless))


def made_whole(atoms: Atoms) -> Atoms:
    """A copy in which no molecule is cut by a periodic boundary; crystals stay as they are.

    Raises:
        StructureError: see `longest_bond`.
    """
    known = put_together(bonds(atoms), len(atoms))
    finite = ~np.isin(known.number, list(known.endless))
    whole = atoms.copy()
    whole.positions += (known.images * finite[:, None]) @ np.asarray(atoms.cell)
    return whole


def hydrogen_bonds(atoms: Atoms) -> HydrogenBonds:
    """Hydrogen bonds by distance and angle; a bonded pair is none.

    Raises:
        StructureError: see `longest_bond`.
    """
    near = _around_hydrogens(atoms)
    rows = [row for row in _bridges(near) if not near.bonded[row[1]]]
    donors, acceptors = np.array(rows, dtype=int).reshape(-1, 2).T
    return HydrogenBonds(
        near.second[donors],
        near.first[acceptors],
        near.second[acceptors],
        near.shifts[donors],
        near.shifts[acceptors],
        near.distances[acceptors],
        np.array([_angle(near.vectors[d], near.vectors[a]) for d, a in rows]),
    )


def shared_protons(atoms: Atoms) -> list[SharedProton]:
    """Hydrogens between two of N, O and F: bonded to both, or bonded to one and in a hydrogen
    bond with the other. As the proton jumps the row stays and its distances change.

    Raises:
        StructureError: see `longest_bond`.
    """
    near = _around_hydrogens(atoms)
    found = {}
    for rows in _bridges(near):
        ends = [
            (int(near.second[r]), _cell(near.shifts[r]), float(near.distances[r])) for r in rows
        ]
        (first, one, there), (second, other, beyond) = sorted(ends)
        proton = int(near.first[rows[0]])
        found[proton, first, one, second, other] = SharedProton(
            proton, first, second, one, other, there, beyond
        )
    return [found[key] for key in sorted(found)]


def _around_hydrogens(atoms: Atoms) -> ClosePairs:
    """Pairs of a hydrogen and N, O or F, within a bond or a hydrogen bond."""
    near = close_pairs(atoms, HYDROGEN_BOND_LENGTH)
    hydrogen = atoms.numbers[near.first] == 1
    other = np.isin(atoms.numbers[near.second], HYDROGEN_BONDING)
    return near.where(hydrogen & other & (near.distances < HYDROGEN_BOND_LENGTH))


def _bridges(near: ClosePairs) -> list[tuple[int, int]]:
    """Rows (held by, held or taken by) of one hydrogen; two bonds make two rows."""
    bridges = []
    for donor in np.flatnonzero(near.bonded).tolist():
        proton = near.first[donor]
        for row in range(*np.searchsorted(near.first, [proton, proton + 1]).tolist()):
            if row == donor:
                continue
            angle = _angle(near.vectors[donor], near.vectors[row])
            if near.bonded[row] or angle > HYDROGEN_BOND_ANGLE:
                bridges.append((donor, row))
    return bridges


def _ahead(shifts: np.ndarray) -> np.ndarray:
    """Whether the first component that is not zero is positive: one of each shift and its minus."""
    first = (shifts != 0).argmax(1)
    return np.take_along_axis(shifts, first[:, None], axis=1)[:, 0] > 0


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _cell(shift: np.ndarray) -> tuple[int, int, int]:
    x, y, z = shift.tolist()
    return x, y, z
