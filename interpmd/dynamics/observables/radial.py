"""Radial distribution functions of periodic structures, by freud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from interpmd import arguments
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError, TrajectoryError
from interpmd.extras import required
from interpmd.markup import markup, table
from interpmd.plots.observables import radial_lines
from interpmd.structures.files import Structures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Parts of the time from whose scatter error bars are estimated.
BLOCKS = 5


@dataclass(frozen=True, eq=False)
class RadialDistribution:
    """How often pairs of elements stand at a distance, over what chance would give.

    Attributes:
        distances: Å, middles of the bins.
        values: g(r) by pair of elements, "O-H".
        stds: standard errors from blocks in time; NaN where frames are too few.
        neighbours: of an atom of the first element, atoms of the second within each distance.
    """

    distances: Float[np.ndarray, " bins"]
    values: dict[str, Float[np.ndarray, " bins"]]
    stds: dict[str, Float[np.ndarray, " bins"]]
    neighbours: dict[str, Float[np.ndarray, " bins"]]

    def first_peak(self, pair: str) -> tuple[float, float]:
        """Distance (Å) and height of the first peak of at least 1 that is a local highest point.

        Raises:
            ArgumentError: no such pair, or no peak.
        """
        g = self._of(pair)
        inside = (g[1:-1] >= g[:-2]) & (g[1:-1] > g[2:]) & (g[1:-1] >= 1)
        if not inside.any():
            raise ArgumentError(f"{pair} has no peak within {self.distances[-1]:.1f} Å")
        place = int(np.flatnonzero(inside)[0]) + 1
        return float(self.distances[place]), float(g[place])

    def _of(self, pair: str) -> np.ndarray:
        if pair not in self.values:
            raise ArgumentError(f"there is no pair {pair!r}; there are {', '.join(self.values)}")
        return self.values[pair]

    def to_frame(self) -> pd.DataFrame:
        """g(r) of each pair; the index is the distance in Å."""
        return pd.DataFrame(self.values, pd.Index(self.distances, name="distance_A"))

    def plot(self, ax: Axes | None = None) -> Axes:
        """All pairs, with their standard errors."""
        return radial_lines(self.distances, self.values, self.stds, ax=ax)

    def __str__(self) -> str:
        words = []
        for pair in self.values:
            try:
                place, height = self.first_peak(pair)
                words.append(f"{pair} first at {place:.2f} Å ({height:.2f})")
            except ArgumentError:
                words.append(f"{pair} without a peak")
        return "radial distribution: " + ", ".join(words)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self, table(self.to_frame().iloc[::10].round(3)))


def radial_distribution(
    trajectory: Trajectory | Structures,
    pairs: str | Sequence[str] | None = None,
    *,
    bins: int = 120,
    longest: float | None = None,
) -> RadialDistribution:
    """Radial distribution functions g(r) of a periodic trajectory.

    Args:
        trajectory: frames that are periodic in all three directions; cells may change.
        pairs: of elements, as "O-H"; all if None.
        bins: of distance.
        longest: Å; half of the shortest width of any cell if None.

    Raises:
        TrajectoryError: frames that are not periodic, for which there is no density.
        ArgumentError: elements that are not there, or a distance beyond half of a cell.
        MissingPackageError: without freud.
    """
    arguments.count(2, bins=bins)
    frames, _ = frames_and_times(trajectory)
    for number, atoms in enumerate(frames):
        if not atoms.pbc.all():
            raise TrajectoryError(
                f"frame {number} is not periodic in all directions: without a density there is no "
                "g(r); for clusters count hydrogen bonds (im.hydrogen_bonds)"
            )
    freud = required("freud", "radial distribution functions")
    half = 0.5 * min(_width(atoms) for atoms in frames)
    reach = 0.999 * half if longest is None else longest
    arguments.positive(longest=reach)
    if reach >= half:
        raise ArgumentError(f"longest={longest:g} is beyond half of a cell, {half:.2f} Å")
    symbols = np.array(frames[0].get_chemical_symbols())
    known = sorted(set(symbols.tolist()))
    if pairs is None:
        pairs = [f"{a}-{b}" for a, b in combinations_with_replacement(known, 2)]
    if not len(pairs := arguments.words_of(pairs, "pairs")):
        raise ArgumentError('pairs are pairs of elements, such as ["O-O"], and none is given')
    values, stds, neighbours = {}, {}, {}
    for pair in pairs:
        ends = pair.split("-")
        if len(ends) != 2 or not set(ends) <= set(known):
            raise ArgumentError(f"no pair {pair!r}; the elements are {', '.join(known)}")
        first, second = (np.flatnonzero(symbols == end) for end in ends)
        blocks = [part for part in np.array_split(np.arange(len(frames)), BLOCKS) if len(part)]
        parts = [
            _computed(freud, [frames[k] for k in b], first, second, bins, reach) for b in blocks
        ]
        weights = np.array([len(b) for b in blocks]) / len(frames)
        values[pair] = weights @ np.array([g for g, _ in parts])
        neighbours[pair] = weights @ np.array([n for _, n in parts])
        stds[pair] = np.full(bins, np.nan)
        if len(parts) == BLOCKS:
            stds[pair] = np.std([g for g, _ in parts], axis=0, ddof=1) / np.sqrt(BLOCKS)
    edges = np.linspace(0.0, reach, bins + 1)
    return RadialDistribution(0.5 * (edges[1:] + edges[:-1]), values, stds, neighbours)


def _width(atoms: Atoms) -> float:
    """Shortest distance between two opposite faces of the cell in Å."""
    return float((1.0 / np.linalg.norm(atoms.cell.reciprocal(), axis=1)).min())


def _computed(
    freud: Any,
    frames: Sequence[Atoms],
    first: np.ndarray,
    second: np.ndarray,
    bins: int,
    reach: float,
) -> tuple[np.ndarray, np.ndarray]:
    """g(r), and neighbours within r, of some frames."""
    same = np.array_equal(first, second)
    # an atom is no neighbour of itself: of N of one element it has N - 1
    normalized = "finite_size" if same else "exact"
    counter = freud.density.RDF(bins, reach, normalization_mode=normalized)
    for number, atoms in enumerate(frames):
        box = freud.box.Box.from_matrix(atoms.cell.standard_form()[0].array.T)
        places = box.make_absolute(atoms.get_scaled_positions())
        counter.compute(
            (box, places[second]),
            query_points=None if same else places[first],
            neighbors={"r_max": reach, "exclude_ii": same},
            reset=number == 0,
        )
    return np.array(counter.rdf), np.array(counter.n_r)
