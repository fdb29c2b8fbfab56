"""Hydrogen bonds in time: which there are in which frames, how often, and how long they live.

A hydrogen bond is what it is everywhere in interpmd (`structures.chemistry.hydrogen_bonds`). Its
lifetime is the integral of the probability that a bond that is there at one time is still there, or
there again, later (Luzar and Chandler, Nature 379, 55, 1996), from MDAnalysis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import TrajectoryError
from interpmd.extras import required
from interpmd.markup import markup, table
from interpmd.plots.observables import barcode
from interpmd.structures import chemistry
from interpmd.structures.files import Structures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class HydrogenBondsInTime:
    """Which hydrogen bonds there are in which frames.

    Attributes:
        names: "O3–H4···O0", donor, hydrogen and acceptor; the most frequent first.
        present: shape (frames, bonds).
        times: fs, or numbers of the frames.
    """

    names: tuple[str, ...]
    present: Bool[np.ndarray, "frames bonds"]
    times: Float[np.ndarray, " frames"]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def occupancy(self) -> pd.Series:
        """Part of the frames in which each bond is there."""
        return pd.Series(self.present.mean(0), pd.Index(self.names, name="hydrogen bond"))

    @property
    def count(self) -> Float[np.ndarray, " frames"]:
        """How many there are in each frame."""
        return self.present.sum(1)

    def survival(self, longest: int | None = None) -> pd.Series:
        """Probability that a bond is there (again) after a time in fs, the index; 1 at 0.

        Args:
            longest: frames; half of all if None.

        Raises:
            TrajectoryError: no hydrogen bonds at all, or a single frame.
            MissingPackageError: without MDAnalysis.
        """
        if not self.present.any() or len(self.times) < 2:
            raise TrajectoryError("there are no hydrogen bonds that could live for a time")
        correlations = required("MDAnalysis.lib.correlations", "lifetimes of hydrogen bonds")
        sets = [set(np.flatnonzero(row).tolist()) for row in self.present]
        longest = len(sets) // 2 if longest is None else longest
        taus, values, _ = correlations.autocorrelation(sets, tau_max=longest)
        step = float(self.times[1] - self.times[0])
        return pd.Series(values, pd.Index(np.array(taus) * step, name="time_fs"))

    def lifetime(self) -> float:
        """Integral of `survival` in fs: a lower bound where it has not decayed by then."""
        survival = self.survival()
        return float(np.trapezoid(survival.to_numpy(), survival.index.to_numpy(dtype=float)))

    def to_frame(self) -> pd.DataFrame:
        """How often each bond is there, how often it forms, and its longest stretch (fs)."""
        step = float(self.times[1] - self.times[0]) if len(self.times) > 1 else 0.0
        padded = np.zeros((len(self.times) + 2, len(self)), dtype=int)
        padded[1:-1] = self.present
        change = np.diff(padded, axis=0)
        longest = []
        for bond in range(len(self)):
            starts, ends = (np.flatnonzero(change[:, bond] == sign) for sign in (1, -1))
            longest.append(float((ends - starts).max(initial=0) * step))
        return pd.DataFrame(
            {
                "occupancy": self.present.mean(0),
                "times formed": (change == 1).sum(0),
                "longest_fs": longest,
            },
            index=pd.Index(self.names, name="hydrogen bond"),
        )

    def plot(self, most: int = 20, ax: Axes | None = None) -> Axes:
        """A barcode: a line for each bond, dark where it is there."""
        return barcode(self.present[:, :most].astype(float), self.names[:most], self.times, ax=ax)

    def __str__(self) -> str:
        if not len(self):
            return f"no hydrogen bond in {len(self.times)} frames"
        return (
            f"{len(self)} hydrogen bond{'s' * (len(self) > 1)} in {len(self.times)} "
            f"frame{'s' * (len(self.times) > 1)}, {self.count.mean():.1f} at a "
            f"time; most often {self.names[0]} ({100 * self.present[:, 0].mean():.0f} %)"
        )

    def __repr__(self) -> str:
        return f"{self}\n{self.to_frame().round(2).head(12)}"

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self, table(self.to_frame().round(2).head(20)))


def hydrogen_bonds(
    trajectory: Trajectory | Structures, times: Sequence[float] | None = None
) -> HydrogenBondsInTime:
    """The hydrogen bonds of every frame.

    Args:
        trajectory: frames of the same atoms.
        times: fs, of plain frames; their number if None.

    Raises:
        TrajectoryError: no frames, frames that do not fit together, or times out of order.

    Example:
        >>> import interpmd as im
        >>> from interpmd.demo import MALONALDEHYDE
        >>> print(im.hydrogen_bonds([MALONALDEHYDE]))
        1 hydrogen bond in 1 frame, 1.0 at a time; most often O4–H8···O0 (100 %)
    """
    frames, moments = frames_and_times(trajectory, times, ascending=times is not None)
    symbols = frames[0].get_chemical_symbols()
    found: dict[tuple[int, int, int], np.ndarray] = {}
    for number, atoms in enumerate(frames):
        bonds = chemistry.hydrogen_bonds(atoms)
        for donor, proton, acceptor in zip(
            bonds.donor, bonds.hydrogen, bonds.acceptor, strict=True
        ):
            key = (int(donor), int(proton), int(acceptor))
            found.setdefault(key, np.zeros(len(frames), dtype=bool))[number] = True
    ranked = sorted(found, key=lambda key: (-found[key].sum(), key))
    names = [f"{symbols[d]}{d}–{symbols[h]}{h}···{symbols[a]}{a}" for d, h, a in ranked]
    present = np.stack([found[key] for key in ranked], axis=1) if ranked else None
    empty = np.zeros((len(frames), 0), dtype=bool)
    return HydrogenBondsInTime(tuple(names), empty if present is None else present, moments)
