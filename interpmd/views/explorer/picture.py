"""The explorer on paper: the molecule, the budget, the pairs, and the time line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from interpmd.attribution.kinds import path_name
from interpmd.plots import budget, heat_map
from interpmd.plots.budgets import bars
from interpmd.plots.lines import time_lines
from interpmd.plots.molecule import draw_molecule
from interpmd.plots.style import grid_of_axes
from interpmd.views.explorer.answers import Answer
from interpmd.views.explorer.pairs import OTHERS
from interpmd.views.explorer.questions import UNITS, Question
from interpmd.views.explorer.state import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Interactions drawn in the molecule; more cannot be told apart without turning it.
DRAWN = 4

#: Groupings whose bars say which atoms they are of.
NAMED = ("interaction", "pair")

#: Title of the map.
MAP = (
    "what lies on each pair (interactions of more\n"
    "atoms in equal shares on each of their pairs;\n"
    "diagonal: on one atom alone, or left over)"
)

#: Contributions with a time line of their own.
FOLLOWED = 4


def draw_answer(
    state: State,
    question: Question,
    frame: int,
    unit: str = "eV",
    shown: int = DRAWN,
) -> Figure:
    """Molecule with arrows and bars that add up; below, pairs and the time line.

    Of a single frame, or before others were looked at, the energy by body order stands in place
    of the time line.

    Args:
        state: with the frames.
        question, frame: what is shown; computed if it is not there yet.
        unit: display unit of energies.
        shown: interactions drawn in the molecule, four at most.
    """
    found, factor = state.answer(question, frame, error_bars=True), UNITS[unit]
    name = unit if found.unit == "eV" else f"{unit}/A"
    axes = grid_of_axes((11, 8), 2, (1, 1.25))
    _molecule(state, question, found, factor, min(shown, DRAWN), axes[0, 0])
    title = f"{found.title} [{found.badge}]"
    values, spread = _by_label(found, factor), _spread(found, factor)
    budget(values, spread, most=9, unit=name, title=title, ax=axes[0, 1])
    heat_map(_matrix(state, found, factor), name, MAP, axes[1, 0]).set_aspect("auto")
    known = sorted({*state.known(question), frame})
    if len(known) > 1:
        _time_line(state, [state.answer(question, f) for f in known], found, factor, name, axes)
    else:
        split = {name: value * factor for name, value in found.split["order"].items()}
        bars(split, unit=unit, title="the energy of this frame, by body order", ax=axes[1, 1])
    return axes[0, 0].figure


def _molecule(
    state: State, question: Question, found: Answer, factor: float, shown: int, ax: Axes
) -> None:
    atoms, drawn = state.frames[found.frame], []
    for line in found.lines[:shown]:
        name = found.bars[line.bar].label
        if question.grouping not in NAMED:
            name = f"{path_name(atoms, line.atoms)} {name}"
        drawn.append((line.atoms, line.value * factor, name))
    arrow = None
    if len(found.target_atoms) == 1:
        forces = np.reshape(found.forces, (-1, 3))
        arrow = (found.target_atoms[0], forces[found.target_atoms[0]])
    when = f"{state.times[found.frame]:.1f} fs" if state.timed else f"frame {found.frame}"
    draw_molecule(atoms, drawn, arrow, when, ax, plane=state.plane)


def _by_label(found: Answer, factor: float) -> dict[str, float]:
    """Bars of one name, of which there can be several, make one."""
    values: dict[str, float] = {}
    for bar in found.bars:
        values[bar.label] = values.get(bar.label, 0.0) + bar.value * factor
    return values


def _spread(found: Answer, factor: float) -> dict[str, float]:
    """Error bars of the bars whose label is theirs alone."""
    labels = [bar.label for bar in found.bars]
    return {
        bar.label: bar.std * factor
        for bar in found.bars
        if bar.std is not None and labels.count(bar.label) == 1
    }


def _matrix(state: State, found: Answer, factor: float) -> pd.DataFrame:
    symbols = state.frames[found.frame].get_chemical_symbols()
    names = ["others" if a == OTHERS else f"{symbols[a]}{a}" for a in found.pairs.atoms]
    values = np.full((len(names), len(names)), np.nan)
    values[np.tril_indices(len(names))] = 0.0
    for row, column, value in found.pairs.cells:
        values[row, column] = value * factor
    return pd.DataFrame(values, names, names)


def _time_line(
    state: State, known: list[Answer], found: Answer, factor: float, unit: str, axes: np.ndarray
) -> None:
    values = pd.DataFrame([_by_label(one, factor) for one in known]).fillna(0.0)
    times = state.times if state.timed else np.arange(len(state))
    frames = [one.frame for one in known]
    strongest = list(_by_label(found, factor))[:FOLLOWED]
    series = {label: values[label].to_numpy() for label in strongest}
    series["sum"] = values.sum(axis=1).to_numpy()
    now = float(times[found.frame])
    ax = time_lines(times[frames], series, unit, now, axes[1, 1], "now")
    ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    ax.set_title(f"the largest contributions ({len(known)} frames looked at)")
