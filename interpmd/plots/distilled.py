"""What a model looks like in a few curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from interpmd.plots.curves import counted, error_band, hatch_where
from interpmd.plots.style import BLUE, PALE, SERIES, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A curve: points, energies, standard deviations, counts, coordinate, label.
Drawn = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, str, str]

#: Shares in percent below which a part of the bar has no name inside.
NARROW = 6.0


def distilled_curve(
    x: Float[np.ndarray, " points"],
    energy: Float[np.ndarray, " points"],
    std: Float[np.ndarray, " points"],
    count: Int[np.ndarray, " points"],
    coordinate: str,
    label: str,
    ax: Axes | None = None,
) -> Axes:
    """A curve with its band, and what the frames cover.

    Args:
        x: points. energy: eV. std: of it, eV, NaN where it is unknown; the band is two to either
            side.
        count: values of the frames at each point; hatched where there are none.
        coordinate: with its unit, for the axis.
        label: above.
        ax: where to draw.
    """
    ax = new_axes(ax, (4.4, 3.2))
    seen = count > 0
    hatch_where(ax, x, ~seen, "no data")
    counted(ax, x, count)
    error_band(ax, x, energy, std)
    ax.plot(x, energy, color=BLUE, lw=1.0, ls=":", zorder=3)
    ax.plot(x, np.where(seen, energy, np.nan), color=BLUE, lw=2.2, zorder=3)
    shown = seen if seen.any() else np.ones(len(x), bool)
    known = np.nan_to_num(std)
    low, high = (energy - 2 * known)[shown].min(), (energy + 2 * known)[shown].max()
    margin = 0.08 * max(high - low, 1e-6)
    ax.set(xlim=(x[0], x[-1]), ylim=(low - margin, high + margin))
    ax.set(xlabel=coordinate, ylabel="energy (eV)")
    ax.set_title(label, fontsize=10)
    return bare(ax)


def distilled_overview(
    shares: Mapping[str, float],
    curves: Sequence[Drawn],
    title: str = "",
    ax: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Shares of the variance of the forces as one bar, above the curves.

    Args:
        shares: percent by term, the last one what is left.
        curves: see `distilled_curve`.
        title: above the bar.
        ax: the bar's axes, then those of the curves.
    """
    if ax is None:
        ax = _grid(len(curves))
    share_bar(shares, title, ax[0])
    for axes, curve in zip(ax[1:], curves, strict=False):
        distilled_curve(*curve, ax=axes)
    return ax


def share_bar(shares: Mapping[str, float], title: str = "", ax: Axes | None = None) -> Axes:
    """Shares in percent as parts of one bar, each with its name.

    Args:
        shares: percent by name, the last one what is left; those below zero are named below only.
        title: above.
        ax: where to draw.
    """
    ax = new_axes(ax, (7.5, 1.7))
    start = 0.0
    for number, (name, share) in enumerate(shares.items()):
        last = number == len(shares) - 1
        colour, hatch = (PALE, "") if last else SERIES[number % len(SERIES)][:2]
        ax.barh(
            0, share, left=start, height=0.8, color=colour, hatch=hatch, edgecolor="white",
            label=f"{name} {share:.1f} %",
        )  # fmt: skip
        if share > NARROW:
            ax.text(
                start + share / 2, 0, f"{share:.0f} %", ha="center", va="center", fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
            )  # fmt: skip
        start += share
    ax.set(xlim=(0, 100), yticks=[], xlabel="share of the variance of the forces (%)")
    ax.set_title(title, fontsize=9, loc="left", wrap=True)
    ax.legend(
        fontsize=8, frameon=False, ncols=min(6, len(shares)), loc="upper center",
        bbox_to_anchor=(0.5, -0.55), handlelength=1.4, columnspacing=1.2,
    )  # fmt: skip
    ax.spines["left"].set_visible(False)
    return bare(ax)


def _grid(curves: int) -> list[Axes]:
    """Axes of the bar over the whole width, and of the curves in rows of three."""
    import matplotlib.pyplot as plt

    rows = -(-curves // 3)
    figure = plt.figure(figsize=(10.5, 1.9 + 2.7 * rows), layout="constrained")
    grid = figure.add_gridspec(rows + 1, 3, height_ratios=[0.5, *[1.6] * rows])
    first = figure.add_subplot(grid[0, :])
    return [first, *(figure.add_subplot(grid[1 + k // 3, k % 3]) for k in range(curves))]
