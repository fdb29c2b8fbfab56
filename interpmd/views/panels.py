"""What panels with controls and pictures share."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from interpmd.errors import InterpmdError
from interpmd.markup import Markup, markup, table
from interpmd.plots.style import png_of
from interpmd.units import number_sign
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Width in pixels below which pictures go to the next line.
NARROW = 290


class Picture(widgets.HTML):
    """A picture with words for screen readers, which `ipywidgets.Image` cannot hold."""

    def show(self, ax: Axes, words: str, dpi: int = 100) -> None:
        """Show the figure of an Axes, and close it."""
        source = base64.b64encode(png_of(ax, dpi)).decode()
        self.value = markup(
            '<img alt="{}" src="data:image/png;base64,{}" style="max-width:100%">', words, source
        )


def side_by_side(pictures: Sequence[Picture], width: int = 420) -> widgets.HBox:
    """Pictures in a row, which shrink with the panel from `width` to `NARROW` pixels."""
    for picture in pictures:
        picture.layout.flex, picture.layout.max_width = f"1 1 {NARROW}px", f"{width}px"
    return widgets.HBox(pictures, layout={"flex_flow": "row wrap"})


class Panel(widgets.VBox):
    """A widget that leaves a picture and a line of text in saved notebooks and converted pages.

    Subclasses have a method `plot`, which returns the Axes of one figure.
    """

    def plot(self) -> Sequence[Axes]:
        """What the panel shows, as one figure."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        bundle: Any = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        with contextlib.suppress(InterpmdError):  # no picture: the text says what it is
            data["image/png"] = base64.b64encode(png_of(self.plot()[0], dpi=100)).decode()
        data["text/plain"] = repr(self)
        return data, metadata


def trust(grade: float) -> Markup:
    """What an extrapolation grade says, in words."""
    if grade <= 1:
        return markup("inside the training data")
    words = "<b>beyond the training data</b> (extrapolation grade {}): do not trust"
    return markup(words, f"{grade:.1f}")


def table_html(frame: pd.DataFrame, digits: int = 3, index: bool = True) -> Markup:
    """A table for an HTML widget, which has no style of its own for tables."""
    text = table(
        frame, border=0, index=index, float_format=lambda value: number_sign(value, f".{digits}f")
    )
    style = '<table style="border-spacing:14px 2px;text-align:right" '
    return Markup(text.replace("<table ", style, 1))
