"""Dimers and trimers that the doctor looks at: on a grid, and as they stand in data."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list as neighbour_list
from jaxtyping import Float, Int

from interpmd.trust.diagnosis import PHYSICAL

#: Where the default grids begin, in units of the sum of the covalent radii.
CLOSEST = 0.6

#: Distances of dimers; distances of each side of trimers, and angles between the sides in degrees.
DIMER_DISTANCES, TRIMER_DISTANCES = 36, 6
ANGLES = (40.0, 60.0, 90.0, 120.0, 150.0, 180.0)

#: Trimers of each combination of elements that are drawn from data, out of how many frames.
DRAWN, DRAWN_FROM = 60, 60

#: Atomic numbers of each geometry, 0 in the third place of dimers.
Numbers = Int[np.ndarray, "geometries 3"]

#: Distances in Å between atoms 0–1, 0–2 and 1–2, NaN where there is no third atom.
Sides = Float[np.ndarray, "geometries 3"]


def on_a_grid(
    elements: Sequence[int],
    cutoff: float,
    distances: Float[np.ndarray, " distances"] | None,
    angles: Float[np.ndarray, " angles"],
) -> tuple[Numbers, Sides]:
    """All dimers and trimers of some elements on a grid.

    Args:
        elements: atomic numbers.
        cutoff: Å; grids end there.
        distances: Å, of the dimers; the trimers take `TRIMER_DISTANCES` of them. If None, from
            `CLOSEST` times the sum of the covalent radii on, closer together where energies vary
            faster.
        angles: degrees, of the trimers.
    """
    numbers, sides = [], []
    for a, b in itertools.combinations_with_replacement(elements, 2):
        for r in _grid(a, b, cutoff, DIMER_DISTANCES, distances):
            numbers.append((a, b, 0))
            sides.append((r, np.nan, np.nan))
    for apex in elements:
        for b, c in itertools.combinations_with_replacement(elements, 2):
            grids = [_grid(apex, z, cutoff, TRIMER_DISTANCES, distances) for z in (b, c)]
            for first, second, angle in itertools.product(*grids, angles):
                if b == c and first > second:
                    continue
                cosine = np.cos(np.deg2rad(angle))
                third = np.sqrt(first**2 + second**2 - 2 * first * second * cosine)
                if third < CLOSEST * (covalent_radii[b] + covalent_radii[c]):
                    continue
                numbers.append((apex, b, c))
                sides.append((first, second, third))
    return np.array(numbers), np.array(sides)


def with_drawn(
    numbers: Numbers, sides: Sides, frames: Sequence[Atoms], cutoff: float, seed: int
) -> tuple[Numbers, Sides]:
    """The given geometries and trimers of neighbours as they stand in some of the frames."""
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[int, ...], list[tuple[float, ...]]] = {}
    for index in rng.permutation(len(frames))[:DRAWN_FROM]:
        atoms = frames[index]
        centre, vectors = neighbour_list("iD", atoms, 0.9 * cutoff)
        ends = atoms.numbers[neighbour_list("j", atoms, 0.9 * cutoff)]
        corners = [
            pair
            for site in range(len(atoms))
            for pair in itertools.combinations(np.flatnonzero(centre == site), 2)
        ]
        for corner in rng.permutation(np.array(corners).reshape(-1, 2)):
            a, b = sorted(corner, key=lambda edge: ends[edge])
            first, second = np.linalg.norm(vectors[[a, b]], axis=1)
            third = np.linalg.norm(vectors[a] - vectors[b])
            if third < max(first, second):
                continue  # seen from the corner between its two shortest sides
            key = (int(atoms.numbers[centre[a]]), int(ends[a]), int(ends[b]))
            trimers = drawn.setdefault(key, [])
            if len(trimers) < DRAWN:
                trimers.append((first, second, third))
    if not drawn:
        return numbers, sides
    return (
        np.concatenate([numbers, [key for key in drawn for _ in drawn[key]]]),
        np.concatenate([sides, [trimer for many in drawn.values() for trimer in many]]),
    )


def angles_of(sides: Sides) -> Float[np.ndarray, " geometries"]:
    """Angle in degrees between the first two sides; NaN for dimers."""
    first, second, third = sides.T
    cosine = (first**2 + second**2 - third**2) / (2 * first * second)
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).round(4)


def closeness(numbers: Numbers, sides: Sides) -> Float[np.ndarray, " geometries"]:
    """Smallest distance of each geometry in units of the sum of the covalent radii."""
    radii = covalent_radii[numbers]
    sums = np.stack([radii[:, a] + radii[:, b] for a, b in ((0, 1), (0, 2), (1, 2))], 1)
    return np.nanmin(sides / sums, axis=1)


def _grid(a: int, b: int, cutoff: float, count: int, given: np.ndarray | None) -> np.ndarray:
    """Distances, closer together where energies vary faster."""
    if given is not None:
        if count >= len(given) or count == DIMER_DISTANCES:
            return given
        return given[np.unique(np.linspace(0, len(given) - 1, count).round().astype(int))]
    closest = CLOSEST if count == DIMER_DISTANCES else PHYSICAL + 0.05
    contact = closest * (covalent_radii[a] + covalent_radii[b])
    # a triplet with a side at the cutoff is zero by construction and says nothing
    last = cutoff if count == DIMER_DISTANCES else 0.9 * cutoff
    return contact + (last - contact) * np.linspace(0, 1, count) ** 1.4
