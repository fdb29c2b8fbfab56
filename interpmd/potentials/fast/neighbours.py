"""Who is near whom, in numba: molecules and cells of any shape and size.

Atoms are sorted into boxes along the cell vectors (of a molecule: of the box around it). An
atom's neighbours lie in the boxes within one cutoff of its own, periodic images included; where a
cell is thinner than the cutoff, one box is visited several times with different shifts.
"""

from __future__ import annotations

import math

import numpy as np
from ase.geometry import complete_cell
from jaxtyping import Bool, Float, Int
from numba import njit

from interpmd.potentials.fast.call import OPTIONS

#: Most boxes along an axis of a molecule.
MOST_BOXES = 64


def search(
    positions: Float[np.ndarray, "atoms 3"],
    cell: Float[np.ndarray, "3 3"],
    pbc: Bool[np.ndarray, " directions"],
    cutoff: float,
) -> tuple[Int[np.ndarray, " atoms+1"], Int[np.ndarray, " edges"], Float[np.ndarray, "edges 3"]]:
    """First edge of each atom, neighbour of each edge, and the vectors to it in A."""
    periodic = bool(pbc.any())
    if periodic:
        cell = complete_cell(cell * pbc[:, None])
        inverse = np.linalg.inv(cell)
        scaled = positions @ inverse
        widths = 1 / np.sqrt((inverse**2).sum(0))
        turns = np.floor(scaled) * pbc
        low = np.where(pbc, 0.0, scaled.min(0))
        spread = np.where(pbc, 1.0, scaled.max(0) - low)
        boxes = np.clip((spread * widths / cutoff).astype(np.int64), 1, MOST_BOXES)
        reach = np.ceil(cutoff * boxes / np.maximum(spread * widths, 1e-9)).astype(np.int64)
        reach = np.where(pbc, reach, np.minimum(reach, boxes))
        place = (scaled - turns - low) / np.maximum(spread, 1e-9) * boxes
        box = np.clip(place.astype(np.int64), 0, boxes - 1)
    else:
        low = positions.min(0)
        spread = positions.max(0) - low
        boxes = np.clip((spread / cutoff).astype(np.int64), 1, MOST_BOXES)
        reach = np.minimum(boxes - 1, 1)
        box = np.clip(((positions - low) / np.maximum(spread, 1e-9) * boxes), 0, boxes - 1)
        box, turns = box.astype(np.int64), np.zeros((1, 3))
    guess = len(positions) * min(len(positions) - 1, 64) + 16
    arguments = (np.ascontiguousarray(cell, dtype=float), pbc, cutoff, boxes, reach, box, turns)
    while True:
        neighbour, vectors = np.empty(guess, np.int64), np.empty((guess, 3))
        first = _search(positions, *arguments, periodic, neighbour, vectors)
        if first[-1] <= guess:
            return first, neighbour[: first[-1]], vectors[: first[-1]]
        guess = int(first[-1])


def too_thin(
    cell: Float[np.ndarray, "3 3"], pbc: Bool[np.ndarray, " directions"], least: float
) -> bool:
    """Whether a periodic cell is thinner than `least` (A) along one of its periodic directions."""
    if not pbc.any():
        return False
    inverse = np.linalg.inv(complete_cell(cell * pbc[:, None]))
    return bool((1 / np.sqrt((inverse**2).sum(0)) < least)[pbc].any())


@njit(**OPTIONS)
def _search(positions, cell, pbc, cutoff, boxes, reach, box, turns, periodic, neighbour, vectors):
    """First edge of each atom; fills the edges as far as there is room."""
    n, room = len(positions), len(neighbour)
    begin = np.zeros(boxes[0] * boxes[1] * boxes[2] + 1, np.int64)
    for i in range(n):
        begin[(box[i, 0] * boxes[1] + box[i, 1]) * boxes[2] + box[i, 2] + 1] += 1
    for b in range(len(begin) - 1):
        begin[b + 1] += begin[b]
    fill, members = begin[:-1].copy(), np.empty(n, np.int64)
    for i in range(n):
        b = (box[i, 0] * boxes[1] + box[i, 1]) * boxes[2] + box[i, 2]
        members[fill[b]] = i
        fill[b] += 1
    first, count = np.zeros(n + 1, np.int64), 0
    square, image = cutoff * cutoff, np.zeros(3)
    for i in range(n):
        for a in range(box[i, 0] - reach[0], box[i, 0] + reach[0] + 1):
            shift_a = math.floor(a / boxes[0])
            if shift_a != 0 and not pbc[0]:
                continue
            for b in range(box[i, 1] - reach[1], box[i, 1] + reach[1] + 1):
                shift_b = math.floor(b / boxes[1])
                if shift_b != 0 and not pbc[1]:
                    continue
                for c in range(box[i, 2] - reach[2], box[i, 2] + reach[2] + 1):
                    shift_c = math.floor(c / boxes[2])
                    if shift_c != 0 and not pbc[2]:
                        continue
                    row = (a - shift_a * boxes[0]) * boxes[1] + b - shift_b * boxes[1]
                    at = row * boxes[2] + c - shift_c * boxes[2]
                    for q in range(begin[at], begin[at + 1]):
                        j = members[q]
                        if j == i and shift_a == 0 and shift_b == 0 and shift_c == 0:
                            continue
                        x = positions[j, 0] - positions[i, 0]
                        y = positions[j, 1] - positions[i, 1]
                        z = positions[j, 2] - positions[i, 2]
                        if periodic:
                            for axis in range(3):
                                image[axis] = turns[i, axis] - turns[j, axis]
                            image[0] += shift_a
                            image[1] += shift_b
                            image[2] += shift_c
                            x += (
                                image[0] * cell[0, 0]
                                + image[1] * cell[1, 0]
                                + image[2] * cell[2, 0]
                            )
                            y += (
                                image[0] * cell[0, 1]
                                + image[1] * cell[1, 1]
                                + image[2] * cell[2, 1]
                            )
                            z += (
                                image[0] * cell[0, 2]
                                + image[1] * cell[1, 2]
                                + image[2] * cell[2, 2]
                            )
                        if x * x + y * y + z * z < square:
                            if count < room:
                                neighbour[count] = j
                                vectors[count, 0], vectors[count, 1], vectors[count, 2] = x, y, z
                            count += 1
        first[i + 1] = count
    return first


@njit(**OPTIONS)
def closest(vectors):
    """The shortest distance (infinite where there is none)."""
    least = np.inf
    for e in range(len(vectors)):
        x, y, z = vectors[e, 0], vectors[e, 1], vectors[e, 2]
        least = min(least, x * x + y * y + z * z)
    return math.sqrt(least)


@njit(**OPTIONS)
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
