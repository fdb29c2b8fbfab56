"""The relative energy gradient: which interactions make a barrier, segment by segment.

Between two turning points of the total E(s) along a path, each row's energy E_i is regressed on it,

    E_i = m_i E + c_i,    sum over i of m_i = 1,

since the rows sum to the total (Thacker and Popelier, Theor. Chem. Acc. 136, 86, 2017, equations 8
and 11). On the way up a positive slope makes the barrier and a negative one lowers it; the
correlation r says how well a row follows the total at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from interpmd.attribution.over_time.drivers import shares_of
from interpmd.errors import TrajectoryError
from interpmd.markup import markup, table
from interpmd.plots.paths import segment_bars
from interpmd.units import number_sign

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class RelativeEnergyGradient:
    """Slopes of the interactions against their total, between its turning points.

    Attributes:
        slopes: one row for each interaction, one column for each segment; each column sums to 1.
        correlations: Pearson's r of each interaction with the total, of the same form; NaN where
            an interaction does not change.
        changes: of the total in each segment, in `unit`.
        frames: first and last frame of each segment.
        target, unit: what was explained.
        gauge: how.
    """

    slopes: pd.DataFrame
    correlations: pd.DataFrame
    changes: pd.Series
    frames: tuple[tuple[int, int], ...]
    target: str
    unit: str
    gauge: str

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def headline(self) -> str:
        """The first interaction of the first segment that rises, in one sentence."""
        rising = [name for name, change in self.changes.items() if change > 0]
        segment = str(rising[0] if rising else self.changes.index[0])
        ranked = self.ranked(segment)
        name, slope = ranked.index[0], ranked.iloc[0]
        word = "rise" if rising else "fall"
        change = number_sign(float(self.changes[segment]), "+.3f")
        return (
            f"the {word} of {change} {self.unit} from {segment} comes first from {name} "
            f"(slope {number_sign(slope, '+.2f')})"
        )

    def ranked(self, segment: str) -> pd.Series:
        """Slopes of one segment, those that make the change first, those against it last.

        Raises:
            TrajectoryError: no such segment.
        """
        if segment not in self.slopes:
            words = ", ".join(map(str, self.slopes.columns))
            raise TrajectoryError(f"there is no segment {segment!r}; there are: {words}")
        return self.slopes[segment].sort_values(ascending=False)

    def to_frame(self) -> pd.DataFrame:
        """Slope and r of each interaction in each segment, the largest slopes first."""
        size = self.slopes.abs().max(axis=1).sort_values(ascending=False, kind="stable")
        both = {
            (segment, name): values[segment]
            for segment in self.slopes
            for name, values in (("slope", self.slopes), ("r", self.correlations))
        }
        return pd.DataFrame(both).loc[size.index]

    def plot(self, most: int = 8) -> Figure:
        """Bars of the slopes, one picture for each segment side by side."""
        changes = [f"{number_sign(float(c), '+.3f')} {self.unit}" for c in self.changes]
        titles = [f"{s}: {c}" for s, c in zip(self.slopes.columns, changes, strict=True)]
        return segment_bars(self.slopes, titles, most, x="slope (sum 1)")

    def __repr__(self) -> str:
        return f"{self.headline}\n{self.to_frame().round(3).head(8)}\nSlopes of a segment sum to 1."

    def _repr_html_(self) -> str:
        rows = table(self.to_frame().round(3).head(12))
        words = "Slopes of a segment sum to 1."
        return markup("<p><b>{}</b></p>{}<p>{}</p>", self.headline, rows, words)


@xr.register_dataset_accessor("reg")
class _RegOf:
    """`dataset.reg()` of a dataset from `explain_trajectory` or `explain_path`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __call__(self, least: int = 3) -> RelativeEnergyGradient:
        """Slopes of the relative energy gradient; see `relative_energy_gradient`."""
        return relative_energy_gradient(self._dataset, least)


def relative_energy_gradient(dataset: xr.Dataset, least: int = 3) -> RelativeEnergyGradient:
    """Slope of every interaction against the total, between its turning points.

    Args:
        dataset: from `explain_trajectory` or `explain_path`, of a target that is a number.
        least: frames of a segment; shorter ones join the one before.

    Raises:
        TrajectoryError: a vector, fewer frames than a segment takes, or a total that does not
            change.
    """
    if "component" in dataset.dims:
        raise TrajectoryError("slopes are of numbers: give the force a direction (along=)")
    values = dataset.value.values
    if len(values) < least:
        raise TrajectoryError(f"a segment takes {least} frames, and there are {len(values)}")
    total = values.sum(1)
    places, unit = dataset.time_fs.values, "fs"
    if "along" in dataset.coords:
        places, unit = dataset.along.values, dataset.along.attrs["units"]
    # as many digits as tell hundredths of the path apart
    digits = max(0, -math.floor(math.log10(np.ptp(places) / 100)))
    slopes, correlations, changes = {}, {}, {}
    parts = turning_parts(total, least)
    for first, last in parts:
        between = " to " if (places < 0).any() else "-"
        ends = [number_sign(round(float(places[k]), digits), "g") for k in (first, last)]
        name = f"{between.join(ends)} {unit}".strip()
        part = values[first : last + 1]
        slopes[name] = shares_of(part[:, :, None])
        correlations[name] = _correlations(part, total[first : last + 1])
        changes[name] = total[last] - total[first]
    index = pd.Index([str(name) for name in dataset.interaction.values], name="interaction")
    return RelativeEnergyGradient(
        pd.DataFrame(slopes, index=index),
        pd.DataFrame(correlations, index=index),
        pd.Series(changes),
        tuple(parts),
        str(dataset.attrs.get("target", "energy")),
        str(dataset.attrs.get("unit", "eV")),
        str(dataset.attrs.get("gauge", "")),
    )


def turning_parts(total: Float[np.ndarray, " frames"], least: int) -> list[tuple[int, int]]:
    """First and last frames between the turning points of a curve."""
    signs = np.sign(np.diff(total))
    turns = [0, *(np.flatnonzero(np.diff(signs)) + 1).tolist(), len(total) - 1]
    kept = [turns[0]]
    for turn in turns[1:-1]:
        if turn - kept[-1] >= least - 1 and turns[-1] - turn >= least - 1:
            kept.append(turn)
    return list(zip(kept, [*kept[1:], turns[-1]], strict=True))


def _correlations(
    values: Float[np.ndarray, "frames rows"], total: Float[np.ndarray, " frames"]
) -> Float[np.ndarray, " rows"]:
    centred, whole = values - values.mean(0), total - total.mean()
    sizes = np.linalg.norm(centred, axis=0) * np.linalg.norm(whole)
    moving = sizes > 1e-12 * np.linalg.norm(whole) ** 2
    r = np.full(values.shape[1], np.nan)
    r[moving] = (centred.T @ whole)[moving] / sizes[moving]
    return r
