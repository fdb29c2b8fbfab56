"""The explorer on paper: the molecule, the strongest interactions, the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from interpmd.views.explorer.answers import Answer
from interpmd.views.explorer.questions import UNITS
from interpmd.views.explorer.state import State
from interpmd.views.molecule import draw_molecule
from interpmd.views.plots import budget

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Interactions drawn in the molecule; more cannot be told apart without turning it.
DRAWN = 4


def draw_answer(state: State, found: Answer, unit: str = "eV", shown: int = DRAWN) -> Figure:
    """Molecule with arrows at the left, bars that add up at the right.

    Args:
        state: with the frames.
        found: what is shown.
        unit: display unit of energies.
        shown: interactions drawn in the molecule, four at most.
    """
    import matplotlib.pyplot as plt

    factor = UNITS[unit]
    name = unit if found.unit == "eV" else f"{unit}/Å"
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10.5, 4.3), layout="constrained", width_ratios=(1, 1.25)
    )
    atoms = state.frames[found.frame]
    forces = np.reshape(found.forces, (-1, 3))
    drawn = [
        (line.atoms, line.value * factor, found.bars[line.bar].label)
        for line in found.lines[: min(shown, DRAWN)]
    ]
    arrow = None
    if len(found.target_atoms) == 1:
        arrow = (found.target_atoms[0], forces[found.target_atoms[0]])
    when = f"{state.times[found.frame]:.1f} fs" if state.timed else f"frame {found.frame}"
    draw_molecule(atoms, drawn, arrow, when, left)
    values: dict[str, float] = {}
    for bar in found.bars:
        values[bar.label] = values.get(bar.label, 0.0) + bar.value * factor
    budget(values, most=9, unit=name, title=f"{found.title} [{found.badge}]", ax=right)
    return figure
