"""Pictures of contributions at one moment: waterfall, bars, shares, atoms by atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from interpmd.plots.style import (
    AGAINST,
    ALONG,
    BLUE,
    DARK,
    GREY,
    ORANGE,
    SERIES,
    axes_in_a_row,
    bare,
    new_axes,
)
from interpmd.units import number_sign, unit_sign

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

#: Atoms up to which the cells of a heat map have their numbers in them.
WRITTEN_CELLS = 12

#: Names that fit beside a heat map in small letters; of more atoms every second (third, ...) is
#: named.
NAMED_ATOMS = 26

#: What whiskers are, said wherever there are some, since bands of curves are two std wide.
WHISKERS = "whiskers: ± 1 std"


#: What is written as zero, and what is zero but for rounding.
NOTHING, ROUNDING = 5e-4, 1e-9


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
        spread: standard deviations, drawn as whiskers of one to either side.
        most: largest contributions that get a bar of their own; the rest, if it is more than one,
            shares one, named by the number of those that are not zero, and so do those that
            would be written as zero.
        unit: of the values.
        title: above the picture.
        ax: where to draw.
    """
    drawn = _largest(values, spread or {}, most)
    ax = new_axes(ax, (7, 0.42 * len(drawn) + 1.4))
    start = 0.0
    for row, (name, value) in enumerate(drawn):
        _bar(ax, row, value, start, None if spread is None else spread.get(name))
        start += value
        ax.plot([start, start], [row - 0.35, row + 1.35], color=GREY, lw=0.8, zorder=0)
    return _finished(ax, drawn, start, _with_whiskers(unit, drawn, spread), title)


def bars(
    values: Mapping[str, float],
    spread: Mapping[str, float] | None = None,
    most: int = 12,
    unit: str = "eV/Å",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Contributions as bars from zero, the largest first, the sum below.

    Args:
        values, spread, most, unit, title, ax: see `budget`.
    """
    drawn = _largest(values, spread or {}, most)
    ax = new_axes(ax, (7, 0.42 * len(drawn) + 1.4))
    for row, (name, value) in enumerate(drawn):
        _bar(ax, row, value, 0.0, None if spread is None else spread.get(name))
    return _finished(ax, drawn, sum(values.values()), _with_whiskers(unit, drawn, spread), title)


def shares(
    table: pd.DataFrame,
    label: str = "share of the interaction energy (%)",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Shares of body orders as upright bars, one group an order, one bar in it a column.

    Args:
        table: shares in percent, a column for each source; the index holds orders (0: higher
            ones, or remainders) or names.
        label: of the axis.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (1.6 + 1.2 * len(table), 3.8))
    places = np.arange(len(table))
    width = 0.78 / len(table.columns)
    for number, name in enumerate(table.columns):
        colour, hatch, _ = SERIES[number % len(SERIES)]
        drawn = ax.bar(
            places + (number - (len(table.columns) - 1) / 2) * width,
            table[name],
            0.95 * width,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            label=str(name),
        )
        ax.bar_label(drawn, fmt=lambda share: number_sign(share, ".1f"), fontsize=8, padding=2)
    ax.set_xticks(places, [order_name(order) for order in table.index])
    ax.set(ylabel=label, title=title)
    ax.axhline(0, color="black", lw=0.8)
    ax.margins(y=0.12)
    if len(table.columns) > 1:
        ax.legend(frameon=False, fontsize=8)
    return bare(ax)


def heat_map(
    matrix: pd.DataFrame,
    unit: str = "eV/Å",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Atoms by atoms, signed: what lies on each pair, and on the diagonal on each atom alone.

    Positive values are blue, negative ones orange with hatching; up to `WRITTEN_CELLS` atoms
    cells have their numbers in them.

    Args:
        matrix: lower triangle with the diagonal, NaN above it, so that the cells sum to the
            total; index and columns name the atoms (`Explanation.pair_matrix`).
        unit: of the values.
        title: above the picture.
        ax: where to draw.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    values, count = matrix.to_numpy(dtype=float), len(matrix)
    ax = new_axes(ax, (0.52 * min(count, 16) + 2.2, 0.46 * min(count, 16) + 1.4))
    colours = LinearSegmentedColormap.from_list("signed", [ORANGE, "#F7F7F7", BLUE])
    limit = np.nanmax(np.abs(values)) or 1.0
    drawn = ax.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=-limit, vmax=limit)
    # as many digits as fit into a cell
    form = "+.2f" if limit < 10 else "+.1f" if limit < 100 else "+.0f"
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        if value < -0.02 * limit:
            cell = Rectangle(
                (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="//", ec="#FFFFFF50", lw=0
            )
            ax.add_patch(cell)
        if count <= WRITTEN_CELLS and abs(value) > 0.005 * limit:
            strong = abs(value) > 0.6 * limit
            ax.text(
                column,
                row,
                number_sign(value, form),
                ha="center",
                va="center",
                fontsize=7.5,
                color="white" if strong else "black",
                weight="bold" if strong else "normal",
            )
    every, size = -(-count // NAMED_ATOMS), 10 if count <= WRITTEN_CELLS else 7
    places = range(0, count, every)
    ax.set_xticks(places, matrix.columns[::every], rotation=90, fontsize=size)
    ax.set_yticks(places, matrix.index[::every], fontsize=size)
    if title:
        ax.set_title(title, fontsize=10)
    ax.figure.colorbar(drawn, ax=ax, label=unit_sign(unit), shrink=0.8)
    return bare(ax)


def order_name(order: object) -> str:
    """ "2-body", or "higher" for 0; names stay."""
    if not isinstance(order, int | np.integer):
        return str(order)
    return f"{order}-body" if order else "higher"


def others(count: int) -> str:
    """What shares one bar or line, as "3 others"."""
    return f"{count} other{'s' * (count != 1)}"


def _largest(
    values: Mapping[str, float], spread: Mapping[str, float], most: int
) -> list[tuple[str, float]]:
    """The largest, and the sum of the others, among them what would be written as zero."""
    ordered = sorted(values.items(), key=lambda item: -abs(item[1]))
    largest = abs(ordered[0][1]) if ordered else 0.0
    least = min(NOTHING, 1e-3 * largest) if largest > ROUNDING else -1.0
    seen = [(n, v) for n, v in ordered if max(abs(v), spread.get(n) or 0.0) > least][:most]
    rest = [item for item in ordered if item not in seen and item[1]]
    if len(rest) == 1:  # its name says more than "1 other"
        return seen + rest
    return seen + ([(others(len(rest)), sum(value for _, value in rest))] if rest else [])


def _with_whiskers(
    unit: str, drawn: list[tuple[str, float]], spread: Mapping[str, float] | None
) -> str:
    """The unit, and what the whiskers are where any is seen."""
    seen = any((spread or {}).get(name) for name, _ in drawn)
    return unit_sign(unit) + (f" ({WHISKERS})" if seen else "")


def _bar(ax: Axes, row: int, value: float, start: float, error: float | None) -> None:
    colour, hatch = ALONG if value >= 0 else AGAINST
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


def _finished(
    ax: Axes, drawn: list[tuple[str, float]], total: float, label: str, title: str
) -> Axes:
    ax.barh(len(drawn), total, color=DARK, height=0.7)
    lines = [*drawn, ("sum", total)]
    ax.set_yticks(range(len(lines)), [f"{name}  {number_sign(value)}" for name, value in lines])
    ax.invert_yaxis()
    ax.axvline(0, color="black", lw=0.8)
    ax.set(xlabel=label, title=title)
    ax.use_sticky_edges = False
    ax.margins(x=0.03)
    if max(abs(value) for _, value in lines) < ROUNDING:
        ax.set_xlim(-1, 1)
    return bare(ax)


def corrected(
    table: pd.DataFrame,
    baseline: str,
    level: str,
    unit: str = "eV/Å",
    title: str = "",
    most: int = 8,
    ax: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Rows of a baseline beside those of baseline plus correction, and the correction alone.

    Numbers are those of the baseline, an arrow, and those of the sum.

    Args:
        table: columns baseline, sum, correction and std (NaN where unknown), a line for each row.
        baseline: name of the cheap level of theory.
        level: name of what the sum stands for.
        unit: of the values.
        title: above the picture.
        most: largest corrections that get a line of their own; the others share one.
        ax: two axes.
    """
    ordered = table.reindex(table.correction.abs().sort_values(ascending=False).index)
    size = ordered[["baseline", "correction"]].abs().max(axis=1)
    ordered = ordered[size > 1e-3 * size.max()]  # what would be seen
    drawn, rest = ordered[:most], ordered[most:]
    if len(rest):
        drawn = drawn.copy()
        spread = float(np.sqrt((rest["std"] ** 2).sum()))
        drawn.loc[others(len(rest))] = {**rest.sum().to_dict(), "std": spread}
    if ax is None:
        ax = axes_in_a_row((10.4, 0.46 * len(drawn) + 1.7), 1.25, 1)
    rows = np.arange(len(drawn))
    for column, name, side, look in (
        ("baseline", baseline, -0.2, SERIES[0]),
        ("sum", level, 0.2, SERIES[1]),
    ):
        ax[0].barh(
            rows + side, drawn[column], 0.38, color=look[0], hatch=look[1], edgecolor="white",
            label=name,
        )  # fmt: skip
    pairs = zip(drawn.index, drawn["baseline"], drawn["sum"], strict=True)
    names = [f"{name}  {number_sign(below)} → {number_sign(whole)}" for name, below, whole in pairs]
    ax[0].set_yticks(rows, names)
    ax[0].set(xlabel=unit_sign(unit))
    # above the axes, where no bar can be, whatever there is room for inside
    ax[0].legend(
        title=title, title_fontsize=12, fontsize=9, frameon=False,
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, borderaxespad=0.1,
    )  # fmt: skip
    known = np.isfinite(drawn["std"].to_numpy(dtype=float))
    colour, hatch, _ = SERIES[2]  # of neither method
    ax[1].barh(
        rows, drawn.correction, 0.7, color=colour, hatch=hatch, edgecolor="white",
        xerr=drawn["std"].where(known), ecolor=DARK,
    )  # fmt: skip
    corrections = [number_sign(value) for value in drawn.correction]
    ax[1].set_yticks(rows, corrections)
    whiskers = f" ({WHISKERS})" if known.any() else ""
    ax[1].set(
        xlabel=unit_sign(unit) + whiskers,
        title=f"correction, in all {number_sign(table.correction.sum())}",
    )
    for panel in ax:
        panel.invert_yaxis()
        panel.axvline(0, color="black", lw=0.8)
        bare(panel)
    return ax


def order_shares(sums: Mapping[str, float], name: str) -> pd.DataFrame:
    """Shares of the orders above one in percent of their sum, remainders (0) last.

    Single players are left out, because isolated atoms would outweigh all that they do together.
    Where orders of opposite sign nearly cancel, shares grow without limits.

    Args:
        sums: by order.
        name: of the column.
    """
    import pandas as pd

    by_order = {int(order): value for order, value in sums.items()}
    orders = sorted((order for order in by_order if order != 1), key=lambda order: order or 99)
    values = np.array([by_order[order] for order in orders])
    table = pd.DataFrame({name: 100 * values / values.sum()}, index=orders)
    return table.rename_axis("order")
