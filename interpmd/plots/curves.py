"""Energies along one coordinate, with what is known about them: error bands and training data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int

from interpmd.plots.style import BLUE, GREY, NO_DATA, ORANGE, PALE, SERIES, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Height of the tallest bar of the training data, as a part of the picture's.
TALLEST = 0.22


def pair_energy(
    distances: Float[np.ndarray, " points"],
    terms: Mapping[str, Float[np.ndarray, " points"]],
    std: Float[np.ndarray, " points"],
    count: Int[np.ndarray, " points"] | None = None,
    pair: str = "",
    band: bool = True,
    single_terms: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """The energy of a pair by its distance, with its terms; grey where there are no data.

    Args:
        distances: Å, ascending.
        terms: energies in eV by the name of the term; the thick line is their sum.
        std: standard deviation of the sum in eV; the band is two to either side.
        count: how many pairs of the training data have such a distance, where that is known.
        pair: elements, for the axis.
        band: whether to draw the band.
        single_terms: whether to draw the terms as well, where there are several.
        ax: where to draw.
    """
    from matplotlib.patheffects import withStroke

    ax = new_axes(ax, (6.0, 3.8))
    energy = np.sum(list(terms.values()), axis=0)
    seen = np.ones(len(distances), bool) if count is None else count > 0
    ax.set(xlim=(distances[0], distances[-1]), ylim=_well(energy, std, seen))
    if count is not None:
        hatch_where(ax, distances, ~seen, "no data")
        counted(ax, distances, count)
    if band and std.any():
        error_band(ax, distances, energy, std)
    if single_terms and len(terms) > 1:
        for (name, values), (colour, _, style) in zip(terms.items(), SERIES[1:], strict=False):
            # thin, with a white rim, above the sum: both are seen where a term is all of it
            rim = [withStroke(linewidth=2.7, foreground="white")]
            ax.plot(
                distances, values, color=colour, ls=style, lw=1.5, zorder=4, label=name,
                path_effects=rim,
            )  # fmt: skip
    ax.plot(distances, energy, color=BLUE, lw=4.0, zorder=3, label="pair energy")
    ax.axhline(0, color="black", lw=0.6, zorder=1)
    ax.set_xlabel(f"{pair.replace('-', '–')} distance (Å)")
    ax.set_ylabel("pair energy (eV)")
    ax.legend(fontsize=8, loc="upper right", framealpha=0.9)
    return bare(ax)


def energy_scan(
    values: Float[np.ndarray, " points"],
    energies: Float[np.ndarray, " points"],
    stds: Float[np.ndarray, " points"],
    now: tuple[float, float],
    label: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The energy along a coordinate, and where on it a structure stands.

    Args:
        values: of the coordinate.
        energies: above the lowest in eV.
        stds: their standard deviations in eV; the band is two to either side.
        now: coordinate and energy of the structure.
        label: the coordinate with its unit.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (4.2, 3.5))
    error_band(ax, values, energies, stds)
    ax.plot(values, energies, color=BLUE, label="potential")
    ax.plot(*now, "o", color=ORANGE, ms=10, label="now")
    # a wall is far higher than anything that one looks for
    top = float(np.quantile(energies, 0.9)) + 0.2
    ax.set_ylim(-0.05 * top, max(1.2 * top, 1.1 * now[1]))
    ax.set(xlabel=label, ylabel="energy above the lowest (eV)", title=title)
    ax.legend(fontsize=8)
    return bare(ax)


def sticks(
    places: Float[np.ndarray, " sticks"],
    heights: Float[np.ndarray, " sticks"],
    x: str = "",
    y: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A line at each place; those left of zero are orange and dashed.

    Args:
        places, heights: of the lines.
        x, y: names of the axes.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (6.4, 3.0))
    for below, colour, style in ((False, BLUE, "-"), (True, ORANGE, "--")):
        chosen = (places < 0) == below
        ax.vlines(places[chosen], 0, heights[chosen], color=colour, ls=style, lw=1.8)
        ax.plot(places[chosen], heights[chosen], "o", color=colour, ms=4)
    ax.axhline(0, color="black", lw=0.8)
    ax.set(xlabel=x, ylabel=y)
    ax.set_title(title, fontsize=10)
    return bare(ax)


def error_band(
    ax: Axes,
    x: Float[np.ndarray, " points"],
    energy: Float[np.ndarray, " points"],
    std: Float[np.ndarray, " points"],
) -> None:
    """Two standard deviations to either side of a curve."""
    low, high = energy - 2 * std, energy + 2 * std
    ax.fill_between(x, low, high, color=BLUE, alpha=0.25, lw=0, zorder=2, label="± 2 std")


def hatch_where(
    ax: Axes, x: Float[np.ndarray, " points"], where: Bool[np.ndarray, " points"], label: str
) -> None:
    """Hatched grey over the whole height around some points, whatever the limits of the axis."""
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    switches = np.flatnonzero(np.diff([False, *where, False]))
    for number, (start, end) in enumerate(zip(switches[::2], switches[1::2], strict=True)):
        ax.axvspan(
            float(edges[start]),
            float(edges[end]),
            facecolor=NO_DATA,
            edgecolor=PALE,
            hatch="///",
            lw=0,
            zorder=0,
            label="_" if number else label,
        )


def _well(
    energy: Float[np.ndarray, " points"],
    std: Float[np.ndarray, " points"],
    seen: Bool[np.ndarray, " points"],
) -> tuple[float, float]:
    """The well, not the wall: what is above a few depths of the well is cut off."""
    spread = np.minimum(std, 3 * np.abs(energy).max())
    if not seen.any():
        return -1.0, 1.0
    low = min(float((energy - 2 * spread)[seen].min(initial=-0.1)), -0.1)
    high = max(0.6 * abs(low), 0.1)
    # repulsive pairs have no well: what most of the data see
    high = max(high, float(np.quantile((energy + 2 * spread)[seen], 0.8)))
    return 1.1 * low, 1.1 * high


def counted(
    ax: Axes, distances: Float[np.ndarray, " points"], count: Int[np.ndarray, " points"]
) -> None:
    """How often each distance occurs, in parts of the height of the picture, from the bottom."""
    if not count.any():
        return
    # square roots, so that a distance which occurs once in a thousand is still seen
    ax.fill_between(
        distances,
        TALLEST * np.sqrt(count / count.max()),
        step="mid",
        color=GREY,
        alpha=0.45,
        lw=0,
        zorder=1,
        transform=ax.get_xaxis_transform(),
        label=f"data (tallest bar: {count.max()} pairs,\nheights as square roots)",
    )
