"""Potentials beside force fields: force errors, conformers, a torsion profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from interpmd.plots.style import DARK, GREY, MARKERS, SERIES, axes_in_a_row, bare, line_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def plot_force_fields(
    errors: pd.DataFrame,
    conformers: pd.DataFrame,
    profile: pd.DataFrame,
    reference: str,
    title: str = "",
    ax: Sequence[Axes] | None = None,
) -> Sequence[Axes]:
    """Force errors as bars, energies of conformers against the reference, energies along a torsion.

    Args:
        errors: one row a model, with column force_rmse_eV_A.
        conformers: relative energies in kcal/mol, one column a model, and one of the reference.
        profile: the same, by angle in degrees.
        reference: its name.
        title: of the first picture.
        ax: three axes.
    """
    bars, minima, along = axes_in_a_row((10.4, 3.8), 1, 1, 1.2) if ax is None else ax
    names = list(errors.index)
    values = 1000 * errors.force_rmse_eV_A.to_numpy()
    for row, value in enumerate(values):
        colour, hatch, _ = SERIES[row % len(SERIES)]
        bars.barh(row, value, color=colour, hatch=hatch, edgecolor="white")
        bars.text(value, row, f" {value:.0f}", va="center", fontsize=9, color=DARK)
    bars.set_yticks(range(len(names)), names)
    bars.invert_yaxis()
    bars.set_xlim(0, 1.2 * np.nanmax(values, initial=1.0))
    bars.set(xlabel="force RMSE (meV/Å)", title=title)
    if len(conformers) > 1:
        true = conformers[reference]
        ends = [conformers.min().min(), conformers.max().max()]
        minima.plot(ends, ends, color=GREY, lw=1, zorder=0)
        for row, name in enumerate(names):
            mark = MARKERS[row % len(MARKERS)]
            minima.plot(true, conformers[name], mark, mfc="none", color=line_of(row)[0], label=name)
        minima.set(xlabel=f"{reference} (kcal/mol)", ylabel="model (kcal/mol)")
    else:
        _nothing(minima, "one minimum only")
    minima.set_title("conformers")
    if len(profile):
        along.plot(profile.index, profile[reference], color=DARK, lw=2.5, label=reference)
        for row, name in enumerate(names):
            (colour, dash), mark = line_of(row), MARKERS[row % len(MARKERS)]
            look = {"color": colour, "ls": dash, "lw": 1.8, "marker": mark, "mfc": "none", "ms": 5}
            along.plot(profile.index, profile[name], label=name, **look)
        along.set(xlabel="dihedral (degrees)", ylabel="energy − mean (kcal/mol)")
        along.set_xticks([-180, -90, 0, 90, 180])
        low, high = along.get_ylim()
        along.set_ylim(low, high + 0.35 * (high - low))  # for the legend, above all curves
        along.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")
    else:
        _nothing(along, "no dihedral was given")
        if len(conformers) > 1:
            minima.legend(frameon=False, fontsize=9)
    along.set_title("torsion profile")
    for each in (bars, minima, along):
        bare(each)
    return bars, minima, along


def _nothing(ax: Axes, why: str) -> None:
    """An empty picture that says why it is."""
    ax.text(0.5, 0.5, why, ha="center", transform=ax.transAxes)
    ax.set(xticks=[], yticks=[])
