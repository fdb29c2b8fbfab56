"""How well rows are determined: the curve and error band of every pair, errors of triplets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from interpmd.plots.curves import error_band, hatch_where
from interpmd.plots.style import AGAINST, ALONG, BLUE, GREY, bare

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


#: Triplets that get a bar, the worst ones.
MOST_BARS = 12


def plot_determination(table: pd.DataFrame, summary: pd.DataFrame, threshold: float) -> Figure:
    """A panel for each pair of elements, and bars of the worst triplets.

    Args:
        table: a line for each dimer and trimer, with the columns elements, order, r1_A, energy_eV,
            std_eV, determined and physical.
        summary: a line for each pair and triplet of elements, the worst first, with the columns
            order and mean_std_eV.
        threshold: eV; a row is determined where its standard deviation is below this.

    The line is the energy of the pair row, the band two standard deviations to either side.
    Distances at which the row is not determined are hatched.

    Returns:
        The figure, one of pyplot's.
    """
    import matplotlib.pyplot as plt

    pairs = table[table.order == 2]
    names = list(dict.fromkeys(pairs.elements))
    columns = min(len(names), 2 if len(names) <= 4 else 3 if len(names) <= 6 else 4)
    rows = -(-len(names) // columns)
    bars = (table.order == 3).any()
    figure = plt.figure(
        figsize=(2.2 * columns + 3.4 * bars, max(2.1 * rows, 3.6) + 0.8), layout="constrained"
    )
    left, right = figure, None
    if bars:
        parts = figure.subfigures(1, 2, width_ratios=(2.2 * columns, 3.4), squeeze=False)
        left, right = parts[0]
    for place, name in enumerate(names):
        axis = left.add_subplot(rows, columns, place + 1)
        _pair(axis, pairs[pairs.elements == name], name)
        if place + columns >= len(names):
            axis.set_xlabel("distance (Å)")
        if place % columns == 0:
            axis.set_ylabel("pair energy (eV)")
    left.suptitle("line: pair energy   band: ± 2 std   hatched: not determined", fontsize=9)
    if right is not None:
        _triplets(right.subplots(), summary, threshold)
    return figure


def _pair(axis: Axes, part: pd.DataFrame, name: str) -> None:
    part = part.sort_values("r1_A")
    physical = part[part.physical]
    radii = covalent_radii[[atomic_numbers[symbol] for symbol in name.split("-")]]
    r, energy, spread = (part[c].to_numpy() for c in ("r1_A", "energy_eV", "std_eV"))
    open_ = ~part.determined.to_numpy()
    # the wall at short range is far higher than anything that chemistry depends on
    outer = r >= min(1.1 * radii.sum(), r[-1])
    low = min((energy - 2 * spread)[outer].min(), physical.energy_eV.min(), -0.05)
    high = max((energy + 2 * spread)[outer].max(), 0.3 * abs(low))
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    axis.set(xlim=(r[0], r[-1]), ylim=(low, high))
    hatch_where(axis, r, open_, "not determined")
    error_band(axis, r, energy, spread)
    axis.plot(r, energy, color=BLUE, lw=1.8, zorder=3)
    axis.axhline(0, color="black", lw=0.6, zorder=1)
    fraction = physical.determined.mean()
    title = f"{name.replace('-', '–')}: {_words(fraction)}"
    axis.set_title(title, fontsize=10, loc="left")
    bare(axis)


def _words(fraction: float) -> str:
    if fraction == 1:
        return "determined"
    return "not determined" if fraction == 0 else f"{100 * fraction:.0f} % determined"


def _triplets(axis: Axes, summary: pd.DataFrame, threshold: float) -> None:
    triplets = summary[summary.order == 3]
    shown = triplets[:MOST_BARS]
    places = np.arange(len(shown))
    values = shown.mean_std_eV.to_numpy()
    good = values < threshold
    for place, value, fine in zip(places, values, good, strict=True):
        colour, hatch = ALONG if fine else AGAINST
        axis.barh(place, value, color=colour, hatch=hatch, edgecolor="white", height=0.7)
        axis.text(value, place, f" {value:.3g}", va="center", fontsize=8)
    axis.set_yticks(places, [name.replace("-", "–") for name in shown.index])
    axis.invert_yaxis()
    axis.axvline(threshold, color=GREY, lw=1.2, ls="--")
    if values.max() > 20 * threshold:
        axis.set_xscale("log")
        axis.set_xlim(min(0.5 * threshold, 0.7 * values.min()), 2.2 * values.max())
    else:
        axis.set_xlim(0, 1.2 * max(values.max(), threshold))
    rest = len(triplets) - len(shown)
    title = "triplets" if not rest else f"the worst {len(shown)} of {len(triplets)} triplets"
    axis.set_title(f"{title}\n(middle: atom at the angle)", fontsize=9, loc="left")
    axis.set_xlabel(
        f"mean std of the triplet energy (eV)\ndashed: determined below {threshold:g} eV"
    )
    bare(axis)
