"""Power spectra: at which wave numbers atoms, or a coordinate, move.

Of velocities: the density of the kinetic energy over wave numbers, by Welch's method (windows of
Hann that overlap by half; IEEE Trans. Audio Electroacoust. 15, 70, 1967), from scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import units
from jaxtyping import Float
from scipy.signal import find_peaks, get_window, welch

from interpmd import arguments
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.observables.coordinates import CoordinateLike, values_of
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import TrajectoryError
from interpmd.markup import markup, table
from interpmd.plots.observables import spectrum_line
from interpmd.structures.files import Structures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Wave number in 1/cm of one oscillation in a fs.
PER_FS = 1e15 / (100 * units._c)


@dataclass(frozen=True, eq=False)
class PowerSpectrum:
    """How motion is spread over wave numbers.

    Attributes:
        wave_numbers: 1/cm.
        density: part of the whole in a wave number, in cm; its integral is 1.
        stds: standard errors over the windows; NaN where there are fewer than two.
        of: what moves.
        resolution: width in 1/cm below which lines are not told apart.
    """

    wave_numbers: Float[np.ndarray, " points"]
    density: Float[np.ndarray, " points"]
    stds: Float[np.ndarray, " points"]
    of: str
    resolution: float

    def peaks(self, most: int = 8) -> pd.Series:
        """Wave numbers (1/cm) of the highest peaks, as the index, and their heights in cm."""
        places, _ = find_peaks(self.density, height=0.01 * self.density.max())
        ranked = places[np.argsort(-self.density[places], kind="stable")][:most]
        index = pd.Index(self.wave_numbers[ranked].round(1), name="wave_number_1/cm")
        return pd.Series(self.density[ranked], index, name="density_cm")

    def part(self, low: float, high: float) -> float:
        """Part of the whole between two wave numbers in 1/cm."""
        inside = (self.wave_numbers >= low) & (self.wave_numbers <= high)
        return float(self.density[inside].sum() * (self.wave_numbers[1] - self.wave_numbers[0]))

    def to_frame(self) -> pd.DataFrame:
        """Wave number (1/cm), density and its standard error (cm)."""
        return pd.DataFrame(
            {
                "wave_number_1/cm": self.wave_numbers,
                "density_cm": self.density,
                "std_cm": self.stds,
            }
        )

    def plot(self, highest: float = 4000.0, ax: Axes | None = None) -> Axes:
        """The density up to a wave number in 1/cm, with its standard error."""
        shown = self.wave_numbers <= highest
        return spectrum_line(
            self.wave_numbers[shown],
            self.density[shown],
            self.stds[shown],
            title=f"power spectrum of {self.of}",
            ax=ax,
        )

    def __str__(self) -> str:
        lines = ", ".join(f"{number:.0f}" for number in self.peaks(4).index)
        return (
            f"power spectrum of {self.of}: strongest at {lines} cm⁻¹ (resolution "
            f"{self.resolution:.0f} cm⁻¹)"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = table(self.peaks().to_frame().reset_index().round(6))
        return markup("<p><b>{}</b></p>{}", self, rows)


def power_spectrum(
    trajectory: Trajectory | Structures,
    of: CoordinateLike | None = None,
    *,
    atoms: Sequence[int] | None = None,
    windows: int = 4,
    times: Sequence[float] | None = None,
) -> PowerSpectrum:
    """The power spectrum of the velocities of atoms, or of a coordinate.

    Args:
        trajectory: frames evenly spaced in time, with velocities unless a coordinate is given; at
            least two in a period of the fastest vibration (5 fs or less with hydrogen).
        of: a coordinate instead of the velocities; see `free_energy`.
        atoms: whose velocities; all if None. Each counts by its mass: kinetic energies.
        windows: parts of the time, that overlap by half; more make less noise and wider lines.
        times: fs, of plain frames.

    Raises:
        TrajectoryError: fewer than 16 frames, frames unevenly spaced or without velocities.
        ArgumentError: numbers that make no sense; a coordinate that does not fit.
    """
    arguments.count(windows=windows)
    frames, moments = frames_and_times(trajectory, times)
    timed = times is not None or hasattr(trajectory, "times")
    if not (timed or all("time_fs" in frame.info for frame in frames)):
        raise TrajectoryError("plain frames have no times; pass times=[...] in fs")
    steps = np.diff(moments)
    if len(frames) > 2 and not np.isclose(steps[-1], steps[0], rtol=1e-6):
        frames, steps = frames[:-1], steps[:-1]  # the last frame of a run may come sooner
    if len(frames) < 16:
        raise TrajectoryError(f"a spectrum needs 16 frames or more, not {len(frames)}")
    if not np.allclose(steps, steps[0], rtol=1e-6) or steps[0] <= 0:
        raise TrajectoryError("a spectrum needs frames evenly spaced in time")
    if of is not None:
        values, name, _ = values_of(frames, of)
        signals = (values - values.mean())[None]
    else:
        missing = [k for k, frame in enumerate(frames) if not frame.has("momenta")]
        if missing:
            raise TrajectoryError(
                f"frame {missing[0]} has no velocities; record them (im.simulate does), or give a "
                "coordinate (of=)"
            )
        every = range(len(frames[0]))
        chosen = list(every if atoms is None else arguments.atoms_of(atoms, "atoms"))
        if max(chosen, default=0) >= len(every):
            raise TrajectoryError(f"there is no atom {max(chosen)}: the frames have {len(every)}")
        symbols = frames[0].get_chemical_symbols()
        name = "all atoms" if atoms is None else ", ".join(f"{symbols[a]}{a}" for a in chosen)
        velocities = np.stack([frame.get_velocities()[chosen].ravel() for frame in frames])
        signals = velocities.T * np.repeat(frames[0].get_masses()[chosen], 3)[:, None] ** 0.5
    size = max(8, 2 * len(frames) // (windows + 1))
    rate = PER_FS / float(steps[0])
    numbers, _ = welch(signals[0], rate, "hann", size, size // 2, detrend="constant")
    each = np.stack(
        [
            welch(signals[:, start : start + size], rate, "hann", size, 0, detrend="constant")[1]
            for start in range(0, len(frames) - size + 1, max(1, size // 2))
        ]
    ).sum(1)
    width = numbers[1] - numbers[0]
    whole = each.mean(0).sum() * width
    if not whole > 0:
        raise TrajectoryError(f"{name} does not move, so that it has no spectrum")
    stds = np.full(len(numbers), np.nan)
    if len(each) > 1:
        stds = each.std(0, ddof=1) / np.sqrt(len(each)) / whole
    window = np.asarray(get_window("hann", size), dtype=float)
    noise = float((window**2).sum() / window.sum() ** 2 * rate)
    return PowerSpectrum(numbers, each.mean(0) / whole, stds, name, noise)
