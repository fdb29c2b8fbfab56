"""A structural formula, and which of its fragments are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from interpmd.plots.style import BLUE, DARK, ORANGE, PALE, axes_in_a_row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Fragments that are listed in words.
LISTED = 14


def fragments_of_formula(
    symbols: Mapping[int, str],
    places: Mapping[int, tuple[float, float]],
    bonds: Sequence[tuple[int, int, float]],
    fragments: Sequence[tuple[str, bool, set[int]]],
    title: str = "",
    ax: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """A formula with the atoms of lacking fragments marked, and the list of fragments.

    Args:
        symbols: of the heavy atoms, as "CH3", by number.
        places: of the same on paper; bonds have length 1.5.
        bonds: pairs of atoms, and orders.
        fragments: name, whether it is known, and atoms of each; lacking ones first.
        title: above the formula.
        ax: two axes.
    """
    left, right = axes_in_a_row((8.6, 3.6), 1, 1) if ax is None else ax
    lacking = set().union(*(atoms for _, known, atoms in fragments if not known))
    for first, second, order in bonds:
        (x1, y1), (x2, y2) = places[first], places[second]
        away = (0.11 * (y1 - y2) / 1.5, 0.11 * (x2 - x1) / 1.5)
        marked = first in lacking and second in lacking
        if marked:
            left.plot([x1, x2], [y1, y2], color=ORANGE, lw=12, alpha=0.3, zorder=0)
        shifts = {1.0: (0,), 1.5: (-1, 1), 2.0: (-1, 1), 3.0: (-1.6, 0, 1.6)}[order]
        for number, shift in enumerate(shifts):
            dash = "--" if order == 1.5 and number else "-"
            x, y = (
                [x1 + shift * away[0], x2 + shift * away[0]],
                [y1 + shift * away[1], y2 + shift * away[1]],
            )
            left.plot(x, y, dash, color=DARK, lw=1.6, zorder=1)
    for atom, symbol in symbols.items():
        marked = atom in lacking
        box = {"boxstyle": "round,pad=0.18", "fc": "white", "ec": ORANGE if marked else "white"}
        left.text(
            *places[atom],
            symbol,
            ha="center",
            va="center",
            fontsize=10,
            color=ORANGE if marked else DARK,
            weight="bold" if marked else "normal",
            bbox=box | {"ls": "--", "lw": 1.2},
            zorder=2,
        )
    across, up = zip(*places.values(), strict=True)
    left.set_xlim(min(across) - 1, max(across) + 1)
    left.set_ylim(min(up) - 1, max(up) + 1)
    left.set_aspect("equal")
    left.axis("off")
    left.set_title(title)
    right.axis("off")
    count = sum(known for _, known, _ in fragments)
    right.set_title(f"{count} of {len(fragments)} fragments known", color=DARK)
    shown = list(fragments[:LISTED])
    for row, (name, known, _) in enumerate(shown):
        right.text(
            0.02,
            0.97 - row / (LISTED + 1),
            f"{'✓ known' if known else '✗ lacking'}   {name}",
            color=BLUE if known else ORANGE,
            weight="normal" if known else "bold",
            fontsize=9,
            va="top",
            transform=right.transAxes,
        )
    if len(fragments) > LISTED:
        words = f"and {len(fragments) - LISTED} more"
        right.text(0.02, 0.97 - LISTED / (LISTED + 1), words, color=PALE, fontsize=9, va="top",
                   transform=right.transAxes)  # fmt: skip
    return left, right
