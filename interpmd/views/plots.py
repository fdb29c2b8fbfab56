"""Pictures of budgets and time lines. Each takes ``ax=`` and returns its Axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from interpmd.views.style import AGAINST, ALONG, GREY, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def budget(
    values: Mapping[str, float],
    spread: Mapping[str, float] | None = None,
    most: int = 8,
    unit: str = "eV/Å",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Contributions as a waterfall: each bar starts where the last one ended, the sum below.

    Args:
        values: contribution by name, in `unit`.
        spread: standard deviations, drawn as whiskers.
        most: largest contributions that get a bar of their own; the rest share one.
        unit: of the values.
        title: above the picture.
        ax: where to draw.
    """
    import matplotlib.pyplot as plt

    ordered = sorted(values.items(), key=lambda item: -abs(item[1]))
    bars = ordered[:most]
    if ordered[most:]:
        bars.append((f"{len(ordered) - most} others", sum(v for _, v in ordered[most:])))
    if ax is None:
        ax = plt.subplots(figsize=(7, 0.42 * len(bars) + 1.4), layout="constrained")[1]
    start = 0.0
    for row, (name, value) in enumerate(bars):
        colour, hatch = ALONG if value >= 0 else AGAINST
        error = None if spread is None or name not in spread else spread[name]
        ax.barh(
            row,
            value,
            left=start,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            height=0.7,
            xerr=error,
            ecolor="#222222",
        )
        start += value
        ax.plot([start, start], [row - 0.35, row + 1.35], color=GREY, lw=0.8, zorder=0)
    ax.barh(len(bars), start, color="#333333", height=0.7)
    names = [name for name, _ in bars] + ["sum"]
    ax.set_yticks(
        range(len(names)),
        [
            f"{name}  {value:+.3f}"
            for name, value in zip(names, [v for _, v in bars] + [start], strict=True)
        ],
    )
    ax.invert_yaxis()
    ax.axvline(0, color="black", lw=0.8)
    ax.set(xlabel=unit, title=title)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def time_lines(
    times: np.ndarray,
    series: Mapping[str, np.ndarray],
    unit: str = "eV/Å",
    event: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Contributions against time, told apart by colour and line style.

    Args:
        times: fs. series: values by name, each of the length of `times`.
        unit: of the values. event: time in fs to mark. ax: where to draw.
    """
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(8, 3.6), layout="constrained")[1] if ax is None else ax
    for (name, values), (colour, _, line) in zip(series.items(), _cycle(len(series)), strict=True):
        if name == "sum":
            ax.plot(times, values, color="black", lw=2.4, label="sum", zorder=5)
        else:
            ax.plot(times, values, color=colour, ls=line, lw=1.6, label=name)
    if event is not None:
        ax.axvline(event, color=GREY, lw=1, ls=":")
        ax.text(event, ax.get_ylim()[1], " proton in the middle", va="top", color="#444444")
    ax.axhline(0, color="black", lw=0.6)
    ax.set(xlabel="time (fs)", ylabel=unit)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def rankings(
    fractions: np.ndarray,
    panels: Mapping[str, Mapping[str, np.ndarray]],
    x: str = "",
    y: str = "",
) -> Figure:
    """Curves of several rankings in panels side by side, told apart by colour and line style.

    Args:
        fractions: where the curves are known, from 0 to 1.
        panels: by title, curves by the name of their ranking.
        x, y: names of the axes.
    """
    import matplotlib.pyplot as plt

    size = (4 * len(panels), 3.2)
    figure, axes = plt.subplots(
        1, len(panels), figsize=size, sharey=True, layout="constrained", squeeze=False
    )
    for ax, (title, curves) in zip(axes[0], panels.items(), strict=True):
        for (name, values), (colour, _, line) in zip(
            curves.items(), _cycle(len(curves)), strict=True
        ):
            ax.plot(fractions, values, color=colour, ls=line, label=name)
        ax.set(xlabel=x, title=title)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set(ylabel=y)
    axes[0, 0].legend(frameon=False)
    return figure


def _cycle(count: int) -> Sequence[tuple]:
    return [SERIES[i % len(SERIES)] for i in range(count)]
