"""Which pairs of atoms are bonded: those closer than 1.3 times the sum of their covalent radii.

Radii: Cordero et al., Dalton Trans. 2008, 2832, as `ase.data.covalent_radii` holds them. With this
factor O-H bonds reach to 1.26 Å, C-C to 1.98 Å, Si-Si to 2.89 Å: past the bonds that thermal
motion stretches, short of atoms that share a neighbour (2.1 Å and more between carbon atoms).

What follows from the rule, and what is excepted from it:

- **A shared proton is bonded to both of its neighbours.** At the jump of a proton, O-H 1.20 and
  1.24 Å, both are bonds and the atoms around are one molecule. Hydrogen may have several partners,
  as in the bridges of diborane.
- **No hydrogen is left over.** Between oxygen atoms 2.6 Å apart or more a jumping proton is beyond
  1.26 Å from both. So hydrogen keeps its nearest partner out to 1.6 times the sum of the radii
  (O-H 1.55 Å), and with it any other that is less than 1.1 times as far, both measured by their
  sums of radii.
- **Alkali metals, calcium, strontium, barium and radium are ions beside non-metals.** Na-O in
  water (2.4 Å) is closer than 1.3 times the sum of the radii, yet no bond: sodium in water is a
  molecule of its own. Without any non-metal (sodium, alloys) they are bonded as metals are.
- **Noble gases have no bonds**, but for krypton, xenon and radon with oxygen and fluorine.
- **Dummies have no covalent radius** and are refused.

In a metal every atom is bonded to its neighbours, and the crystal is one molecule. Where the rule
errs: it bonds the bridgeheads of bicyclo[1.1.1]pentane (1.87 Å) and the iodine atoms of CI4
(3.51 Å), which no chemist does.
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

#: The same for the nearest partner of a hydrogen, and how much farther others may be.
NEAREST_FACTOR, SHARED_FACTOR = 1.6, 1.1

#: Elements that are ions beside `NON_METALS`: Li, Na, K, Rb, Cs, Fr; Ca, Sr, Ba, Ra.
IONS = (3, 11, 19, 37, 55, 87, 20, 38, 56, 88)
NON_METALS = (1, 5, 6, 7, 8, 9, 15, 16, 17, 34, 35, 53, 85)

NOBLE_GASES = (2, 10, 18, 36, 54, 86)
#: Noble gases with stable compounds, and their partners in them.
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
class ClosePairs:
    """Pairs of atoms that are near each other, each from either end.

    Attributes:
        first, second: the atoms, shape (pairs,) each.
        shifts: cell in which the second atom lies as seen from the first, shape (pairs, 3).
        vectors: from the first to the second in Å, shape (pairs, 3).
        distances: in Å, shape (pairs,).
        bonded: whether the two are bonded, shape (pairs,).
    """

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    shifts: Int[np.ndarray, "pairs 3"]
    vectors: Float[np.ndarray, "pairs 3"]
    distances: Float[np.ndarray, " pairs"]
    bonded: Bool[np.ndarray, " pairs"]

    def __len__(self) -> int:
        return len(self.distances)

    def where(self, kept: Bool[np.ndarray, " pairs"]) -> ClosePairs:
        """Some of the pairs, ascending by first atom, second atom and shift."""
        rows = np.flatnonzero(kept)
        rows = rows[np.lexsort((*self.shifts[rows].T[::-1], self.second[rows], self.first[rows]))]
        return ClosePairs(
            self.first[rows],
            self.second[rows],
            self.shifts[rows],
            self.vectors[rows],
            self.distances[rows],
            self.bonded[rows],
        )


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

    What is around them is not known here: two atoms of `IONS` are taken for a metal, and hydrogen
    for one that has a nearer partner. `close_pairs` looks at the structure.

    Raises:
        StructureError: see `longest_bond`.
    """
    bonded = np.asarray(distance) < longest_bond(number_i, number_j)
    return bonded if bonded.ndim else bool(bonded)


def close_pairs(atoms: Atoms, reach: float = 0.0) -> ClosePairs:
    """All bonds, and whatever else is within `reach` in Å, across periodic boundaries too.

    Raises:
        StructureError: see `longest_bond`.
    """
    elements = np.unique(atoms.numbers)
    longest = longest_bond(elements[:, None], elements)
    longest[elements == 1] *= NEAREST_FACTOR / BOND_FACTOR
    i, j, shifts, vectors = _neighbours(atoms, max(reach, float(longest.max(initial=0.0))))
    distances = np.linalg.norm(vectors, axis=1)
    bonded = _bonded(atoms.numbers, i, j, distances)
    return ClosePairs(i, j, shifts, vectors, distances, bonded)


def _bonded(
    numbers: np.ndarray, i: np.ndarray, j: np.ndarray, distances: np.ndarray
) -> Bool[np.ndarray, " pairs"]:
    """Which of all pairs of a structure, each from either end, are bonded."""
    longest = longest_bond(numbers[i], numbers[j])
    parts = np.divide(distances, longest, out=np.full(len(i), np.inf), where=longest > 0)
    nearest = np.full(len(numbers), np.inf)
    np.minimum.at(nearest, i, parts)
    keeps = (numbers == 1) & (nearest < NEAREST_FACTOR / BOND_FACTOR)
    shared = np.where(keeps, SHARED_FACTOR * nearest, 0.0)
    bonded = (parts < 1) | (parts < shared[i]) | (parts < shared[j])
    if np.isin(numbers, NON_METALS).any():
        # the sodium atoms of rock salt are 3.99 Å apart, hardly more than in the metal
        bonded &= ~(np.isin(numbers[i], IONS) & np.isin(numbers[j], IONS))
    return bonded


def _neighbours(atoms: Atoms, cutoff: float) -> tuple[np.ndarray, ...]:
    """Ordered pairs within a cutoff in Å: i, j, shifts and vectors from i to j."""
    # here, because vesin loads torch, which processes that only label do without
    from vesin import NeighborList

    if cutoff <= 0 or len(atoms) == 0:
        return np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3), int), np.zeros((0, 3))
    cell = complete_cell(np.asarray(atoms.cell) * atoms.pbc[:, None])
    search = NeighborList(cutoff=cutoff, full_list=True)
    i, j, shifts, vectors = search.compute(
        atoms.positions, cell, periodic=atoms.pbc, quantities="ijSD"
    )
    return i.astype(int), j.astype(int), shifts.astype(int), vectors


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
