"""Who is linked to whom in a structure or over a trajectory, across periodic boundaries too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int

from interpmd.structures.coordinates.formulas import dot, norm

#: An atom and the cell in which it lies.
Place = tuple[int, tuple[int, int, int]]
#: Two atoms, and the cell of the second as seen from the first.
Link = tuple[int, int, tuple[int, int, int]]

HERE = (0, 0, 0)

#: Atomic numbers of those between which a proton is shared: N, O, F, S, Cl.
PROTON_HOLDERS = (7, 8, 9, 16, 17)


@dataclass(frozen=True)
class Molecule:
    """Atoms held together by bonds, each in the cell that puts the molecule together.

    Attributes:
        places: atoms and their cells.
        endless: whether it is bonded to its own images, as crystals and their surfaces are.
    """

    places: tuple[Place, ...]
    endless: bool


@dataclass(frozen=True)
class Graph:
    """Frames of one system, and the links that hold in any of them.

    Attributes:
        numbers: atomic numbers, shape (atoms,).
        frames: unwrapped positions in Å, shape (frames, atoms, 3).
        cells: Å, shape (frames, 3, 3).
        pbc: periodic directions.
        bonds: atoms that are bonded in any of the frames.
        shared: bonds of hydrogens that more than one electronegative atom holds, at once or in
            turn.
        hydrogen_bonds: H and acceptor, where they are never bonded.
        molecules: held together by bonds, in the order of their first atoms.
        neighbours: bonded to each atom, or joined to it by a hydrogen bond within its molecule,
            with their cells. Such a hydrogen bond closes a ring, and the proton in it may move
            over: so it has angles and torsions as bonds have.
    """

    numbers: Int[np.ndarray, " atoms"]
    frames: Float[np.ndarray, "frames atoms 3"]
    cells: Float[np.ndarray, "frames 3 3"]
    pbc: Bool[np.ndarray, " 3"]
    bonds: tuple[Link, ...]
    shared: frozenset[Link]
    hydrogen_bonds: tuple[Link, ...]
    molecules: tuple[Molecule, ...]
    neighbours: tuple[tuple[Place, ...], ...] = field(repr=False)

    def at(self, *places: Place) -> Float[np.ndarray, "places frames 3"]:
        """Positions of places in all frames."""
        atoms = [atom for atom, _ in places]
        shifts = np.array([shift for _, shift in places], dtype=float)
        x = self.frames[:, atoms].swapaxes(0, 1)
        return x + np.einsum("pc,fcx->pfx", shifts, self.cells) if shifts.any() else x

    def around(self, place: Place) -> list[Place]:
        """Neighbours of a place."""
        atom, shift = place
        return [(other, added(shift, s)) for other, s in self.neighbours[atom]]

    def largest_angle(self, a: Place, centre: Place, b: Place) -> float:
        """Over the frames, in degrees."""
        x = self.at(a, centre, b)
        u, v = x[0] - x[1], x[2] - x[1]
        cosine = (dot(u, v) / norm(u) / norm(v)).min()
        return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def graph_of(
    frames: Sequence[Atoms], bonds: Sequence[set[Link]], hydrogen_bonds: Sequence[set[Link]]
) -> Graph:
    """Links over all frames; the frames are unwrapped already."""
    numbers = frames[0].numbers
    union = frozenset().union(*bonds)
    weak = frozenset().union(*hydrogen_bonds) - union
    molecules, images = put_together(len(numbers), union)
    number = {a: m for m, molecule in enumerate(molecules) for a, _ in molecule.places}
    inside = {
        (i, j, shift)
        for i, j, shift in weak
        if number[i] == number[j] and added(shift, images[i]) == images[j]
    }
    return Graph(
        numbers=numbers.copy(),
        frames=np.stack([a.positions for a in frames]),
        cells=np.stack([np.asarray(a.cell) for a in frames]),
        pbc=np.asarray(frames[0].pbc),
        bonds=tuple(sorted(union)),
        shared=_shared(numbers, union),
        hydrogen_bonds=tuple(sorted(weak)),
        molecules=molecules,
        neighbours=_neighbours(len(numbers), union | inside),
    )


def put_together(
    count: int, links: Iterable[Link]
) -> tuple[tuple[Molecule, ...], list[tuple[int, int, int]]]:
    """What links make of atoms: connected groups, and the cell of each atom in its group."""
    neighbours = _neighbours(count, links)
    image: list = [None] * count
    found = []
    for seed in range(count):
        if image[seed] is not None:
            continue
        image[seed], waiting, members, endless = HERE, [seed], [seed], False
        while waiting:
            atom = waiting.pop()
            for other, shift in neighbours[atom]:
                there = added(shift, image[atom])
                if image[other] is None:
                    image[other] = there
                    members.append(other)
                    waiting.append(other)
                elif image[other] != there:
                    endless = True
        found.append(Molecule(tuple((a, image[a]) for a in sorted(members)), endless))
    return tuple(found), image


def unwrapped(frames: Sequence[Atoms]) -> list[Atoms]:
    """Frames in which no atom jumps across the cell from one to the next."""
    result = [frames[0].copy()]
    for frame in frames[1:]:
        moved = frame.copy()
        if moved.pbc.any():
            before = result[-1].cell.scaled_positions(result[-1].positions)
            jump = np.round(moved.cell.scaled_positions(moved.positions) - before)
            moved.positions -= (jump * moved.pbc) @ moved.cell
        result.append(moved)
    return result


def added(shift: tuple, other: tuple, sign: int = 1) -> tuple[int, int, int]:
    """Sum (or difference) of two cells."""
    return (
        int(shift[0] + sign * other[0]),
        int(shift[1] + sign * other[1]),
        int(shift[2] + sign * other[2]),
    )


def link(i: int, j: int, shift: Iterable[int]) -> Link:
    """The same link whichever atom is named first."""
    x, y, z = (int(s) for s in shift)
    there = (int(i), int(j), (x, y, z))
    back = (there[1], there[0], added(HERE, there[2], -1))
    return min(there, back)


def _shared(numbers: np.ndarray, bonds: Iterable[Link]) -> frozenset[Link]:
    holders: dict[int, set[Link]] = {}
    for i, j, shift in bonds:
        for hydrogen, other in ((i, j), (j, i)):
            if numbers[hydrogen] == 1 and numbers[other] in PROTON_HOLDERS:
                holders.setdefault(hydrogen, set()).add((i, j, shift))
    return frozenset().union(*(held for held in holders.values() if len(held) > 1))


def _neighbours(count: int, links: Iterable[Link]) -> tuple[tuple[Place, ...], ...]:
    neighbours: list[list[Place]] = [[] for _ in range(count)]
    for i, j, shift in sorted(links):
        neighbours[i].append((j, shift))
        neighbours[j].append((i, added(HERE, shift, -1)))
    return tuple(tuple(around) for around in neighbours)
