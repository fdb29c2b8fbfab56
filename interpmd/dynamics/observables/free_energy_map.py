"""The free energy of two coordinates, with error bars by blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from interpmd import arguments
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.observables.coordinates import CoordinateLike, values_of
from interpmd.dynamics.observables.free_energy import bias_of, bin_of, memory_of
from interpmd.dynamics.observables.histograms import surface
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError, TrajectoryError
from interpmd.plots.maps import energy_map
from interpmd.structures.files import Structures
from interpmd.units import with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class FreeEnergyMap:
    """Free energy over two coordinates, 0 at its lowest.

    Attributes:
        first, second: middles of the bins.
        energies: eV, shape (first, second); NaN in bins that no frame visits.
        stds: standard deviations in eV of a block bootstrap, of the difference from the lowest
            bin; NaN where too few draws visit a bin to tell.
        counts: frames in each bin.
        axes: names and units.
        temperature: K.
        correlation: frames after which the slower coordinate forgets.
    """

    first: Float[np.ndarray, " first"]
    second: Float[np.ndarray, " second"]
    energies: Float[np.ndarray, "first second"]
    stds: Float[np.ndarray, "first second"]
    counts: Int[np.ndarray, "first second"]
    axes: tuple[str, str]
    temperature: float
    correlation: float

    @property
    def lowest(self) -> tuple[float, float]:
        """Both coordinates of the lowest bin."""
        one, other = np.unravel_index(np.nanargmin(self.energies), self.energies.shape)
        return float(self.first[one]), float(self.second[other])

    def to_frame(self) -> pd.DataFrame:
        """A row for each bin that was visited."""
        one, other = np.nonzero(self.counts)
        return pd.DataFrame(
            {
                self.axes[0]: self.first[one],
                self.axes[1]: self.second[other],
                "free_energy_eV": self.energies[one, other],
                "std_eV": self.stds[one, other],
                "frames": self.counts[one, other],
            }
        )

    def plot(self, what: str = "energy", ax: Axes | None = None) -> Axes:
        """A map; white where no frame was.

        Args:
            what: "energy", or "std" for its error bars.
            ax: where to draw.

        Raises:
            ArgumentError: another word for `what`.
        """
        arguments.one_of(("energy", "std"), what=what)
        values, word = (
            (self.energies, "free energy (eV)")
            if what == "energy"
            else (self.stds, "standard deviation (eV)")
        )
        return energy_map(
            self.first,
            self.second,
            values.T,
            labels=self.axes,
            quantity=word,
            title=f"{self.temperature:g} K",
            ax=ax,
        )

    def __str__(self) -> str:
        one, other = self.lowest
        seen = self.counts > 0
        return (
            f"free energy of {self.axes[0]} and {self.axes[1]}: lowest at {one:.4g}, {other:.4g}; "
            f"{seen.sum()} of {seen.size} bins visited, median error bar "
            f"{np.nanmedian(self.stds[seen]):.3f} eV, "
            f"{self.counts.sum() / self.correlation:.0f} independent values"
        )

    __repr__ = __str__


def free_energy_map(
    trajectory: Trajectory | Structures,
    coordinates: tuple[CoordinateLike, CoordinateLike],
    temperature: float,
    *,
    bins: int = 24,
    ranges: tuple[tuple[float, float] | None, tuple[float, float] | None] = (None, None),
    bias: Sequence[float] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> FreeEnergyMap:
    """The free energy over two coordinates at the temperature of a trajectory, with error bars.

    Args:
        trajectory: frames at equilibrium.
        coordinates: two, each as in `im.free_energy`.
        temperature: K.
        bins: of equal width along each; of a dihedral from -180 to 180 degrees.
        ranges: of the bins along each; what the frames reach where None.
        bias: eV, see `im.free_energy`.
        draws: of the bootstrap over blocks as long as the slower coordinate remembers, twice.
        seed: of its random numbers.

    Raises:
        TrajectoryError: fewer than ten frames, or none inside the ranges.
        ArgumentError: numbers that make no sense; a coordinate that does not fit.
        StructureError: no such atoms.
    """
    arguments.positive(temperature=temperature)
    arguments.count(2, bins=bins, draws=draws)
    arguments.seeds(seed=seed)
    if not all(isinstance(two, Sequence) and len(two) == 2 for two in (coordinates, ranges)):
        raise ArgumentError("a map has two coordinates, and two ranges if any")
    frames, _ = frames_and_times(trajectory)
    if len(frames) < 10:
        raise TrajectoryError(f"a free energy needs ten frames or more, not {len(frames)}")
    places, middles, names, memories = [], [], [], []
    for coordinate, given in zip(coordinates, ranges, strict=True):
        values, name, unit = values_of(frames, coordinate)
        circle = name.startswith("dihedral") and unit == "°"
        limits = (-180.0, 180.0) if circle else (float(values.min()), float(values.max()))
        if given is None and not limits[0] < limits[1]:
            raise TrajectoryError(
                f"{name} is {limits[0]:g} in all frames: there is no map along it"
            )
        low, high = arguments.interval_of(limits if given is None else given, "ranges")
        edges = np.linspace(low, high, bins + 1)
        places.append(bin_of(values, edges))
        middles.append(0.5 * (edges[1:] + edges[:-1]))
        names.append(with_unit(name, unit))
        memories.append(memory_of(values, circle))
    one, other = places
    inside = (one < bins) & (other < bins)
    if not inside.any():
        raise TrajectoryError("no frame lies inside the ranges of both coordinates")
    place = np.where(inside, one * bins + other, bins**2)
    added = None if bias is None else bias_of(bias, len(frames))[None]
    memory = max(memories)
    found = surface(
        place[:, None], bins**2, temperature, [len(frames)], [memory], added, draws, seed
    )
    shape = (bins, bins)
    return FreeEnergyMap(
        middles[0],
        middles[1],
        found.energies.reshape(shape),
        found.stds.reshape(shape),
        found.counts.reshape(shape),
        (names[0], names[1]),
        temperature,
        memory,
    )
