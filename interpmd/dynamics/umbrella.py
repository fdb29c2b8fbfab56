"""Umbrella sampling: a coordinate is held at many values, and the runs are joined to one curve.

Torrie and Valleau, J. Comput. Phys. 23, 187 (1977); joined by the multistate Bennett acceptance
ratio, see `observables.histograms`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.optimize import BFGS
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.asked import attached
from interpmd.dynamics.biased import Biased, Held
from interpmd.dynamics.events.coordinate import ReactionCoordinate, as_coordinate
from interpmd.dynamics.observables.free_energy import FreeEnergy, bin_of, memory_of
from interpmd.dynamics.observables.histograms import surface
from interpmd.dynamics.run import simulate
from interpmd.errors import ArgumentError, ConvergenceWarning, TrajectoryError
from interpmd.potentials.potential import Potential
from interpmd.storage import named_place
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread
from interpmd.units import with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Share of its values that a window must have in common with the next one.
OVERLAP = 0.03


@dataclass(frozen=True, eq=False)
class Umbrella:
    """Runs in which a coordinate was held.

    Attributes:
        coordinate: which.
        targets: where it was held.
        stiffness: of the springs, eV over the square of its unit.
        values: of the coordinate, of each run.
        frames: of each run.
        temperature: K.
    """

    coordinate: ReactionCoordinate
    targets: Float[np.ndarray, " windows"]
    stiffness: float
    values: tuple[Float[np.ndarray, " frames"], ...]
    frames: tuple[Sequence[Atoms], ...]
    temperature: float

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def bias(self) -> Float[np.ndarray, "windows frames"]:
        """Energy in eV of the spring of each window in the frames of all windows."""
        everywhere = np.concatenate(self.values)
        return 0.5 * self.stiffness * (everywhere - self.targets[:, None]) ** 2

    def windows(self) -> pd.DataFrame:
        """A row for each window: where it was held, mean and standard deviation of the coordinate,
        frames after which it forgets, and the share of its values that lie in the range of the
        next window."""
        shares = [_overlap(a, b) for a, b in zip(self.values, self.values[1:], strict=False)]
        return pd.DataFrame(
            {
                "target": self.targets,
                "mean": [v.mean() for v in self.values],
                "std": [v.std() for v in self.values],
                "memory": [memory_of(v, False) for v in self.values],
                "overlap": [*shares, np.nan],
            }
        ).rename_axis("window")

    def free_energy(
        self,
        *,
        bins: int = 30,
        range: tuple[float, float] | None = None,
        draws: int = 60,
        seed: int = 0,
    ) -> FreeEnergy:
        """The free energy along the coordinate, without the springs; error bars by blocks of each
        window.

        Args:
            bins: of equal width.
            range: of the bins; from the first target to the last one if None.
            draws: of the bootstrap. seed: of it.

        Raises:
            TrajectoryError: no frame inside the range.
            ArgumentError: numbers that make no sense.
        """
        arguments.count(2, bins=bins, draws=draws)
        arguments.seeds(seed=seed)
        low, high = (self.targets.min(), self.targets.max()) if range is None else range
        if not low < high:
            raise ArgumentError(f"range is a lower and a higher number, not {range}")
        edges = np.linspace(low, high, bins + 1)
        everywhere = np.concatenate(self.values)
        places = bin_of(everywhere, edges)
        if (places == bins).all():
            raise TrajectoryError(f"no frame has {self.coordinate.name} in {low:g} to {high:g}")
        lengths = [len(v) for v in self.values]
        memories = [memory_of(v, False) for v in self.values]
        found = surface(
            places[:, None], bins, self.temperature, lengths, memories, self.bias, draws, seed
        )
        independent = sum(n / m for n, m in zip(lengths, memories, strict=True))
        c = self.coordinate
        return FreeEnergy(
            0.5 * (edges[1:] + edges[:-1]),
            found.energies,
            found.stds,
            found.counts,
            with_unit(c.name, c.unit),
            self.temperature,
            float(found.counts.sum() / independent),
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """The free energy with its error bars."""
        return self.free_energy().plot(ax)

    @cached_property
    def _brief(self) -> FreeEnergy:
        return self.free_energy(draws=20)

    def __str__(self) -> str:
        return (
            f"{len(self)} windows along {self.coordinate.name}, {self.temperature:g} K, "
            f"{sum(map(len, self.values))} frames: {self._brief}"
        )

    __repr__ = __str__


@one_thread()
def umbrella(
    potential: Potential | Calculator | str,
    atoms: Structures,
    coordinate: ReactionCoordinate | Callable[[Atoms], float],
    windows: int | Sequence[float] = 12,
    *,
    temperature: float = 300.0,
    steps: int = 2000,
    equilibration: int = 500,
    timestep: float = 0.5,
    interval: int = 5,
    friction: float = 0.02,
    seed: int = 0,
    out: str | Path | None = None,
    low: float | None = None,
    middle: float | None = None,
    high: float | None = None,
    progress: bool = True,
) -> Umbrella:
    """Hold a coordinate at many values by springs, and find its free energy from all runs together.

    By themselves the springs would let the coordinate spread by half of the distance between two
    windows, so that each reaches the next one. A hill that is steeper than they are stiff leaves a
    gap, of which a warning tells.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        atoms: where to start; or a file of it.
        coordinate: see `im.shoot`. Not one that comes back to itself further than half a turn.
        windows: how many, evenly from `low` to `high` and a quarter beyond; or their values, two or
            more that ascend evenly.
        temperature: K. timestep: fs. friction: 1/fs, of the Langevin thermostat.
        steps: of each window. equilibration: steps before them.
        interval: steps between frames.
        seed: of velocities and thermostats.
        out: a folder with a trajectory for each window. The same call with the same folder goes on.
        low, middle, high: see `im.events`.
        progress: whether to show a progress bar.

    Raises:
        ArgumentError: numbers that make no sense.
        OutputError, SimulationError, TrajectorySealError: see `im.simulate`.

    Warns:
        ConvergenceWarning: two windows hardly overlap.
    """
    coordinate = as_coordinate(coordinate, low, middle, high)
    targets = _targets(windows, coordinate)
    first = one_structure(atoms)
    check_structure(first)
    arguments.masses_of(first)
    coordinate.check(first)
    arguments.positive(temperature=temperature)
    arguments.seeds(seed=seed)
    temperature = float(temperature)  # of numpy's single precision springs would be as coarse
    stiffness = 4 * units.kB * temperature / float(targets[1] - targets[0]) ** 2
    own = attached(first, potential).calc
    assert own is not None
    folder = None if out is None else named_place(out)
    # pulled one after the other, from the window nearest to the start
    begin = int(np.abs(targets - coordinate(first)).argmin())
    order = [*range(begin, len(targets)), *range(begin - 1, -1, -1)]
    moving, found, runs = first.copy(), {}, {}
    for number in tqdm(order, desc="windows", disable=not progress):
        if number == begin - 1:
            moving = found[begin].copy()
        held = Biased(own, [Held(coordinate, float(targets[number]), stiffness)])
        pulling = Biased(own, [Held(coordinate, float(targets[number]), 20 * stiffness)])
        moving.calc = pulling
        BFGS(moving, logfile=None).run(fmax=0.1, steps=60)
        moving.calc = None
        found[number] = moving.copy()
        runs[number] = simulate(
            held,
            found[number],
            "nvt",
            temperature=temperature,
            timestep=timestep,
            steps=steps,
            interval=interval,
            friction=friction,
            equilibration=equilibration,
            seed=seed + number,
            engine="ase",
            out=None if folder is None else folder / f"window-{number}.traj",
            progress=False,
        )
    frames = tuple(list(runs[number]) for number in range(len(targets)))
    values = tuple(coordinate.values(some) for some in frames)
    result = Umbrella(coordinate, targets, stiffness, values, frames, temperature)
    for number, share in enumerate(result.windows()["overlap"].iloc[:-1]):
        if share < OVERLAP:
            warnings.warn(
                f"windows {number} and {number + 1} (at {targets[number]:.3g} and "
                f"{targets[number + 1]:.3g}) hardly overlap: take more windows= or steps=",
                ConvergenceWarning,
                stacklevel=3,
            )
    return result


def _targets(windows: int | Sequence[float], c: ReactionCoordinate) -> np.ndarray:
    if isinstance(windows, int | np.integer):
        arguments.count(2, windows=windows)
        more = 0.25 * (c.high - c.low)
        return np.linspace(c.low - more, c.high + more, windows)
    targets = arguments.numbers_of(windows, "windows")
    steps = np.diff(targets) if len(targets) > 1 else np.array([-1.0])
    if steps.min() <= 0 or np.ptp(steps) > 1e-6 * steps.max():
        raise ArgumentError("windows= is a number, or two values or more that ascend evenly")
    return targets


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Smaller one of the shares of values of each that lie between the extremes of the other."""
    inside = [((a >= b.min()) & (a <= b.max())).mean() for a, b in ((one, other), (other, one))]
    return float(min(inside))
