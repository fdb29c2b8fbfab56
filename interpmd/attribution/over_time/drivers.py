"""What drives: which interactions the *changes* of a target come from.

A frame's budget does not say it. What is constant in every frame drives nothing, however large,
and what cancels in every frame drives nothing together. Covariance shares do: with v_i(t) the
value of row i and F(t) = sum over i of v_i(t) the target,

    share_i = cov(v_i, F) / var(F),

they sum to one (as the regression coefficients of the parts of a sum must). A negative share is a
row that changes against the target. Of vectors both are sums over the components.

Along an event the same regression, segment by segment between the turning points of F, is the
relative energy gradient (`interpmd.attribution.over_time.reg`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from interpmd.errors import TrajectoryError
from interpmd.markup import markup, table
from interpmd.plots.budgets import bars
from interpmd.units import number_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Parts of the time from whose scatter error bars are estimated.
BLOCKS = 5


@dataclass(frozen=True, eq=False)
class Drivers:
    """Covariance shares of the interactions in a window of time.

    Attributes:
        shares: one for each interaction, sum 1, the largest first.
        block_std: standard error from blocks in time, of the same order; NaN where the window is
            too short for blocks.
        posterior_std: standard deviation under the posterior of the model; NaN where the dataset
            holds no samples (``explain_trajectory(..., error_bars=True)``).
        target, gauge: what was explained, and how.
        frames: in the window.
    """

    shares: pd.Series
    block_std: pd.Series
    posterior_std: pd.Series
    target: str
    gauge: str
    frames: int

    def to_frame(self) -> pd.DataFrame:
        """Columns share, block_std, posterior_std; one line for each interaction."""
        columns = [self.shares, self.block_std, self.posterior_std]
        names = ("share", "block_std", "posterior_std")
        return pd.DataFrame(dict(zip(names, columns, strict=True)))

    @property
    def headline(self) -> str:
        """The largest driver in one sentence."""
        name, share = self.shares.index[0], self.shares.iloc[0]
        if 0 <= share <= 1.005:
            return f"{100 * share:.0f} % of the changing {self.target} is {name}"
        who = "others change" if share > 1 else "it changes"
        return (
            f"the changing {self.target} comes first from {name} "
            f"({number_sign(100 * share, '.0f')} % of the changes; {who} against it)"
        )

    @property
    def note(self) -> str:
        """What shares below zero and above one mean, where there are some."""
        notes = ["Shares sum to 1."]
        if (negative := self.shares[self.shares < -0.005]).size:
            name, share = negative.index[0], negative.iloc[0]
            notes.insert(
                0,
                f"A share below zero ({name}, {number_sign(100 * share, '.0f')} %) changes against "
                f"the {self.target}, which would change the more without it.",
            )
        if (self.shares > 1.005).any():
            notes.insert(0, "A share above 1 is one that others cancel in part.")
        return " ".join(notes)

    def plot(self, most: int = 8, ax: Axes | None = None) -> Axes:
        """Shares in percent as bars, the largest first; their sum is 100."""
        spread = np.fmax(self.block_std.fillna(0.0), self.posterior_std.fillna(0.0))
        return bars(
            (100 * self.shares).to_dict(),
            (100 * spread).to_dict() if spread.any() else None,
            most=most,
            unit="% of the variance",
            title=f"what drives the {self.target}",
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"{self.headline}\n{self.to_frame().round(3).head(8)}\n{self.note}"

    def _repr_html_(self) -> str:
        rows = table(self.to_frame().round(3).head(12))
        return markup("<p><b>{}</b></p>{}<p>{}</p>", self.headline, rows, self.note)


@xr.register_dataset_accessor("drivers")
class _DriversOf:
    """`dataset.drivers(...)` of a dataset from `explain_trajectory`."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def __call__(
        self, start_fs: float | None = None, stop_fs: float | None = None, blocks: int = BLOCKS
    ) -> Drivers:
        """Covariance shares in a window of time.

        Args:
            start_fs, stop_fs: of the window, both included; all frames if None.
            blocks: parts of the window for the error bars.

        Raises:
            TrajectoryError: a target that does not change, or fewer than three frames.
        """
        return covariance_shares(_window(self._dataset, start_fs, stop_fs), blocks)


def covariance_shares(dataset: xr.Dataset, blocks: int = BLOCKS) -> Drivers:
    """Shares of the interactions in the variance of the target; see the head of this file.

    Args:
        dataset: from `explain_trajectory`.
        blocks: parts in time for the error bars; fewer where frames are few.

    Raises:
        TrajectoryError: a target that does not change, or fewer than three frames.
    """
    names = [str(name) for name in dataset.interaction.values]
    values = _components_last(dataset)
    if len(values) < 3:
        raise TrajectoryError(f"shares of changes need three frames or more, not {len(values)}")
    shares = shares_of(values)
    parts = [shares_of(part) for part in np.array_split(values, blocks) if len(part) > 2]
    block_std = np.full(len(names), np.nan)
    if len(parts) > 1:
        block_std = np.std(parts, axis=0, ddof=1) / np.sqrt(len(parts))
    posterior_std = np.full(len(names), np.nan)
    if "deviation" in dataset:
        deviations = _components_last(dataset, "deviation")
        drawn = [shares_of(values + deviation) for deviation in np.moveaxis(deviations, -1, 0)]
        posterior_std = np.sqrt(np.mean((np.array(drawn) - shares) ** 2, axis=0))
    order = np.argsort(-np.abs(shares), kind="stable")
    index = pd.Index([names[k] for k in order], name="interaction")
    return Drivers(
        *(pd.Series(column[order], index) for column in (shares, block_std, posterior_std)),
        target=str(dataset.attrs.get("target", "target")),
        gauge=str(dataset.attrs.get("gauge", "")),
        frames=len(values),
    )


def shares_of(values: Float[np.ndarray, "frames rows components"]) -> Float[np.ndarray, " rows"]:
    """Covariance of each row with the sum, over the variance of the sum.

    Raises:
        TrajectoryError: the sum does not change.
    """
    centred = values - values.mean(0)
    total = centred.sum(1)
    variance = float((total**2).sum())
    if variance < 1e-24:
        raise TrajectoryError(
            "the target does not change in this window, so that nothing drives it"
        )
    return np.einsum("frc,fc->r", centred, total) / variance


def _components_last(dataset: xr.Dataset, name: str = "value") -> np.ndarray:
    """Shape (frames, rows, components[, samples])."""
    if "component" not in dataset.dims:
        return dataset[name].expand_dims("component", 2).values
    return dataset[name].values


def _window(dataset: xr.Dataset, start: float | None, stop: float | None) -> xr.Dataset:
    times: Sequence[float] = dataset.time_fs.values
    keep = np.ones(len(times), dtype=bool)
    if start is not None:
        keep &= np.asarray(times) >= start
    if stop is not None:
        keep &= np.asarray(times) <= stop
    return dataset.isel(frame=np.flatnonzero(keep))
