"""One look for all pictures: colours that colour-blind people tell apart, and never colour alone.

Colours: Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#E69F00", "#777777"

#: Of sums.
DARK = "#333333"

#: Colour, hatch and line style of the first, second, ... series.
SERIES = (
    (BLUE, "", "-"),
    (ORANGE, "//", "--"),
    (GREEN, "..", "-."),
    (PURPLE, "xx", ":"),
    (YELLOW, "\\\\", (0, (5, 1, 1, 1))),
    (SKY, "++", (0, (3, 1))),
    (GREY, "oo", (0, (1, 1))),
)

#: Colour and hatch of contributions along (+) and against (-) a direction.
ALONG, AGAINST = (BLUE, ""), (ORANGE, "//")

#: Markers of the first, second, ... group of points.
MARKERS = "os^vDP*"


def line_of(number: int) -> tuple[str, Any]:
    """Colour and line style of the line with this number, from 0."""
    colour, _, line = SERIES[number % len(SERIES)]
    return colour, line


def new_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The given axes, or those of a new figure of this size in inches."""
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def bare(ax: Axes) -> Axes:
    """Without the lines at the top and at the right."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def png_of(ax: Axes, dpi: int = 100) -> bytes:
    """The figure of an Axes as PNG; it is closed."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", dpi=dpi)
    plt.close(ax.figure)
    return buffer.getvalue()
