"""One rule for a bond: two atoms closer than 1.3 times the sum of their covalent radii.

Radii: Cordero et al., Dalton Trans. 2008, 2832, as `ase.data.covalent_radii` holds them. With this
factor O-H bonds reach to 1.26 Å, C-C to 1.98 Å, Si-Si to 2.89 Å: past the bonds that thermal
motion stretches, short of atoms that share a neighbour (2.1 Å and more between carbon atoms).

What follows from the rule, and what is excepted from it:

- **A shared proton is bonded to both of its neighbours.** At the jump of a proton, O-H 1.20 and
  1.24 Å, both are bonds and the atoms around are one molecule. Hydrogen may have several partners,
  as in the bridges of diborane. Beyond 1.26 Å on one side that side is a hydrogen bond;
  `shared_protons` names both sides alike, for names that are to outlast the jump.
- **Alkali metals, calcium, strontium, barium and radium are ions beside non-metals.** Na-O in
  water (2.4 Å) is closer than 1.3 times the sum of the radii, yet no bond: sodium in water is a
  molecule of its own. Without any non-metal (sodium, alloys) they are bonded as metals are.
- **Noble gases have no bonds**, but for krypton, xenon and radon with oxygen and fluorine.
- **Dummies have no covalent radius** and are refused.

In a metal every atom is bonded to its neighbours, and the crystal is one molecule. Where the rule
errs: it bonds the bridgeheads of bicyclo[1.1.1]pentane (1.87 Å) and the iodine atoms of CI4
(3.51 Å), which no chemist does.

Hydrogen bonds D-H...A between N, O and F: H...A not bonded and below 2.5 Å, D-H...A above 120
degrees (Baker and Hubbard, Prog. Biophys. Mol. Biol. 44, 97, 1984). The definition of IUPAC
(Arunan et al., Pure Appl. Chem. 83, 1637, 2011) sets no distance and prefers angles above 110.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.geometry import complete_cell
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from interpmd.errors import StructureError

#: Times the sum of the covalent radii: the longest bond.
BOND_FACTOR = 1.3

#: Largest distance H...A of a hydrogen bond in Å, and smallest angle D-H...A in degrees.
HYDROGEN_BOND_LENGTH, HYDROGEN_BOND_ANGLE = 2.5, 120.0

#: Atomic numbers of what gives and takes hydrogen bonds: N, O, F.
HYDROGEN_BONDING = (7, 8, 9)

#: Elements that are ions beside `NON_METALS`: Li, Na, K, Rb, Cs, Fr; Ca, Sr, Ba, Ra.
IONS = (3, 11, 19, 37, 55, 87, 20, 38, 56, 88)
NON_METALS = (1, 5, 6, 7, 8, 9, 15, 16, 17, 34, 35, 53, 85)

NOBLE_GASES = (2, 10, 18, 36, 54, 86)
#: Noble gases of which compounds are kept in bottles, and their partners there.
HEAVY_NOBLE_GASES, NOBLE_PARTNERS = (36, 54, 86), (8, 9)

#: Curium, the last element that Cordero et al. give a radius for.
LAST_RADIUS = 96


def _longest() -> Float[np.ndarray, "elements elements"]:
    one, other = np.indices((LAST_RADIUS + 1, LAST_RADIUS + 1))
    ionic = np.isin(one, IONS) & np.isin(other, NON_METALS)
    compound = np.isin(one, HEAVY_NOBLE_GASES) & np.isin(other, NOBLE_PARTNERS)
    never = ionic | (np.isin(one, NOBLE_GASES) & ~compound)
    reach = BOND_FACTOR * (covalent_radii[one] + covalent_radii[other])
    return np.where(never | never.T, 0.0, reach)


#: Longest bond of two elements in Å, by atomic numbers; 0 where they have none.
_LONGEST = _longest()


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


def longest_bond(number_i: ArrayLike, number_j: ArrayLike) -> Float[np.ndarray, " *shape"]:
    """Distance in Å below which two elements are bonded; 0 where they never are.

    Args:
        number_i: atomic numbers, of any shape.
        number_j: atomic numbers, of a shape that broadcasts with the first.

    Raises:
        StructureError: a dummy (atomic number 0) or an element without a covalent radius.
    """
    i, j = np.asarray(number_i), np.asarray(number_j)
    _check_radii(i)
    _check_radii(j)
    return _LONGEST[i, j]


def are_bonded(
    number_i: ArrayLike, number_j: ArrayLike, distance: ArrayLike
) -> bool | Bool[np.ndarray, " *shape"]:
    """Whether atoms of two elements at this distance in Å are bonded; arrays broadcast.

    Two atoms of `IONS` are taken for a metal; `bonds` sees whether there are non-metals around.

    Raises:
        StructureError: see `longest_bond`.
    """
    bonded = np.asarray(distance) < longest_bond(number_i, number_j)
    return bonded if bonded.ndim else bool(bonded)


def bonds(atoms: Atoms) -> Bonds:
    """All bonds of a structure, across periodic boundaries too.

    Raises:
        StructureError: see `longest_bond`.
    """
    if len(atoms) == 0:
        return Bonds(np.zeros((0, 2), int), np.zeros((0, 3), int), np.zeros(0))
    elements = np.unique(atoms.numbers)
    i, j, shifts, vectors = _neighbours(
        atoms, float(longest_bond(elements[:, None], elements).max())
    )
    distances = np.linalg.norm(vectors, axis=1)
    once = (i < j) | ((i == j) & _ahead(shifts))
    kept = once & are_bonded(atoms.numbers[i], atoms.numbers[j], distances)
    if np.isin(elements, NON_METALS).any():
        # the sodium atoms of rock salt are 3.99 Å apart, hardly more than in the metal
        kept &= ~(np.isin(atoms.numbers[i], IONS) & np.isin(atoms.numbers[j], IONS))
    i, j, shifts, distances = i[kept], j[kept], shifts[kept], distances[kept]
    order = np.lexsort((*shifts.T[::-1], j, i))
    return Bonds(np.column_stack([i, j])[order], shifts[order], distances[order])


def both_ways(known: Bonds) -> tuple[Int[np.ndarray, "twice 2"], Int[np.ndarray, "twice 3"]]:
    """Every bond from either end: pairs and shifts."""
    return (
        np.concatenate([known.pairs, known.pairs[:, ::-1]]),
        np.concatenate([known.shifts, -known.shifts]),
    )


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
    whole.positions += (known.images * finite[:, None]) @ atoms.cell[:]
    return whole


def hydrogen_bonds(atoms: Atoms) -> HydrogenBonds:
    """Hydrogen bonds by distance and angle; a bonded pair is none.

    Raises:
        StructureError: see `longest_bond`.
    """
    near = _hydrogens(atoms)
    rows = [row for row in _bridges(near) if not near.bonded[row[1]]]
    donors, acceptors = np.array(rows, dtype=int).reshape(-1, 2).T
    return HydrogenBonds(
        near.other[donors],
        near.hydrogen[acceptors],
        near.other[acceptors],
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
    near = _hydrogens(atoms)
    found = {}
    for rows in _bridges(near):
        ends = [(int(near.other[r]), _cell(near.shifts[r]), float(near.distances[r])) for r in rows]
        (first, one, there), (second, other, beyond) = sorted(ends)
        proton = int(near.hydrogen[rows[0]])
        found[proton, first, one, second, other] = SharedProton(
            proton, first, second, one, other, there, beyond
        )
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True)
class _NearHydrogens:
    """N, O and F around the hydrogens, within bonds or hydrogen bonds; one row for each pair, in
    ascending order of the hydrogens."""

    hydrogen: Int[np.ndarray, " pairs"]
    other: Int[np.ndarray, " pairs"]
    shifts: Int[np.ndarray, "pairs 3"]
    vectors: Float[np.ndarray, "pairs 3"]
    distances: Float[np.ndarray, " pairs"]
    bonded: Bool[np.ndarray, " pairs"]


def _hydrogens(atoms: Atoms) -> _NearHydrogens:
    _check_radii(atoms.numbers)
    i, j, shifts, vectors = _neighbours(atoms, HYDROGEN_BOND_LENGTH)
    kept = (atoms.numbers[i] == 1) & np.isin(atoms.numbers[j], HYDROGEN_BONDING)
    i, j, shifts, vectors = i[kept], j[kept], shifts[kept], vectors[kept]
    order = np.lexsort((*shifts.T[::-1], j, i))
    i, j, shifts, vectors = i[order], j[order], shifts[order], vectors[order]
    distances = np.linalg.norm(vectors, axis=1)
    bonded = are_bonded(1, atoms.numbers[j], distances)
    return _NearHydrogens(i, j, shifts, vectors, distances, np.atleast_1d(bonded))


def _bridges(near: _NearHydrogens) -> list[tuple[int, int]]:
    """Rows (held by, held or taken by) of one hydrogen; two bonds make two rows."""
    bridges = []
    for donor in np.flatnonzero(near.bonded).tolist():
        proton = near.hydrogen[donor]
        for row in range(*np.searchsorted(near.hydrogen, [proton, proton + 1]).tolist()):
            if row == donor:
                continue
            angle = _angle(near.vectors[donor], near.vectors[row])
            if near.bonded[row] or angle > HYDROGEN_BOND_ANGLE:
                bridges.append((donor, row))
    return bridges


def _neighbours(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, ...]:
    """Ordered pairs within a cutoff in Å: i, j, shifts and vectors from i to j."""
    # here, because vesin loads torch, which processes that only label do without
    from vesin import NeighborList

    if cutoff <= 0 or len(atoms) == 0:
        return np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3), int), np.zeros((0, 3))
    cell = complete_cell(atoms.cell[:] * atoms.pbc[:, None])
    search = NeighborList(cutoff=cutoff, full_list=True)
    i, j, shifts, vectors = search.compute(
        atoms.positions, cell, periodic=atoms.pbc, quantities="ijSD"
    )
    return i.astype(int), j.astype(int), shifts.astype(int), vectors


def _ahead(shifts: np.ndarray) -> np.ndarray:
    """Whether the first component that is not zero is positive: one of each shift and its minus."""
    first = (shifts != 0).argmax(1)
    return np.take_along_axis(shifts, first[:, None], axis=1)[:, 0] > 0


def _check_radii(numbers: np.ndarray) -> None:
    without = np.flatnonzero((numbers < 1) | (numbers > LAST_RADIUS))
    if len(without) == 0:
        return
    number = int(numbers.flat[without[0]])
    if number == 0:
        raise StructureError(
            f"dummies (X, atomic number 0; here {len(without)}) have no covalent radius: leave "
            "dummies and ghosts out, bonds are known between elements only"
        )
    name = chemical_symbols[number] if number in range(len(chemical_symbols)) else "no element"
    raise StructureError(
        f"atomic number {number} ({name}) has no covalent radius: they are known up to curium "
        f"({LAST_RADIUS})"
    )


def _angle(first: np.ndarray, second: np.ndarray) -> float:
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _cell(shift: np.ndarray) -> tuple[int, int, int]:
    x, y, z = shift.tolist()
    return x, y, z
