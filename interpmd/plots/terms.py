"""Bars of terms and body orders: energies beside forces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interpmd.plots.budgets import WHISKERS
from interpmd.plots.style import SERIES, bare
from interpmd.units import number_sign

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def plot_shares(groups: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Bars of the energy (eV) and net force (eV/Å) of groups of rows.

    Args:
        groups: frames with the columns energy_eV, energy_std_eV and force_eV/A, indexed by group
            (0 is the remainder), by what they are groups of.
        title: above all.

    Returns:
        The figure, one of pyplot's.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        len(groups), 2, figsize=(9, 5.2), layout="constrained", sharey="row", squeeze=False
    )
    for row, (what, table) in enumerate(groups.items()):
        names = ["remainder" if g == 0 else str(g) for g in table.index]
        places = np.arange(len(names))
        for axis, (column, label) in zip(
            axes[row],
            (("energy_eV", "energy (eV)"), ("force_eV/A", "net force, root of sum (eV/Å)")),
            strict=True,
        ):
            values = table[column].to_numpy()
            bars = axis.barh(places, values, edgecolor="white")
            for place, bar in enumerate(bars):
                colour, hatch, _ = SERIES[place % len(SERIES)]
                bar.set(facecolor=colour, hatch=hatch)
            spread = table["energy_std_eV"].to_numpy()
            if column == "energy_eV" and spread.any():
                label = f"energy (eV; {WHISKERS})"
                # below the middle, where the numbers stand
                axis.errorbar(
                    values, places + 0.3, xerr=spread, fmt="none", ecolor="black", capsize=3
                )
            axis.bar_label(bars, fmt=lambda v: number_sign(v, ".3g"), padding=3, fontsize=8)
            axis.axvline(0, color="black", lw=0.8)
            axis.set_xlabel(label)
            axis.margins(x=0.2)
            bare(axis)
        axes[row][0].set_yticks(places, names)
        axes[row][0].invert_yaxis()
        axes[row][0].set_ylabel(what)
    figure.suptitle(title, fontsize=10)
    return figure
