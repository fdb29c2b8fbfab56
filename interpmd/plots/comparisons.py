"""Pictures of models beside references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from interpmd.plots.budgets import order_name, shares
from interpmd.plots.style import GREY, MARKERS, axes_in_a_row, bare, line_of, new_axes

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def parity(
    groups: Mapping[str, tuple[np.ndarray, np.ndarray]],
    label: str,
    reference: str = "reference",
    predicted: str = "potential",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Predictions against references, with the line on which they agree.

    Args:
        groups: references and predictions, of the same shape, by name; told apart by colour and
            marker, and named where there are several.
        label: quantity with its unit, as "force (eV/Å)".
        reference, predicted: where the two come from.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (4.4, 4.2))
    everything = np.concatenate([np.ravel(v) for pair in groups.values() for v in pair])
    if everything.size:
        ends = [everything.min(), everything.max()]
        ax.plot(ends, ends, color=GREY, lw=1, zorder=0)
    many = len(everything) > 2000
    for number, (name, (true, estimate)) in enumerate(groups.items()):
        ax.plot(
            np.ravel(true),
            np.ravel(estimate),
            "." if len(groups) == 1 and many else MARKERS[number % len(MARKERS)],
            ms=3 if many else 4,
            mfc="none",
            mew=0.7 if many else 1.0,
            alpha=0.6 if many else 1.0,
            color=line_of(number)[0],
            label=name,
        )
    ax.set(xlabel=f"{reference}, {label}", ylabel=f"{predicted}, {label}", title=title)
    if len(groups) > 1:
        ax.legend(frameon=False, fontsize=8, markerscale=1.6 if many else 1.0)
    return bare(ax)


def energies_and_forces(
    energy: Float[np.ndarray, "frames true_and_predicted"],
    forces: Float[np.ndarray, "components true_and_predicted"],
    errors: Mapping[str, float],
    ax: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Parity of energies and of forces, with the errors above.

    Args:
        energy: eV. forces: eV/Å.
        errors: root mean square errors of "energy" in meV and "force" in meV/Å, where known.
        ax: two axes.
    """
    if ax is None:
        ax = axes_in_a_row((9, 4.2), 1, 1)
    middle = np.median(energy[:, 0]) if len(energy) else 0.0
    panels = (
        (energy - middle, "energy", "energy − median (eV)", "meV"),
        (forces, "force", "force (eV/Å)", "meV/Å"),
    )
    for panel, (values, quantity, label, unit) in zip(ax, panels, strict=True):
        title = "no labels"
        if quantity in errors:
            title = f"RMSE {_three_digits(errors[quantity])} {unit}"
        parity({"test": (values[:, 0], values[:, 1])}, label, title=title, ax=panel)
    return ax


def _three_digits(value: float) -> str:
    """Three digits that count, and all before the point."""
    places = int(np.clip(2 - np.floor(np.log10(max(value, 1e-9))), 0, 9))
    return f"{value:.{places}f}"


def many_body(
    terms: Mapping[int, tuple[np.ndarray, np.ndarray]],
    table: pd.DataFrame,
    reference: str,
    title: str = "",
    ax: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """n-body contributions of a potential against those of a reference, and the shares.

    Terms of more than two molecules are small, so that an inset shows them larger.

    Args:
        terms: contributions of the reference and of the potential in kcal/mol, by order.
        table: shares in percent by order, a column for each source.
        reference: its name.
        title: of the shares.
        ax: two axes.
    """
    if ax is None:
        ax = axes_in_a_row((9.5, 4.2), 1, 1)
    groups = {
        f"{order_name(order)} {np.sqrt(np.mean((other - true) ** 2)):.3f}": (true, other)
        for order, (true, other) in terms.items()
    }
    parity(groups, "n-body energy (kcal/mol)", reference, "potential", ax=ax[0])
    ax[0].legend(
        frameon=False, fontsize=8, title="RMSE in kcal/mol", title_fontsize=8, markerscale=1.6
    )
    _enlarged(ax[0], {name: pair for name, pair in groups.items() if name[0] != "2"})
    shares(table, title=title, ax=ax[1])
    return ax


def _enlarged(ax: Axes, groups: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """The groups once more at the lower right, on a scale that fits them."""
    if not groups:
        return
    values = np.concatenate([np.concatenate(pair) for pair in groups.values()])
    margin = 0.05 * np.ptp(values) or 1.0
    ends = (values.min() - margin, values.max() + margin)
    inset = ax.inset_axes((0.55, 0.08, 0.44, 0.44))
    inset.plot(ends, ends, color=GREY, lw=1, zorder=0)
    for number, (true, estimate) in enumerate(groups.values(), start=1):
        colour, marker = line_of(number)[0], MARKERS[number % len(MARKERS)]
        inset.plot(true, estimate, marker, ms=3, mfc="none", mew=0.7, color=colour)
    inset.set(xlim=ends, ylim=ends)
    inset.tick_params(labelsize=7)
    inset.set_title("without 2-body, same axes", fontsize=8)
