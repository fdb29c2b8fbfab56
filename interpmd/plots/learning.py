"""Errors by the number of frames that a potential has learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from interpmd.plots.style import BLUE, MARKERS, ORANGE, bare, line_of, new_axes
from interpmd.units import number_sign, unit_sign

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def learning_curve(
    table: pd.DataFrame, column: str = "force_rmse_meV/A", ax: Axes | None = None
) -> Axes:
    """Test error against the number of training frames, both logarithmic.

    Args:
        table: from `im.learning_curve`: errors, indexed by the number of frames.
        column: the error, named by quantity, kind and unit.
        ax: where to draw.
    """
    ax = new_axes(ax, (5, 3.6))
    ax.plot(table.index, table[column], "o-", color=BLUE, mfc="white")
    for count, value in table[column].items():
        ax.annotate(
            number_sign(value, ".3g"), (count, value), (0, 7), textcoords="offset points",
            ha="center", fontsize=8,
        )  # fmt: skip
    quantity, kind, unit = column.split("_")
    ax.set(
        xlabel="training frames",
        ylabel=f"{quantity} {kind.upper()} of the test set ({unit_sign(unit)})",
    )
    _logarithmic(ax, list(table.index))
    ax.margins(0.1, 0.2)
    return bare(ax)


def label_race(
    table: pd.DataFrame, column: str = "force_rmse_meV/A", ax: Axes | None = None, title: str = ""
) -> Axes:
    """Errors by number of labels, one line for each way of choosing them, both logarithmic.

    Args:
        table: columns labels, how and the error; where several lines have the same number of
            labels and way, as of several seeds, their mean is drawn and their spread shaded.
        column: the error, named by quantity, kind and unit.
        ax: where to draw.
        title: above the picture.
    """
    ax = new_axes(ax, (5.4, 3.8))
    known = table.dropna(subset=[column]) if column in table else table[:0]
    for number, (how, lines) in enumerate(known.groupby("how", sort=False)):
        (colour, style), marker = line_of(number), MARKERS[number % len(MARKERS)]
        found = lines.groupby("labels")[column].agg(["mean", "min", "max"])
        look = {"linestyle": style, "color": colour, "marker": marker, "mfc": "white"}
        ax.plot(found.index, found["mean"], label=str(how), **look)
        ax.fill_between(found.index, found["min"], found["max"], color=colour, alpha=0.15, lw=0)
        if len(found) == 1:  # a band has no width there
            ax.vlines(found.index, found["min"], found["max"], color=colour, alpha=0.5, zorder=1)
    words = {"energy": "energy RMSE", "force": "force RMSE", "worst": "mean force error"}
    name, _, unit = column.rpartition("_")
    label = words.get(name.partition("_")[0], name.replace("_", " "))
    ax.set(xlabel="labels", ylabel=f"{label} ({unit_sign(unit)})", title=title)
    if not len(known):
        ax.text(0.5, 0.5, "no test frames", ha="center", transform=ax.transAxes)
        ax.set(xticks=[], yticks=[])
        return bare(ax)
    counts: list[int] = sorted(int(count) for count in known.labels.unique())
    _logarithmic(ax, counts[:: max(1, -(-len(counts) // 7))])
    _tick_errors(ax)
    ax.legend(frameon=False, fontsize=8)
    return bare(ax)


def _tick_errors(ax: Axes) -> None:
    """Ticks at 1, 2 and 5 times powers of ten, or closer where the errors span less, so that the
    least and the largest have one near."""
    from matplotlib.ticker import LogLocator

    low, high = ax.get_ylim()
    subs = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    if high > 5 * low:
        subs = (1, 2, 5) if high > 20 * low else (1, 1.5, 2, 3, 4, 6)
    ax.yaxis.set_major_locator(LogLocator(subs=subs))


def held_out_errors(
    frames: Sequence[int] | np.ndarray,
    errors: Mapping[str, Sequence[float] | np.ndarray],
    ax: Axes | None = None,
) -> Axes:
    """Errors of a fit on frames that it does not learn from, while it learns.

    Args:
        frames: numbers of frames learned from; none where nothing was held out.
        errors: root mean square errors by quantity with its unit, each of the length of `frames`.
        ax: where to draw.
    """
    ax = new_axes(ax, (4.2, 3.6))
    looks = ((ORANGE, "--", "s"), (BLUE, "-", "o"))
    for (name, values), (colour, style, marker) in zip(errors.items(), looks, strict=False):
        ax.plot(frames, values, style, color=colour, marker=marker, mfc="white", label=name)
    ax.set(
        xlabel="frames learned from",
        ylabel="RMSE on held-out frames",
        title="the more frames, the smaller the error?",
    )
    if not len(frames):
        ax.text(0.5, 0.5, "no frames were held out", ha="center", transform=ax.transAxes)
        ax.set(xticks=[], yticks=[])
        return bare(ax)
    _logarithmic(ax, sorted(set(frames)))
    ax.legend(frameon=False, fontsize=8)
    ax.margins(0.08, 0.15)
    _tick_errors(ax)
    return bare(ax)


def _logarithmic(ax: Axes, frames: Sequence[int]) -> None:
    """Both axes logarithmic, with plain numbers at the numbers of frames."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    ax.set(xscale="log", yscale="log")
    ax.set_xticks(frames)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
