"""Pictures of a space of molecules: what groups do at sites, and the way to the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from interpmd.plots.style import BLUE, DARK, GREY, ORANGE, PALE, bare, new_axes
from interpmd.units import number_sign, unit_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Part of its error bar below which a value is hatched: zero is as likely.
UNSURE = 1.0


@dataclass(frozen=True)
class Branch:
    """A molecule on a tree of choices.

    Attributes:
        label: what was chosen.
        value, std: of the molecule.
        chosen: whether the way goes through it.
    """

    label: str
    value: float
    std: float
    chosen: bool


def group_table(
    values: pd.DataFrame,
    errors: pd.DataFrame | None = None,
    unit: str = "eV",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Groups by sites: what each does alone, in colours and numbers.

    Positive values are blue, negative ones orange; grey hatching where the error bar is larger
    than the value.

    Args:
        values: groups by sites; not a number where a group is not tried.
        errors: error bars of the same shape.
        unit: of the values.
        title: above the picture.
        ax: where to draw.
    """
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    shown = values.to_numpy(dtype=float)
    rows, columns = shown.shape
    wide = 0.95 if errors is not None else 0.7
    ax = new_axes(ax, (wide * columns + 2.6, 0.27 * rows + 1.2))
    colours = LinearSegmentedColormap.from_list("signed", [ORANGE, "#F7F7F7", BLUE])
    colours.set_bad("#FFFFFF")
    limit = float(np.nanmax(np.abs(shown), initial=0.0)) or 1.0
    drawn = ax.imshow(
        np.ma.masked_invalid(shown), cmap=colours, vmin=-limit, vmax=limit, aspect="auto"
    )
    form = "+.2f" if limit < 10 else "+.1f"
    for (row, column), value in np.ndenumerate(shown):
        if np.isnan(value):
            continue
        text = number_sign(value, form)
        if errors is not None:
            bar = float(errors.to_numpy(dtype=float)[row, column])
            text += f" ± {bar:{form[1:]}}"
            if bar > UNSURE * abs(value):
                cell = Rectangle(
                    (column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", ec=PALE, lw=0
                )
                ax.add_patch(cell)
        strong = abs(value) > 0.6 * limit
        # the words stand on the hatching
        box = {"fc": "#FFFFFFCC", "ec": "none", "pad": 0.6} if not strong else None
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=7.5,
            color="white" if strong else "black",
            weight="bold" if strong else "normal",
            bbox=box,
        )
    ax.set_xticks(range(columns), [str(name) for name in values.columns])
    ax.set_yticks(range(rows), [str(name) for name in values.index])
    ax.tick_params(length=0)
    ax.set_title(title, fontsize=10, loc="left")
    ax.figure.colorbar(drawn, ax=ax, label=unit_sign(unit), shrink=0.8)
    return bare(ax)


def choice_tree(
    start: Branch,
    steps: Sequence[Sequence[Branch]],
    unit: str = "eV",
    quantity: str = "value",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A tree of choices: each step from the molecule before it, the way taken in bold.

    Args:
        start: the bare scaffold.
        steps: what each step could choose, of which one was chosen.
        unit: of the values.
        quantity: on the axis.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (2.0 * (len(steps) + 1) + 0.8, 3.6))
    ax.errorbar([0], [start.value], [start.std], fmt="s", color=DARK, ms=8, capsize=3)
    spread = [b.value for step in steps for b in step] + [start.value]
    room = 0.055 * (max(spread) - min(spread) or 1.0)
    _write(ax, 0, start.value, start.label, True)
    here = (0.0, start.value)
    for number, step in enumerate(steps, start=1):
        places = _apart([branch.value for branch in step], room)
        after = here
        for branch, height in zip(step, places, strict=True):
            there = (float(number), branch.value)
            colour = BLUE if branch.chosen else GREY
            line = {"lw": 2.6, "ls": "-"} if branch.chosen else {"lw": 1.0, "ls": "--"}
            ax.plot(*zip(here, there, strict=True), color=colour, zorder=1, **line)
            marker = "o" if branch.chosen else "D"
            size = 8 if branch.chosen else 5
            ax.errorbar(*there, branch.std, fmt=marker, color=colour, ms=size, capsize=3, zorder=2)
            _write(
                ax,
                number,
                height,
                f"{branch.label}  {number_sign(branch.value, '.2f')}",
                branch.chosen,
            )
            if branch.chosen:
                after = there
        here = after
    ax.set_xlim(-0.25, len(steps) + 0.8)
    ax.margins(y=0.12)
    ax.set_xticks(
        range(len(steps) + 1), ["scaffold", *(f"{k} changed" for k in range(1, len(steps) + 1))]
    )
    ax.set_ylabel(f"{quantity} ({unit_sign(unit)})" if unit else quantity)
    ax.set_title(title, fontsize=10, loc="left")
    return bare(ax)


def levels(
    energies: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray | None = None,
    unit: str = "kcal/mol",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Levels side by side in their order, with error bars.

    Args:
        energies: above the lowest, ascending.
        errors: error bars.
        unit: of both.
        title: above the picture.
        ax: where to draw.
    """
    count = len(energies)
    ax = new_axes(ax, (min(0.45 * count, 9.0) + 2.0, 3.0))
    places = np.arange(count)
    ax.hlines(energies, places - 0.38, places + 0.38, color=BLUE, lw=2.4)
    if errors is not None:
        ax.errorbar(places, energies, errors, fmt="none", ecolor=DARK, capsize=3, lw=1.2)
    every = -(-count // 20)
    ax.set_xticks(places[::every])
    ax.set(xlabel="conformer", ylabel=f"energy above the lowest ({unit_sign(unit)})")
    ax.set_title(title, fontsize=10, loc="left")
    return bare(ax)


def _write(ax: Axes, x: float, y: float, text: str, bold: bool) -> None:
    # on the way taken above the line, beside the point elsewhere
    ax.annotate(
        text,
        (x, y),
        (-6, 9) if bold else (9, 0),
        textcoords="offset points",
        va="bottom" if bold else "center",
        fontsize=8.5,
        weight="bold" if bold else "normal",
        color=DARK if bold else "#555555",
        bbox={"fc": "#FFFFFFDD", "ec": "none", "pad": 0.8},
        zorder=3,
    )


def _apart(values: Sequence[float], room: float) -> list[float]:
    """Heights near the values, at least so far from each other that words do not meet."""
    order = np.argsort(values, kind="stable")
    heights = np.asarray(values, dtype=float)[order].copy()
    for _ in range(50):
        gaps = np.diff(heights)
        if (gaps >= 0.999 * room).all():
            break
        for k in np.flatnonzero(gaps < room):
            push = (room - (heights[k + 1] - heights[k])) / 2
            heights[k] -= push
            heights[k + 1] += push
    placed = np.empty(len(heights))
    placed[order] = heights
    return placed.tolist()
