"""Who is bonded to whom: bonds, hydrogen bonds, molecules.

Bonds: closer than 1.3 times the sum of the covalent radii (Cordero et al., Dalton Trans. 2008,
2832). Hydrogen bonds D-H...A with D and A in N, O, F: H...A below 2.5 A and an angle above 120
degrees: strong, moderate (to 2.2 A and 130 degrees) and the nearest of the weak ones of Jeffrey, An
Introduction to Hydrogen Bonding, 1997, table 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from jaxtyping import Int

BOND_FACTOR = 1.3
HYDROGEN_BOND_LENGTH, HYDROGEN_BOND_ANGLE = 2.5, 120.0
DONORS = {7, 8, 9}


Place = tuple[int, tuple[int, int, int]]
Pair = tuple[int, int, tuple[int, int, int]]


@dataclass(frozen=True)
class Chemistry:
    """Who is bonded to whom.

    Attributes:
        bonds: ordered pairs (i, j, image of j relative to i).
        hydrogen_bonds: the same for H...A and A...H.
        across: the same for atoms that share a bonded neighbour.
        fragments: number of the molecule of each atom, shape (atoms,).
        images: cell in which each atom lies when its molecule is put together, shape (atoms, 3).
        endless: numbers of the molecules that are bonded to their own images (crystals).
    """

    bonds: frozenset[Pair]
    hydrogen_bonds: frozenset[Pair]
    across: frozenset[Pair]
    fragments: Int[np.ndarray, " atoms"]
    images: Int[np.ndarray, "atoms 3"]
    endless: frozenset[int]

    def molecule(self, place: Place) -> tuple[int, tuple[int, int, int]]:
        """Which molecule an atom belongs to; images of a molecule are other molecules."""
        atom, image = place
        number = int(self.fragments[atom])
        if number in self.endless:
            return number, (0, 0, 0)
        return number, tuple(int(s - m) for s, m in zip(image, self.images[atom], strict=True))


def chemistry(atoms: Atoms) -> Chemistry:
    """Bonds, hydrogen bonds and molecules of a structure."""
    i, j, images = neighbor_list("ijS", atoms, BOND_FACTOR * covalent_radii[atoms.numbers])
    bonds = frozenset(_triple(*row) for row in zip(i, j, images, strict=True))
    bonded: list[list[Place]] = [[] for _ in atoms]
    for first, second, image in sorted(bonds):
        bonded[first].append((second, image))
    across = frozenset(
        _triple(first, second, np.subtract(there, here))
        for around in bonded
        for (first, here), (second, there) in permutations(around, 2)
    )
    return Chemistry(bonds, frozenset(_hydrogen_bonds(atoms, bonds)), across, *_molecules(bonded))


def _molecules(bonded: list[list[Place]]) -> tuple[np.ndarray, np.ndarray, frozenset[int]]:
    """Molecule and image of each atom, and the molecules that go on for ever."""
    fragments = np.full(len(bonded), -1)
    images = np.zeros((len(bonded), 3), dtype=int)
    endless = set()
    for seed in range(len(bonded)):
        if fragments[seed] >= 0:
            continue
        number = fragments.max() + 1
        fragments[seed], waiting = number, [seed]
        while waiting:
            atom = waiting.pop()
            for other, shift in bonded[atom]:
                image = images[atom] + shift
                if fragments[other] < 0:
                    fragments[other], images[other] = number, image
                    waiting.append(other)
                elif (image != images[other]).any():
                    endless.add(int(number))
    return fragments, images, frozenset(endless)


def _hydrogen_bonds(atoms: Atoms, bonds: frozenset) -> list:
    donors = [(d, h) for d, h, _ in bonds if atoms.numbers[h] == 1 and atoms.numbers[d] in DONORS]
    if not donors:
        return []
    found = []
    donor_of = {h: d for d, h in donors}
    i, j, images, vectors = neighbor_list("ijSD", atoms, HYDROGEN_BOND_LENGTH)
    for h, a, image, vector in zip(i, j, images, vectors, strict=True):
        if h not in donor_of or atoms.numbers[a] not in DONORS or _triple(h, a, image) in bonds:
            continue
        to_donor = atoms.get_distance(h, donor_of[h], mic=True, vector=True)
        cosine = vector @ to_donor / np.linalg.norm(vector) / np.linalg.norm(to_donor)
        if np.degrees(np.arccos(np.clip(cosine, -1, 1))) > HYDROGEN_BOND_ANGLE:
            found += [_triple(h, a, image), _triple(a, h, -image)]
    return found


def _triple(i, j, image) -> Pair:
    return int(i), int(j), tuple(int(s) for s in image)
