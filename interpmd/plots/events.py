"""Pictures of events: passages over a barrier, works around the crossing, flows of energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from interpmd.plots.style import BLUE, GREY, ORANGE, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def passages(
    curves: Sequence[tuple[np.ndarray, np.ndarray, bool]],
    states: tuple[float, float, float],
    name: str,
    ax: Axes | None = None,
) -> Axes:
    """A coordinate against time, one line for each event.

    Args:
        curves: times in fs (0 at the crossing), values, and whether it goes to the second state.
        states: where the first state ends, the middle, and where the second state begins.
        name: of the coordinate, with its unit.
        ax: where to draw.
    """
    ax = new_axes(ax, (7, 3.6))
    faint = max(0.15, min(0.9, 10 / max(1, len(curves))))
    for times, values, forward in curves:
        ax.plot(
            times,
            values,
            color=BLUE if forward else ORANGE,
            ls="-" if forward else "--",
            lw=0.8,
            alpha=faint,
        )
    low, middle, high = states
    ax.axhline(middle, color="black", lw=0.6)
    for edge in (low, high):
        ax.axhline(edge, color=GREY, lw=0.8, ls=":")
    ax.axvline(0, color=GREY, lw=0.8, ls=":")
    ax.set(xlabel="time from the crossing (fs)", ylabel=name)
    for forward, words in ((True, "forward"), (False, "backward")):
        if count := sum(one == forward for _, _, one in curves):
            style = {"color": BLUE if forward else ORANGE, "ls": "-" if forward else "--"}
            ax.plot([], [], label=f"{count} {words}", **style)
    ax.legend(frameon=False, fontsize=8)
    return bare(ax)
