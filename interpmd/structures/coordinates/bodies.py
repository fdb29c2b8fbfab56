"""Molecules as bodies: where they are, how they are turned, and coordinates between two of them.

As in the translation-rotation internal coordinates of Wang and Song (J. Chem. Phys. 144, 214108,
2016) a molecule has a centroid and the rotation that lays its reference shape best on it. Theirs
are against the laboratory; here they are taken between two molecules, so that the forces of every
coordinate sum to zero and exert no torque: the *distance* of the centroids, the *tilt* of a
molecule (cosines between its three axes and the line to the other one), and the *turn* of one
molecule against the other (cosines between their axes). Three cosines of a tilt and nine of a turn,
with one stiffness, are together the two and three angles that they stand for, whichever axes are
chosen, and never lose their direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from interpmd.structures.coordinates.formulas import cross, dot
from interpmd.structures.coordinates.graph import Graph, Link, Molecule

#: Å. Shorter than this, the line between two centroids loses its direction and fades.
SHORTEST_LINE = 0.5

#: Molecules whose second moment along their second axis is below this share of the first are rods,
#: without a rotation about themselves.
ROD = 0.05


@dataclass(frozen=True)
class Bodies:
    """Molecules that have coordinates against others.

    Attributes:
        atoms: of the first body, of the second, ..., shape (members,).
        shifts: cells that put the molecules together, shape (members, 3).
        body: body of each member, ascending, shape (members,).
        shape: reference positions less the centroid, along the principal axes, in Å, shape
            (members, 3); of rods only the first component.
        axes: how many axes a body has: 0 (an atom), 1 (a rod) or 3, shape (bodies,).
    """

    atoms: Int[np.ndarray, " members"]
    shifts: Int[np.ndarray, "members 3"]
    body: Int[np.ndarray, " members"]
    shape: Float[np.ndarray, "members 3"]
    axes: Int[np.ndarray, " bodies"]

    @property
    def first(self) -> Int[np.ndarray, " bodies"]:
        """First member of each body."""
        return np.searchsorted(self.body, np.arange(len(self.axes)))

    @property
    def sizes(self) -> Int[np.ndarray, " bodies"]:
        """Atoms of each body."""
        return np.bincount(self.body, minlength=len(self.axes))

    @property
    def square_radius(self) -> Float[np.ndarray, " bodies"]:
        """Mean square distance of the atoms from the centroid in Å², shape (bodies,)."""
        squares = np.bincount(self.body, dot(self.shape, self.shape), minlength=len(self.axes))
        return squares / self.sizes


@dataclass(frozen=True)
class Placed:
    """Bodies in a frame.

    Attributes:
        centroids: Å, shape (bodies, 3).
        axes: axis k of body b is axes[b, :, k], shape (bodies, 3, 3).
        lever: turns a torque into the rotation vector that carries it, shape (bodies, 3, 3).
        arms: reference positions turned with the body, shape (members, 3).
    """

    centroids: Float[np.ndarray, "bodies 3"]
    axes: Float[np.ndarray, "bodies 3 3"]
    lever: Float[np.ndarray, "bodies 3 3"]
    arms: Float[np.ndarray, "members 3"]


def bodies_of(graph: Graph, molecules: Sequence[Molecule]) -> Bodies:
    """Molecules with the shapes that they have in the first frame."""
    atoms, shifts, body, shapes, axes = [], [], [], [], []
    for number, molecule in enumerate(molecules):
        x = graph.at(*molecule.places)
        x = x - x.mean(axis=0)
        moments = np.linalg.eigvalsh(np.einsum("afi,afj->fij", x, x))
        rod = (moments[:, 1] < ROD * np.maximum(moments[:, 2], 1e-9)).any()
        axes.append(0 if len(x) == 1 else 1 if rod else 3)
        shape = x[:, 0] @ np.linalg.eigh(x[:, 0].T @ x[:, 0])[1][:, ::-1]
        if axes[-1] < 3:
            shape[:, 1:] = 0.0
        shapes.append(shape)
        atoms += [a for a, _ in molecule.places]
        shifts += [s for _, s in molecule.places]
        body += [number] * len(x)
    return Bodies(
        np.array(atoms, dtype=int),
        np.array(shifts, dtype=int).reshape(-1, 3),
        np.array(body, dtype=int),
        np.concatenate(shapes) if shapes else np.zeros((0, 3)),
        np.array(axes, dtype=int),
    )


def place(bodies: Bodies, positions: np.ndarray, cell: np.ndarray) -> Placed:
    """Centroids and orientations of bodies in a frame.

    The rotation R is that of Kabsch (Acta Cryst. A 32, 922, 1976): it maximises the sum of
    x . R y over the atoms, x the positions and y the reference. When x changes by dx, R changes by
    the rotation vector M^-1 sum (R y) x dx with M = sum (R y . x) 1 - (R y) x^T, which is how the
    condition of the maximum, sum (R y) x x = 0, stays fulfilled.
    """
    x = positions[bodies.atoms] + bodies.shifts @ cell
    first = bodies.first
    centroids = np.add.reduceat(x, first) / bodies.sizes[:, None]
    x = x - centroids[bodies.body]
    moments = np.add.reduceat(x[:, :, None] * bodies.shape[:, None, :], first)
    left, _, right = np.linalg.svd(moments)
    left[:, :, 2] *= np.linalg.det(left @ right)[:, None]
    axes = left @ right
    arms = np.einsum("mij,mj->mi", axes[bodies.body], bodies.shape)

    mixed = axes @ moments.transpose(0, 2, 1)
    inertia = np.trace(mixed, axis1=1, axis2=2)[:, None, None] * np.eye(3) - mixed
    rods = bodies.axes == 1
    inertia[bodies.axes == 0] = np.eye(3)
    along = axes[rods, :, 0]
    # no coordinate turns a rod about itself, nor an atom: any number does there
    inertia[rods] += along[:, :, None] * along[:, None, :]
    return Placed(centroids, axes, np.linalg.inv(inertia), arms)


@dataclass(frozen=True)
class BodyPairs:
    """Coordinates between bodies, and which of their members they move.

    Attributes:
        pairs: first and second body, shape (pairs, 2).
        shifts: cell of the second body as seen from the first, shape (pairs, 3).
        tilts: pair, which of the two tilts, and axis, shape (tilts, 3).
        turns: pair, axis of the first, axis of the second, shape (turns, 3).
    """

    pairs: Int[np.ndarray, "pairs 2"]
    shifts: Int[np.ndarray, "pairs 3"]
    tilts: Int[np.ndarray, "tilts 3"]
    turns: Int[np.ndarray, "turns 3"]


def pairs_of(bodies: Bodies, links: Sequence[Link]) -> BodyPairs:
    """All coordinates of pairs of bodies."""
    pairs = np.array([link[:2] for link in links], dtype=int).reshape(-1, 2)
    shifts = np.array([link[2] for link in links], dtype=int).reshape(-1, 3)
    tilts = [
        (p, side, axis)
        for p, pair in enumerate(pairs)
        for side, body in enumerate(pair)
        for axis in range(bodies.axes[body])
    ]
    turns = [
        (p, k, l)
        for p, (one, other) in enumerate(pairs)
        for k in range(bodies.axes[one])
        for l in range(bodies.axes[other])
    ]
    return BodyPairs(pairs, shifts, _table(tilts), _table(turns))


def between(
    bodies: Bodies, table: BodyPairs, positions: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Distances, tilts and turns, one after the other.

    Returns:
        values: shape (coordinates,), distances in Å, else cosines.
        derivatives: number of the coordinate, atom and derivative of entries that add up, shapes
            (entries,), (entries,) and (entries, 3).
    """
    if len(table.pairs) == 0:
        return np.zeros(0), (np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)))
    placed = place(bodies, positions, cell)
    one, other = table.pairs.T
    line = placed.centroids[other] + table.shifts @ cell - placed.centroids[one]
    square = dot(line, line)
    length = np.sqrt(square)
    faded = np.sqrt(square + SHORTEST_LINE**2)[:, None]
    direction = line / faded

    pair, side, axis = table.tilts.T
    sign = np.where(side == 0, 1.0, -1.0)[:, None]
    tilting = table.pairs[pair, side]
    axes, lines = placed.axes[tilting, :, axis], sign * direction[pair]
    tilts = dot(axes, lines)
    tilt_turn = cross(axes, lines)
    tilt_line = sign * (axes - tilts[:, None] * lines) / faded[pair]

    turn_pair, k, l = table.turns.T
    first, second = table.pairs[turn_pair].T
    axes_1, axes_2 = placed.axes[first, :, k], placed.axes[second, :, l]
    turns = dot(axes_1, axes_2)
    turn_turn = cross(axes_1, axes_2)

    count, ends = len(pair), len(length) + len(pair)
    unit = line / np.maximum(length, 1e-9)[:, None]
    by_line = np.concatenate([unit, tilt_line])
    numbers = np.concatenate([np.arange(len(length)), len(length) + np.arange(count)])
    of_pair = np.concatenate([np.arange(len(length)), pair])
    entries = [
        _shifted(bodies, numbers, table.pairs[of_pair, 0], -by_line),
        _shifted(bodies, numbers, table.pairs[of_pair, 1], by_line),
        _turned(bodies, placed, len(length) + np.arange(count), tilting, tilt_turn),
        _turned(bodies, placed, ends + np.arange(len(turn_pair)), first, turn_turn),
        _turned(bodies, placed, ends + np.arange(len(turn_pair)), second, -turn_turn),
    ]
    numbers, atoms, values = (np.concatenate(parts) for parts in zip(*entries, strict=True))
    return np.concatenate([length, tilts, turns]), (numbers, atoms, values)


def _shifted(bodies, numbers, which, by_centroid):
    """Entries of coordinates that depend on the centroid of a body."""
    entry, member = members(bodies, which)
    share = by_centroid / bodies.sizes[which][:, None]
    return numbers[entry], bodies.atoms[member], share[entry]


def _turned(bodies, placed, numbers, which, by_rotation):
    """Entries of coordinates that depend on the rotation of a body."""
    entry, member = members(bodies, which)
    spin = np.einsum("nij,nj->ni", placed.lever[which], by_rotation)
    return numbers[entry], bodies.atoms[member], cross(spin[entry], placed.arms[member])


def members(
    bodies: Bodies, which: Int[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " entries"], Int[np.ndarray, " entries"]]:
    """Each of n bodies once for every member that it has, and these members."""
    sizes = bodies.sizes[which]
    entry = np.repeat(np.arange(len(which)), sizes)
    inside = np.arange(len(entry)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return entry, bodies.first[which][entry] + inside


def _table(rows: list[tuple[int, int, int]]) -> np.ndarray:
    return np.array(rows, dtype=int).reshape(-1, 3)
