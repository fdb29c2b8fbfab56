"""What an event is, and the events of one run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from jaxtyping import Float

from interpmd.dynamics.events.coordinate import ReactionCoordinate
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ReactionError
from interpmd.markup import markup, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Event:
    """A passage from one state to the other, with what came before and after.

    Attributes:
        atoms: the molecule, without positions of its own.
        times: fs, of the frames, 0 where the coordinate first crosses its middle.
        positions: Å, shape (frames, atoms, 3).
        velocities: Å/fs, shape (frames, atoms, 3), None where the frames have none.
        forces: eV/Å, shape (frames, atoms, 3), None where the frames have none.
        energies: potential energies in eV, shape (frames,), None where the frames have none.
        values: of the coordinate, shape (frames,).
        forward: whether it goes from the first state to the second.
        left: time in fs at which the old state was left for good.
        entered: time at which the new state was entered.
        crossings: times at which the coordinate passed its middle, between those two.
        weight: with which it counts in means.
        origin: number of the shot, or frame of the trajectory at which it crosses.
    """

    atoms: Atoms
    times: Float[np.ndarray, " frames"]
    positions: Float[np.ndarray, "frames atoms 3"]
    velocities: Float[np.ndarray, "frames atoms 3"] | None
    forces: Float[np.ndarray, "frames atoms 3"] | None
    energies: Float[np.ndarray, " frames"] | None
    values: Float[np.ndarray, " frames"]
    forward: bool
    left: float
    entered: float
    crossings: tuple[float, ...]
    weight: float = 1.0
    origin: int = 0

    def __len__(self) -> int:
        return len(self.times)

    @property
    def recrossings(self) -> int:
        """How often it turned back over the middle before it arrived."""
        return len(self.crossings) - 1

    @property
    def crossing(self) -> int:
        """The frame nearest to the first crossing."""
        return int(np.abs(self.times).argmin())

    def frame(self, number: int) -> Atoms:
        """A frame as ASE knows it, with velocities, energy and forces where there are any."""
        atoms = self.atoms.copy()
        atoms.positions = self.positions[number]
        if self.velocities is not None:
            atoms.set_velocities(self.velocities[number] / units.fs)
        if self.forces is not None and self.energies is not None:
            results = {"energy": float(self.energies[number]), "forces": self.forces[number]}
            atoms.calc = SinglePointCalculator(atoms, **results)
        return atoms

    def frames(self) -> list[Atoms]:
        """All frames as ASE knows them."""
        return [self.frame(number) for number in range(len(self))]

    @property
    def trajectory(self) -> Trajectory:
        """The event as a trajectory, whose times begin below 0."""
        return Trajectory(self.frames(), self.times)

    def part(self, start: float, stop: float) -> Event:
        """The frames between two times in fs, both included."""
        keep = (self.times >= start - 1e-9) & (self.times <= stop + 1e-9)
        arrays = {
            name: None if (array := getattr(self, name)) is None else array[keep]
            for name in ("times", "positions", "velocities", "forces", "energies", "values")
        }
        return replace(self, **arrays)

    def reversed(self) -> Event:
        """The same in the other direction of time, which happens as often."""
        last = self.crossings[-1]

        def back(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[::-1]

        return replace(
            self,
            times=last - self.times[::-1],
            positions=self.positions[::-1],
            velocities=None if self.velocities is None else -self.velocities[::-1],
            forces=back(self.forces),
            energies=back(self.energies),
            values=self.values[::-1],
            forward=not self.forward,
            left=last - self.entered,
            entered=last - self.left,
            crossings=tuple(last - time for time in self.crossings[::-1]),
        )


@dataclass(frozen=True, eq=False)
class Events(Sequence[Event]):
    """The events of a trajectory, or those that shots made.

    Attributes:
        events: one after the other.
        coordinate: which was watched.
        tried: a row for each shot, or for each attempt in a trajectory that came back before it
            reached the other state; see `im.shoot` and `im.events`.
        settings: how they were made.
        total_time: fs that were looked through.
    """

    events: tuple[Event, ...]
    coordinate: ReactionCoordinate
    tried: pd.DataFrame
    settings: dict[str, Any] = field(default_factory=dict)
    total_time: float = 0.0

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return replace(self, events=self.events[index])
        return self.events[index]

    @property
    def forward(self) -> Events:
        """Those from the first state to the second."""
        return replace(self, events=tuple(e for e in self if e.forward))

    @property
    def backward(self) -> Events:
        """Those from the second state to the first."""
        return replace(self, events=tuple(e for e in self if not e.forward))

    def one_way(self) -> Events:
        """All in the direction of the first state to the second, the others reversed in time.

        A path at constant energy and its reverse are equally probable.

        Raises:
            ReactionError: an event of a trajectory, of which that need not hold.
        """
        if self.settings.get("made_by") != "shoot":
            raise ReactionError(
                "only events that were shot at constant energy may be reversed in time; take "
                ".forward and .backward one after the other"
            )
        return replace(self, events=tuple(e if e.forward else e.reversed() for e in self))

    def to_frame(self) -> pd.DataFrame:
        """A row for each event: direction, times of leaving and arriving, recrossings, weight."""
        return pd.DataFrame(
            {
                "origin": [e.origin for e in self],
                "direction": ["forward" if e.forward else "backward" for e in self],
                "left_fs": [e.left for e in self],
                "entered_fs": [e.entered for e in self],
                "passage_fs": [e.entered - e.left for e in self],
                "recrossings": [e.recrossings for e in self],
                "weight": [e.weight for e in self],
            }
        ).rename_axis("event")

    def plot(self, most: int = 100, ax: Axes | None = None) -> Axes:
        """The coordinate of the first `most` events against time."""
        from interpmd.plots.events import passages

        c = self.coordinate
        return passages(
            [(e.times, e.values, e.forward) for e in self.events],
            (c.low, c.middle, c.high),
            f"{c.name} ({c.unit})" if c.unit else c.name,
            most,
            ax,
        )

    def __str__(self) -> str:
        forward = sum(e.forward for e in self)
        again = sum(e.recrossings > 0 for e in self)
        return (
            f"{len(self)} events of {self.coordinate.name} ({forward} forward, "
            f"{len(self) - forward} backward), {again} with recrossings, from {len(self.tried)} "
            + ("shots" if self.settings.get("made_by") == "shoot" else "attempts that came back")
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>{}", self, table(self.to_frame().head(12).round(2)))
