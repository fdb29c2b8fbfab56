"""Energies over two coordinates, as colours with labelled contours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float

from interpmd.plots.style import NO_DATA, PALE, new_axes
from interpmd.units import number_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap


def energy_map(
    first: Float[np.ndarray, " columns"],
    second: Float[np.ndarray, " rows"],
    energy: Float[np.ndarray, "rows columns"],
    seen: Bool[np.ndarray, "rows columns"] | None = None,
    labels: tuple[str, str] = ("", ""),
    quantity: str = "energy (eV)",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Colours and labelled contours; grey and hatched where there are no data or no energy.

    Args:
        first, second: the coordinates.
        energy: eV; not a number where there is none.
        seen: where there are training data; everywhere, or not known, if None.
        labels: of the two axes.
        quantity: of the colour bar.
        title: above the picture.
        ax: where to draw.
    """
    from matplotlib.patheffects import Normal, Stroke
    from matplotlib.ticker import MaxNLocator

    ax = new_axes(ax, (5.4, 4.2))
    low, high = _limits(energy, seen)
    mesh = ax.pcolormesh(
        first,
        second,
        energy,
        cmap=_signed_colours(low, high),
        vmin=low,
        vmax=high,
        shading="auto",
    )
    beyond = (np.nanmin(energy) < low, np.nanmax(energy) > high)
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max"}
    ax.figure.colorbar(mesh, ax=ax, label=quantity, extend=ends.get(beyond, "both"))
    levels = np.asarray(MaxNLocator(7, steps=[1, 2, 5, 10]).tick_values(low, high))
    levels = levels[(levels >= low) & (levels <= high)]
    lines = ax.contour(first, second, energy, levels=levels, colors="black", linewidths=0.6)
    for words in ax.clabel(lines, fontsize=7, fmt=lambda level: number_sign(level, "g")):
        words.set_path_effects([Stroke(linewidth=2, foreground="white"), Normal()])
    if np.isnan(energy).any():  # white is the colour of zero
        ax.patch.set(facecolor=NO_DATA, hatch="///", edgecolor=PALE)
    if seen is not None and not seen.all():
        unseen = (~seen).astype(float)
        levels, style = [0.5, 1.5], {"hatches": ["///"], "alpha": 0.8}
        ax.contourf(first, second, unseen, levels=levels, colors=[NO_DATA], **style)
        ax.set_title("grey: a side is not in the data", fontsize=9, loc="right")
    ax.set_title(title, fontsize=10, loc="left")
    ax.set(xlabel=labels[0], ylabel=labels[1])
    return ax


def _limits(
    energy: Float[np.ndarray, "rows columns"], seen: Bool[np.ndarray, "rows columns"] | None
) -> tuple[float, float]:
    """Range of the colours: of all energies and zero, but no further to either side than 98
    percent of those where there are data."""
    finite = np.isfinite(energy)
    known, shown = energy[finite if seen is None else finite & seen], energy[finite]
    top = max(float(np.quantile(np.abs(known), 0.98)) if len(known) else 0.0, 1e-3)
    low, high = np.clip([shown.min(initial=0.0), shown.max(initial=0.0)], -top, top).tolist()
    return (low, high) if high > low else (-top, top)


def _signed_colours(low: float, high: float) -> ListedColormap:
    """Purple below zero, white at zero, orange above, of which the colours from `low` to `high`.

    Equal steps of colour are equal steps of energy on either side, and a range of one sign does
    not waste half of the colour bar.
    """
    import matplotlib
    from matplotlib.colors import ListedColormap

    top = max(-low, high)
    places = 0.5 + 0.5 * np.linspace(low, high, 512) / top
    return ListedColormap(matplotlib.colormaps["PuOr_r"](places))
