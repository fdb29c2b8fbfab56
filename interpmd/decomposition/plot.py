"""Static pictures of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from interpmd.decomposition.decomposition import Decomposition

#: Colours that people with any colour vision tell apart. Okabe and Ito (2008), jfly.uni-koeln.de.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

#: Fill patterns, so that a print without colours can be read.
HATCHES = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")


def plot_shares(table: Decomposition) -> Figure:
    """Bars of the energy (eV) and net force (eV/A) of each term and each body order."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 5.2), layout="constrained", sharey="row")
    # closed, so that a notebook shows the returned figure once and not twice
    plt.close(figure)
    for row, what in enumerate(("term", "order")):
        groups = table.by(what)
        names = ["remainder" if g == 0 else str(g) for g in groups.index]
        for axis, (column, label) in zip(
            axes[row],
            (("energy_eV", "energy (eV)"), ("force_eV_A", "net force, root of sum (eV/A)")),
            strict=True,
        ):
            spread = groups["energy_std_eV"] if column == "energy_eV" else None
            _bars(axis, names, groups[column].to_numpy(), spread)
            axis.set_xlabel(label)
        axes[row][0].set_ylabel(what)
    formula = table.structure.get_chemical_formula()
    figure.suptitle(f"{formula}: {table.energy:.4f} eV as the sum of {len(table)} rows")
    return figure


def _bars(axis, names: list[str], values: np.ndarray, spread: np.ndarray | None) -> None:
    places = np.arange(len(names))
    bars = axis.barh(places, values, edgecolor="black", linewidth=0.6)
    for place, bar in enumerate(bars):
        bar.set_facecolor(COLOURS[place % len(COLOURS)])
        bar.set_hatch(HATCHES[place % len(HATCHES)])
    if spread is not None and np.any(spread):
        axis.errorbar(values, places, xerr=spread, fmt="none", ecolor="black", capsize=3)
    axis.bar_label(bars, fmt="%.3g", padding=3, fontsize=8)
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.margins(x=0.2)
