"""Who is near whom, in numba: molecules and cells of any shape and size.

Atoms are sorted into boxes along the cell vectors (of a molecule: along x, y and z of the space
that it fills). An atom's neighbours lie in the boxes within one cutoff of its own, periodic images
included; where a cell is thinner than the cutoff, one box is visited several times, each time
with another shift.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from ase.geometry import complete_cell
from jaxtyping import Bool, Float, Int

from interpmd.potentials.fast.call import careful_kernel, kernel
from interpmd.structures.edges import Neighbours, edge_vectors
from interpmd.structures.systems import Batch

#: Most boxes along an axis.
MOST_BOXES = 64

#: Axes of the boxes of molecules.
CARTESIAN = np.eye(3)


@dataclass(frozen=True)
class Sites:
    """What the kernels see: sites and the vectors to their neighbours, as numpy arrays.

    Attributes:
        vectors: from site to neighbour in A, shape (edges, 3).
        first: first edge of each site, and the number of edges, shape (sites + 1,).
        centre: atomic number of each site. other: that of each neighbour.
    """

    vectors: Float[np.ndarray, "edges 3"]
    first: Int[np.ndarray, " sites+1"]
    centre: Int[np.ndarray, " sites"]
    other: Int[np.ndarray, " edges"]

    @cached_property
    def widest(self) -> int:
        """Most edges of a site."""
        return _widest(self.first)


@dataclass(frozen=True)
class Edges:
    """Who is near whom in one or several structures.

    Attributes:
        first: first edge of each atom, shape (atoms + 1,). neighbour: atom where each ends.
        vectors: A, shape (edges, 3).
    """

    first: Int[np.ndarray, " atoms+1"]
    neighbour: Int[np.ndarray, " edges"]
    vectors: Float[np.ndarray, "edges 3"]

    def sites(self, numbers: Int[np.ndarray, " atoms"]) -> Sites:
        """As the kernels see them."""
        return Sites(self.vectors, self.first, numbers, numbers[self.neighbour])

    def forces(
        self,
        structure: Int[np.ndarray, " atoms"],
        slopes: Float[np.ndarray, "edges 3"],
        n_structures: int,
    ) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "structures 3 3"]]:
        """Forces in eV/A and virials in eV from slopes by the edge vectors."""
        forces = np.zeros((len(structure), 3))
        virials = np.zeros((n_structures, 3, 3))
        add_forces(self.vectors, self.first, self.neighbour, structure, slopes, forces, virials)
        return forces, virials


def given_edges(batch: Batch, pairs: Neighbours) -> Edges:
    """Neighbours that are known already."""
    counts = np.bincount(pairs.centre.numpy(), minlength=batch.n_atoms)
    vectors = edge_vectors(batch, pairs).detach().numpy()
    return Edges(np.concatenate([[0], np.cumsum(counts)]), pairs.neighbour.numpy(), vectors)


def periodic(pbc: Bool[np.ndarray, " directions"]) -> bool:
    """Whether any direction is: of three numbers numpy asks ten times as long."""
    return True in pbc.tolist()


def search(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    pbc: Bool[np.ndarray, " directions"],
    cutoff: float,
) -> tuple[Edges, float]:
    """Neighbours in one structure, and the shortest distance in A (infinite if there is none)."""
    axes = inverse = CARTESIAN
    if periodic(pbc):
        axes = np.ascontiguousarray(complete_cell(cell * pbc[:, None]))
        inverse = np.linalg.inv(axes)
    guess = len(positions) * min(len(positions) - 1, 100) + 16
    while True:
        neighbour, vectors = np.empty(guess, np.int64), np.empty((guess, 3))
        first, least = _search(positions, axes, inverse, pbc, cutoff, neighbour, vectors)
        count = int(first[-1])
        if count <= guess:
            return Edges(first, neighbour[:count], vectors[:count]), math.sqrt(least)
        guess = count


def too_thin(
    cell: Float[np.ndarray, "3 3"], pbc: Bool[np.ndarray, " directions"], least: float
) -> bool:
    """Whether a periodic cell is thinner than `least` (A) along one of its periodic directions."""
    inverse = np.linalg.inv(complete_cell(cell * pbc[:, None]))
    return bool((1 / np.sqrt((inverse**2).sum(0)) < least)[pbc].any())


@kernel
def _search(positions, axes, inverse, pbc, cutoff, neighbour, vectors):
    """First edge of each atom and the square of the shortest; fills the edges as far as there is
    room."""
    n, room = len(positions), len(neighbour)
    boxes, reach, box, turns = _boxes(positions, inverse, pbc, cutoff)
    begin, members = _sort(box, boxes)
    first, count = np.zeros(n + 1, np.int64), 0
    square, least = cutoff * cutoff, 1e300
    home = positions.copy()  # in the cell; of a molecule where they are
    for i in range(n):
        for a in range(3):
            for b in range(3):
                home[i, b] -= turns[i, a] * axes[a, b]
    for i in range(n):
        for a in range(box[i, 0] - reach[0], box[i, 0] + reach[0] + 1):
            shift_a = a // boxes[0]
            if shift_a != 0 and not pbc[0]:
                continue
            for b in range(box[i, 1] - reach[1], box[i, 1] + reach[1] + 1):
                shift_b = b // boxes[1]
                if shift_b != 0 and not pbc[1]:
                    continue
                for c in range(box[i, 2] - reach[2], box[i, 2] + reach[2] + 1):
                    shift_c = c // boxes[2]
                    if shift_c != 0 and not pbc[2]:
                        continue
                    row = (a - shift_a * boxes[0]) * boxes[1] + b - shift_b * boxes[1]
                    at = row * boxes[2] + c - shift_c * boxes[2]
                    here = shift_a == 0 and shift_b == 0 and shift_c == 0
                    u = shift_a * axes[0, 0] + shift_b * axes[1, 0] + shift_c * axes[2, 0]
                    v = shift_a * axes[0, 1] + shift_b * axes[1, 1] + shift_c * axes[2, 1]
                    w = shift_a * axes[0, 2] + shift_b * axes[1, 2] + shift_c * axes[2, 2]
                    u, v, w = u - home[i, 0], v - home[i, 1], w - home[i, 2]
                    for q in range(begin[at], begin[at + 1]):
                        j = members[q]
                        x, y, z = home[j, 0] + u, home[j, 1] + v, home[j, 2] + w
                        itself = here and i == j
                        distance = x * x + y * y + z * z
                        if distance < square and not itself:
                            least = min(least, distance)
                            if count < room:
                                neighbour[count] = j
                                vectors[count, 0] = x
                                vectors[count, 1] = y
                                vectors[count, 2] = z
                            count += 1
        first[i + 1] = count
    return first, least


@kernel
def _boxes(positions, inverse, pbc, cutoff):
    """Number of boxes by axis, how many on each side are in reach, the box of each atom, and how
    many cells away from the first it is."""
    n = len(positions)
    boxes, reach = np.ones(3, np.int64), np.zeros(3, np.int64)
    box, turns = np.zeros((n, 3), np.int64), np.zeros((n, 3), np.int64)
    place = np.empty(n)
    for axis in range(3):
        width = 1 / math.sqrt((inverse[:, axis] ** 2).sum())
        for i in range(n):
            place[i] = (
                positions[i, 0] * inverse[0, axis]
                + positions[i, 1] * inverse[1, axis]
                + positions[i, 2] * inverse[2, axis]
            )
        low, length = 0.0, 1.0
        if pbc[axis]:
            for i in range(n):
                turns[i, axis] = math.floor(place[i])
                place[i] -= turns[i, axis]
        else:
            low = place.min()
            length = max(place.max() - low, 1e-9)
        boxes[axis] = min(max(int(length * width / cutoff), 1), MOST_BOXES)
        reach[axis] = math.ceil(cutoff * boxes[axis] / (length * width))
        if not pbc[axis]:
            reach[axis] = min(reach[axis], boxes[axis] - 1)
        for i in range(n):
            number = int((place[i] - low) / length * boxes[axis])
            box[i, axis] = min(max(number, 0), boxes[axis] - 1)
    return boxes, reach, box, turns


@kernel
def _sort(box, boxes):
    """Atoms by box: where each box begins among the members, and the members."""
    n = len(box)
    begin = np.zeros(boxes[0] * boxes[1] * boxes[2] + 1, np.int64)
    at = (box[:, 0] * boxes[1] + box[:, 1]) * boxes[2] + box[:, 2]
    for i in range(n):
        begin[at[i] + 1] += 1
    for b in range(len(begin) - 1):
        begin[b + 1] += begin[b]
    fill, members = begin[:-1].copy(), np.empty(n, np.int64)
    for i in range(n):
        members[fill[at[i]]] = i
        fill[at[i]] += 1
    return begin, members


@kernel
def _widest(first):
    """Most edges of a site."""
    most = 0
    for i in range(len(first) - 1):
        most = max(most, first[i + 1] - first[i])
    return most


@careful_kernel
def all_usable(positions, numbers, known):
    """Whether there are atoms, all of them of known elements and at finite positions.

    Fast arithmetic would take it for granted that numbers are finite.
    """
    for i in range(len(numbers)):
        if not 0 < numbers[i] < len(known) or not known[numbers[i]]:
            return False
        for a in range(3):
            if not np.isfinite(positions[i, a]):
                return False
    return len(numbers) > 0


@kernel
def closest(vectors):
    """The shortest distance (infinite where there is none)."""
    least = 1e300
    for e in range(len(vectors)):
        x, y, z = vectors[e, 0], vectors[e, 1], vectors[e, 2]
        least = min(least, x * x + y * y + z * z)
    return math.sqrt(least)


@kernel
def add_forces(vectors, first, neighbour, structure, slopes, forces, virials):
    """Forces on atoms and virials of structures from slopes by the edge vectors."""
    for i in range(len(first) - 1):
        for e in range(first[i], first[i + 1]):
            j = neighbour[e]
            for a in range(3):
                forces[i, a] += slopes[e, a]
                forces[j, a] -= slopes[e, a]
                for b in range(3):
                    virials[structure[i], a, b] += vectors[e, a] * slopes[e, b]
