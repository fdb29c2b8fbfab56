"""One look for all pictures: colours that colour-blind people tell apart, and never colour alone.

Colours: Okabe and Ito, Color Universal Design (2008).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interpmd.errors import ArgumentError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, YELLOW, GREY = "#CC79A7", "#56B4E9", "#E69F00", "#777777"

#: Of sums.
DARK = "#333333"

#: Of hatching where something is not known.
PALE = "#C8C8C8"

#: Where no data lie.
NO_DATA = "#E6E6E6"

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


def grid_of_axes(size: tuple[float, float], rows: int, widths: Sequence[float]) -> np.ndarray:
    """Axes in rows and columns of a new figure, which notebooks show.

    Args:
        size: inches.
        rows: how many.
        widths: of the columns, relative to each other.

    Returns:
        The axes, shape (rows, columns).
    """
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=size, layout="constrained")
    return figure.subplots(rows, len(widths), width_ratios=widths, squeeze=False)


def axes_in_a_row(size: tuple[float, float], *widths: float) -> list[Axes]:
    """Axes side by side in a new figure, which notebooks show; inches, relative widths."""
    return list(grid_of_axes(size, 1, widths)[0])


def unshown_axes(size: tuple[float, float]) -> Axes:
    """Axes of a figure that notebooks do not show by themselves; inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").subplots()


def bare(ax: Axes) -> Axes:
    """Without the lines at the top and at the right."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def kind_of_image(path: Path) -> str:
    """Format of a picture by its name, PNG where it has no ending.

    Raises:
        ArgumentError: there is no such format.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    kind = path.suffix.lower().lstrip(".") or "png"
    if kind not in (known := FigureCanvasBase.filetypes):
        raise ArgumentError(f"{path}: no such format of pictures; known: {', '.join(known)}")
    return kind


def image_of(figure: Figure, kind: str = "png", dpi: int = 100) -> bytes:
    """A figure as a file of this kind; it is closed."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=dpi)
    plt.close(figure)
    return buffer.getvalue()


def png_of(ax: Axes, dpi: int = 100) -> bytes:
    """The figure of an Axes as PNG; it is closed."""
    # of Axes in a part of a figure the whole
    return image_of(ax.figure.figure, "png", dpi)
