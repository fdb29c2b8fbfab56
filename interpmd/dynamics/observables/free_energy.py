"""The free energy of a coordinate, -kT ln p, from how often a trajectory visits its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from interpmd import arguments
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.observables.blocks import correlation_length
from interpmd.dynamics.observables.coordinates import CoordinateLike, values_of
from interpmd.dynamics.observables.histograms import surface
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError, TrajectoryError
from interpmd.markup import markup, table
from interpmd.plots.observables import profile
from interpmd.structures.files import Structures
from interpmd.units import with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class FreeEnergy:
    """Free energy along a coordinate, 0 at its lowest.

    Attributes:
        places: middles of the bins.
        energies: eV; NaN in bins that no frame visits.
        stds: standard deviations in eV of a block bootstrap, of the difference from the lowest
            bin; NaN where too few draws visit a bin to tell.
        counts: frames in each bin.
        axis: name and unit of the coordinate.
        temperature: K.
        correlation: frames after which the coordinate forgets, by which blocks are long.
    """

    places: Float[np.ndarray, " bins"]
    energies: Float[np.ndarray, " bins"]
    stds: Float[np.ndarray, " bins"]
    counts: Int[np.ndarray, " bins"]
    axis: str
    temperature: float
    correlation: float

    def __len__(self) -> int:
        return len(self.places)

    @property
    def independent(self) -> float:
        """How many independent values the frames are worth."""
        return float(self.counts.sum() / self.correlation)

    def to_frame(self) -> pd.DataFrame:
        """Coordinate, free energy and its error bar (eV), and frames of each bin."""
        return pd.DataFrame(
            {
                self.axis: self.places,
                "free_energy_eV": self.energies,
                "std_eV": self.stds,
                "frames": self.counts,
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The curve with its error bars, grey where no frame was."""
        return profile(
            self.places,
            self.energies,
            self.stds,
            x=self.axis,
            y=f"free energy (eV), {self.temperature:g} K",
            ax=ax,
        )

    def __str__(self) -> str:
        seen = np.isfinite(self.energies)
        lowest = float(self.places[np.nanargmin(self.energies)])
        words = f"free energy of {self.axis}: lowest at {lowest:.4g}"
        if (top := _inner_top(self.energies)) is not None:
            bar = f" ± {self.stds[top]:.3f}" if np.isfinite(self.stds[top]) else ""
            words += f", top of {self.energies[top]:.3f}{bar} eV at {self.places[top]:.4g}"
        return (
            f"{words}; {seen.sum()} of {len(self)} bins visited, {self.independent:.0f} "
            "independent values"
        )

    def __repr__(self) -> str:
        return f"{self}\n{self.to_frame().round(4)}"

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self, table(self.to_frame().round(4)))


def free_energy(
    trajectory: Trajectory | Structures,
    coordinate: CoordinateLike,
    temperature: float,
    *,
    bins: int = 36,
    range: tuple[float, float] | None = None,
    bias: Sequence[float] | None = None,
    draws: int = 200,
    seed: int = 0,
) -> FreeEnergy:
    """The free energy along a coordinate at the temperature of a trajectory, with error bars.

    Error bars come from a bootstrap over blocks twice as long as the coordinate remembers. They
    know nothing of values that the trajectory never reached.

    Args:
        trajectory: frames at equilibrium.
        coordinate: two atoms (distance), three (angle), four (dihedral), a function of a structure,
            or a number for each frame.
        temperature: K.
        bins: of equal width; of a dihedral from -180 to 180 degrees.
        range: of the bins; what the frames reach if None.
        bias: eV, an energy that was added to the potential in each frame, as the `bias(frames)` of
            `im.lowered` tells it; frames are weighted so that it does not matter.
        draws: of the bootstrap.
        seed: of its random numbers.

    Raises:
        TrajectoryError: fewer than ten frames, or none inside the range.
        ArgumentError: numbers that make no sense; a coordinate that does not fit.
        StructureError: no such atoms.

    Example:
        >>> import numpy as np, interpmd as im
        >>> from ase.build import molecule
        >>> frames = [molecule("H2O")] * 2000
        >>> x = np.random.default_rng(0).normal(size=2000)  # F = kT x²/2
        >>> found = im.free_energy(frames, x, temperature=300.0, bins=9, range=(-2.25, 2.25))
        >>> bool(abs(found.energies[6] - 0.02585 / 2) < 4 * found.stds[6])
        True
    """
    arguments.positive(temperature=temperature)
    arguments.count(2, bins=bins, draws=draws)
    arguments.seeds(seed=seed)
    frames, _ = frames_and_times(trajectory)
    if len(frames) < 10:
        raise TrajectoryError(f"a free energy needs ten frames or more, not {len(frames)}")
    values, name, unit = values_of(frames, coordinate)
    dihedral = name.startswith("dihedral") and unit == "°"
    if range is None:
        range = (-180.0, 180.0) if dihedral else (float(values.min()), float(values.max()))
        if not range[0] < range[1]:
            raise TrajectoryError(
                f"{name} is {range[0]:g} in all frames: there is no curve along it"
            )
    low, high = arguments.interval_of(range, "range")
    edges = np.linspace(low, high, bins + 1)
    memory = memory_of(values, dihedral)
    place = bin_of(values, edges)
    if (place == bins).all():
        raise TrajectoryError(f"no frame has {name} between {low:g} and {high:g}")
    added = None if bias is None else bias_of(bias, len(values))[None]
    found = surface(place[:, None], bins, temperature, [len(values)], [memory], added, draws, seed)
    middles = 0.5 * (edges[1:] + edges[:-1])
    axis = with_unit(name, unit)
    return FreeEnergy(middles, found.energies, found.stds, found.counts, axis, temperature, memory)


def memory_of(values: Float[np.ndarray, " frames"], circle: bool) -> float:
    """Frames after which a coordinate forgets; of angles on a circle, which has no ends, it is the
    direction that is remembered."""
    if not circle:
        return correlation_length(values)
    turned = np.radians(values)
    return max(correlation_length(np.sin(turned)), correlation_length(np.cos(turned)))


def bin_of(
    values: Float[np.ndarray, " frames"], edges: Float[np.ndarray, " edges"]
) -> Int[np.ndarray, " frames"]:
    """The bin of each value; the number of bins where it lies in none."""
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    return np.where((values < edges[0]) | (values > edges[-1]), bins, place)


def bias_of(bias: Sequence[float], frames: int) -> Float[np.ndarray, " frames"]:
    """The bias of each frame in eV.

    Raises:
        ArgumentError: another number of them than of frames, or values that are not finite.
    """
    found = arguments.numbers_of(bias, "bias")
    if len(found) != frames:
        raise ArgumentError(
            f"bias= is one energy in eV for each of the {frames} frames, not {len(found)} numbers"
        )
    return found


def _inner_top(energies: Float[np.ndarray, " bins"]) -> int | None:
    """The highest bin between two lower ones; None where the curve has none."""
    inside = [
        k
        for k in np.arange(1, len(energies) - 1)
        if energies[k] >= energies[k - 1] and energies[k] > energies[k + 1]
    ]
    return int(max(inside, key=lambda k: energies[k])) if inside else None
