"""Static pictures of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from interpmd.decomposition.decomposition import Decomposition


def plot_shares(table: Decomposition) -> Figure:
    """Bars of the energy (eV) and net force (eV/A) of each term and each body order.

    Single atoms stand in the title, because their energies outweigh all others.

    Returns:
        The figure, one of pyplot's.
    """
    import matplotlib.pyplot as plt

    from interpmd.views.plots.budgets import WHISKERS
    from interpmd.views.style import SERIES, bare

    figure, axes = plt.subplots(2, 2, figsize=(9, 5.2), layout="constrained", sharey="row")
    together = table._take(np.flatnonzero(table.order != 1))
    for row, what in enumerate(("term", "order")):
        groups = together.by(what)
        names = ["remainder" if g == 0 else str(g) for g in groups.index]
        places = np.arange(len(names))
        for axis, (column, label) in zip(
            axes[row],
            (("energy_eV", "energy (eV)"), ("force_eV_A", "net force, root of sum (eV/Å)")),
            strict=True,
        ):
            values = groups[column].to_numpy()
            bars = axis.barh(places, values, edgecolor="white")
            for place, bar in enumerate(bars):
                colour, hatch, _ = SERIES[place % len(SERIES)]
                bar.set(facecolor=colour, hatch=hatch)
            spread = groups["energy_std_eV"].to_numpy()
            if column == "energy_eV" and spread.any():
                label = f"energy (eV; {WHISKERS})"
                # below the middle, where the numbers stand
                axis.errorbar(
                    values, places + 0.3, xerr=spread, fmt="none", ecolor="black", capsize=3
                )
            axis.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
            axis.axvline(0, color="black", lw=0.8)
            axis.set_xlabel(label)
            axis.margins(x=0.2)
            bare(axis)
        axes[row][0].set_yticks(places, names)
        axes[row][0].invert_yaxis()
        axes[row][0].set_ylabel(what)
    formula = table.structure.get_chemical_formula()
    figure.suptitle(
        f"{formula}: {table.energy:.4f} eV, of which {table.energy - together.energy:.4f} eV are "
        f"single atoms and the rest {len(together)} rows",
        fontsize=10,
    )
    return figure
