"""Pictures of energies and forces along a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from interpmd.plots.budgets import others
from interpmd.plots.style import (
    AGAINST,
    ALONG,
    BLUE,
    GREY,
    NO_DATA,
    ORANGE,
    bare,
    line_of,
    new_axes,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def energy_profile(
    coordinate: Float[np.ndarray, " frames"],
    energies: Float[np.ndarray, " frames"],
    x: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Energy along a path, a point for each structure, the highest one named.

    Args:
        coordinate: how far along each structure is.
        energies: above the first in eV.
        x: name of the coordinate.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (6.4, 3.8))
    top = int(energies.argmax())
    ax.plot(coordinate, energies, "o-", color=BLUE, ms=4)
    ax.plot(coordinate[top], energies[top], "s", color=ORANGE, ms=8)
    place = (coordinate[top] - coordinate.min()) / max(np.ptp(coordinate), 1e-12)
    ax.annotate(
        f"{energies[top]:.3f} eV",
        (coordinate[top], energies[top]),
        (0, 8),
        textcoords="offset points",
        ha="left" if place < 0.1 else "right" if place > 0.9 else "center",
        fontsize=9,
    )
    ax.axhline(0, color="black", lw=0.6)
    ax.margins(y=0.15)
    ax.set(xlabel=x, ylabel="energy above the first (eV)")
    ax.set_title(title, fontsize=9)
    return bare(ax)


def row_lines(
    coordinate: Float[np.ndarray, " frames"],
    series: Mapping[str, Float[np.ndarray, " frames"]],
    most: int = 5,
    x: str = "",
    y: str = "energy above the first (eV)",
    ax: Axes | None = None,
) -> Axes:
    """Energies of rows along a path, the largest by themselves, all others together, and the sum.

    Args:
        coordinate: how far along each frame is.
        series: energies by name; their sum is drawn thick.
        most: lines of their own.
        x, y: names of the axes.
        ax: where to draw.
    """
    ax = new_axes(ax, (8, 4))
    ranked = sorted(series, key=lambda name: -float(np.abs(series[name]).max()))
    lines = {name: series[name] for name in ranked[:most]}
    if rest := [name for name in ranked[most:] if np.abs(series[name]).max() > 0]:
        name = rest[0] if len(rest) == 1 else others(len(rest))
        lines[name] = np.sum([series[n] for n in rest], axis=0)
    for number, (name, values) in enumerate(lines.items()):
        colour, line = line_of(number)
        ax.plot(coordinate, values, color=colour, ls=line, lw=1.7, label=name)
    total = np.sum(list(series.values()), axis=0)
    ax.plot(coordinate, total, color="black", lw=2.6, label="sum", zorder=5)
    ax.axhline(0, color="black", lw=0.6)
    if coordinate[0] > coordinate[-1]:
        ax.invert_xaxis()
    ax.set(xlabel=x, ylabel=y)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return bare(ax)


def segment_bars(
    slopes: pd.DataFrame, titles: Sequence[str], most: int = 8, x: str = "slope"
) -> Figure:
    """Bars of rows, one picture for each segment side by side, the same rows in each.

    Args:
        slopes: a line for each row, a column for each segment.
        titles: above each picture.
        most: rows with bars of their own; the others share one.
        x: name of the axes.
    """
    import matplotlib.pyplot as plt

    size = slopes.abs().max(axis=1).sort_values(ascending=False, kind="stable")
    shown = slopes.loc[size.index[:most]].copy()
    if len(size) > most:
        shown.loc[others(len(size) - most)] = slopes.loc[size.index[most:]].sum()
    figure, axes = plt.subplots(
        1,
        len(titles),
        figsize=(2.4 + 2.9 * len(titles), 0.34 * len(shown) + 1.3),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    for ax, title, segment in zip(axes[0], titles, shown, strict=True):
        for row, value in enumerate(shown[segment]):
            colour, hatch = ALONG if value >= 0 else AGAINST
            ax.barh(row, value, color=colour, hatch=hatch, edgecolor="white", height=0.7)
        ax.axvline(0, color="black", lw=0.8)
        ax.set(xlabel=x)
        ax.set_title(title, fontsize=9)
        bare(ax)
    axes[0, 0].set_yticks(range(len(shown)), [str(name) for name in shown.index])
    axes[0, 0].invert_yaxis()
    return figure


def force_regions(
    coordinate: Float[np.ndarray, " points"],
    energy: Float[np.ndarray, " points"],
    force: Float[np.ndarray, " points"],
    bounds: Float[np.ndarray, " 5"],
    words: Sequence[str],
    x: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Energy and reaction force along a path, its regions shaded and named.

    Args:
        coordinate: places.
        energy: above the reactant in eV.
        force: eV per unit of the coordinate.
        bounds: of the four regions.
        words: of each region.
        x: name of the coordinate, with its unit in brackets.
        ax: where to draw.
    """
    ax = new_axes(ax, (8, 4))
    for number, word in enumerate(words):
        low, high = bounds[number : number + 2]
        if number % 2:
            ax.axvspan(low, high, color=NO_DATA, zorder=0)
        ax.text(
            (low + high) / 2,
            1.02 + 0.06 * (number % 2),  # the middle regions are narrow
            word,
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=8,
        )
    ax.plot(coordinate, energy, color=BLUE, lw=2.2, label="energy")
    ax.set_xlabel(x)
    ax.set_ylabel("energy above the reactant (eV), solid", color=BLUE)
    other = ax.twinx()
    other.plot(coordinate, force, color=ORANGE, ls="--", lw=1.8, label="force")
    other.axhline(0, color=GREY, lw=0.8, ls=":")
    *_, unit = x.rstrip(")").rpartition("(")
    label = f"reaction force, dashed (eV/({unit}))" if "(" in x else "reaction force, dashed"
    other.set_ylabel(label, color=ORANGE)
    other.spines["top"].set_visible(False)
    if coordinate[0] > coordinate[-1]:
        ax.invert_xaxis()
    return bare(ax)
