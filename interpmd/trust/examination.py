"""Which interactions of a fitted potential do the training data determine, and which not?

The energy of dense structures leaves the split among pairs, triplets, ... open: two fits of equal
force error can disagree about a pair by half an electronvolt. The posterior knows it. The doctor
looks at every pair and triplet of elements by itself, as an isolated dimer or trimer, where rows
are differences of energies:

    pair row     E(AB) − E(A) − E(B)
    triplet row  E(ABC) − E(AB) − E(AC) − E(BC) + E(A) + E(B) + E(C)

and reports the standard deviation of each under the posterior. `interpmd.cure` labels what is
poorly determined and fits again.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.neighborlist import neighbor_list as neighbour_list
from jaxtyping import Float, Int

from interpmd.attribution.models import as_model
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.decomposition.few_atoms import few_atom_rows
from interpmd.errors import ArgumentError, InterpmdError
from interpmd.keywords import renamed
from interpmd.potentials.potential import Potential
from interpmd.potentials.shelf import load_potential
from interpmd.structures.files import read_frames
from interpmd.structures.seen import SeenDistances
from interpmd.structures.systems import CLOSEST_APPROACH, check_elements
from interpmd.trust.closed_parts import closed_parts
from interpmd.trust.diagnosis import PHYSICAL, Diagnosis

#: Where the default grids begin, in units of the sum of the covalent radii.
CLOSEST = 0.6

#: Distances of dimers; distances of each side of trimers, and angles between the sides in degrees.
DIMER_DISTANCES, TRIMER_DISTANCES = 36, 6
ANGLES = (40.0, 60.0, 90.0, 120.0, 150.0, 180.0)

#: Trimers of each combination of elements that are drawn from data, out of how many frames.
DRAWN, DRAWN_FROM = 60, 60


@renamed(data="train")
def doctor(
    potential: Potential | str | Path,
    train: str | Path | Iterable[Atoms] | None = None,
    distances: Sequence[float] | None = None,
    angles: Sequence[float] | None = None,
    threshold: float = 0.05,
    seed: int = 0,
) -> Diagnosis:
    """Which pairs and triplets of elements the training data determine, and at which geometries.

    The standard deviations are those of the potential's posterior: they say what the data leave
    open within the form of the potential, not how wrong that form is. Far from the data (a pair of
    oxygen atoms at a bond's length in a potential of water) the error can be several times larger;
    that a row is not determined is certain, that it is determined is not.

    Args:
        potential: fitted, with posterior samples; or the name or folder of one.
        train: training frames, to count how often each distance occurs in them, and to look also
            at trimers as they stand in them and at closed-shell parts of their molecules.
        distances: of the dimers in Å; the trimers take `TRIMER_DISTANCES` of them. If None, from
            `CLOSEST` times the sum of the covalent radii to the cutoff.
        angles: of the trimers in degrees, `ANGLES` if None; an empty list for pairs only.
        threshold: eV; a row is determined where its standard deviation is below.
        seed: of the trimers that are drawn from `train`.

    Raises:
        InterpmdError: the potential has no posterior.
        UnknownElementError: `train` holds elements that the potential does not know.
        ValueError: distances, angles or a threshold that make no sense.
    """
    if not isinstance(potential, Potential):
        potential = load_potential(potential)
    if not potential.n_samples:
        raise InterpmdError(
            "the potential has no posterior samples, so nothing says what its data determine; "
            "fit one with interpmd.fit"
        )
    if not threshold > 0:
        raise ArgumentError(f"threshold is a standard deviation in eV above 0, not {threshold}")
    frames = None if train is None else read_frames(train)
    for atoms in frames or ():
        check_elements(torch.as_tensor(atoms.numbers), potential.elements, "the potential")
    angles = _checked(ANGLES if angles is None else angles, "angles", 0.0, 180.0)
    if distances is not None:
        distances = _checked(distances, "distances", CLOSEST_APPROACH, np.inf)
        if not len(distances):
            raise ArgumentError("give at least one distance, or None for the default grid")
    numbers, sides = _geometries(potential, distances, angles)
    on_grid = len(numbers)
    if frames is not None and len(angles):
        numbers, sides = _with_drawn(numbers, sides, frames, potential.cutoff, seed)
    # alternating sums of energies lose digits; the samples are stored in single precision
    energies, samples = few_atom_rows(copy.deepcopy(potential).double(), numbers, sides)
    spread = standard_deviation(samples)
    table = pd.DataFrame(
        {
            "elements": [_name(z) for z in numbers],
            "order": np.where(numbers[:, 2] == 0, 2, 3),
            "r1_A": sides[:, 0],
            "r2_A": sides[:, 1],
            "angle_deg": _angles(sides),
            "energy_eV": energies,
            "std_eV": spread,
            "determined": spread < threshold,
            "physical": (_closeness(numbers, sides) >= PHYSICAL),
        }
    )
    if frames is not None:
        table["in_data"] = SeenDistances.of(frames, potential.cutoff).rarest(numbers, sides)
        table["drawn"] = np.arange(len(table)) >= on_grid
    parts, grades = _graded(potential, frames or [], seed)
    return Diagnosis(
        table, numbers, sides, samples, float(threshold), potential.card.level, parts, grades
    )


def _graded(
    potential: Potential, frames: Sequence[Atoms], seed: int
) -> tuple[list[Atoms], Float[np.ndarray, " parts"]]:
    """Closed-shell parts of the frames that the potential can evaluate, and their grades."""
    known = set(potential.elements)
    parts = [part for part in closed_parts(frames, seed) if known.issuperset(part.numbers.tolist())]
    drawn = as_model(potential).posterior(parts) if parts else None
    return parts, np.zeros(len(parts)) if drawn is None else drawn.grades


def _checked(values: Sequence[float], name: str, low: float, high: float) -> np.ndarray:
    ascending = np.unique(np.asarray(values, dtype=float).reshape(-1))
    inside = (ascending > low) & (ascending <= high)
    if not (np.isfinite(ascending) & inside).all():
        raise ArgumentError(f"{name} lie above {low:g}{f' and up to {high:g}' * (high < np.inf)}")
    return ascending


def _name(numbers: Int[np.ndarray, " 3"]) -> str:
    """Symbols with the first atom, the one at the angle, in the middle of a triplet."""
    apex, first, second = (chemical_symbols[z] for z in numbers)
    return f"{first}-{apex}-{second}" if numbers[2] else f"{apex}-{first}"


def _geometries(
    potential: Potential, distances: np.ndarray | None, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers and sides of all dimers and trimers of the grid."""
    numbers, sides = [], []
    for a, b in itertools.combinations_with_replacement(potential.elements, 2):
        for r in _grid(a, b, potential.cutoff, DIMER_DISTANCES, distances):
            numbers.append((a, b, 0))
            sides.append((r, np.nan, np.nan))
    for apex in potential.elements:
        for b, c in itertools.combinations_with_replacement(potential.elements, 2):
            grids = [_grid(apex, z, potential.cutoff, TRIMER_DISTANCES, distances) for z in (b, c)]
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


def _with_drawn(
    numbers: np.ndarray, sides: np.ndarray, frames: Sequence[Atoms], cutoff: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The grid and trimers of neighbours as they stand in some of the frames."""
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


def _angles(sides: np.ndarray) -> Float[np.ndarray, " geometries"]:
    """Angle in degrees between the first two sides; NaN for dimers."""
    first, second, third = sides.T
    cosine = (first**2 + second**2 - third**2) / (2 * first * second)
    return np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).round(4)


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


def _closeness(numbers: np.ndarray, sides: np.ndarray) -> Float[np.ndarray, " geometries"]:
    """Smallest distance of each geometry in units of the sum of the covalent radii."""
    radii = covalent_radii[numbers]
    sums = np.stack([radii[:, a] + radii[:, b] for a, b in ((0, 1), (0, 2), (1, 2))], 1)
    return np.nanmin(sides / sums, axis=1)
