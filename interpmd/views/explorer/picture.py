"""The explorer on paper: the molecule, the budget, the pairs, and the time line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from interpmd.attribution.kinds import path_name
from interpmd.dynamics.observables.coordinates import CoordinateLike
from interpmd.plots import budget, heat_map
from interpmd.plots.budgets import bars
from interpmd.plots.lines import time_lines
from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.plots.style import grid_of_axes, image_of
from interpmd.units import DISPLAY
from interpmd.views.explorer.answers import NOTHING, Answer
from interpmd.views.explorer.pairs import OTHERS
from interpmd.views.explorer.questions import Question
from interpmd.views.explorer.state import State

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Interactions drawn in the molecule; more cannot be told apart without turning it.
DRAWN = 4

#: Groupings whose labels name the atoms.
NAMED = ("interaction", "pair")

#: Title of the map.
MAP = (
    "what lies on each pair (interactions of more\n"
    "atoms in equal shares on each of their pairs;\n"
    "diagonal: on one atom alone, or left over)"
)

#: Contributions with a time line of their own.
FOLLOWED = 4


@dataclass(frozen=True)
class View:
    """What an explorer shows.

    Attributes:
        state: with the frames.
        question, frame: what is asked.
        scene: what the browser is told once; see `scene_of`.
        unit: display unit of energies.
        shown: interactions drawn in the molecule.
        beside: what the answer is put beside; see `State.comparison`.
        coordinates: for the map of all frames; see `frame_map`.
    """

    state: State
    question: Question
    frame: int
    scene: dict[str, Any]
    unit: str
    shown: int
    beside: str | None = None
    coordinates: Mapping[str, CoordinateLike] | None = None


def image(view: View, kind: str = "png", dpi: int = 150, frame: int | None = None) -> bytes:
    """The picture of a view, or of another frame of it, as a file of this kind."""
    frame = view.frame if frame is None else frame
    return image_of(draw_answer(view.state, view.question, frame, view.unit, view.shown), kind, dpi)


def draw_answer(
    state: State,
    question: Question,
    frame: int,
    unit: str = "eV",
    shown: int = DRAWN,
) -> Figure:
    """The molecule with its arrows beside bars that add up; below, pairs and the time line.

    Where only one frame was looked at, sums by kind take the place of the time line, or in the
    gauge "atoms" the energy by body order.

    Args:
        state: with the frames.
        question, frame: what is shown; computed if it is not there yet.
        unit: display unit of energies.
        shown: interactions listed by themselves, and drawn in the molecule, four at most.
    """
    answer, factor = state.answer(question, frame, error_bars=True), DISPLAY[unit]
    name = unit if answer.unit == "eV" else f"{unit}/A"
    axes = grid_of_axes((10, 7.8), 2, (1.2, 1.2))
    _molecule(state, question, answer, factor, min(shown, DRAWN), axes[0, 0])
    now = "" if answer.now == answer.headline else f"\nin this frame, {answer.now}"
    axes[0, 0].figure.suptitle(
        f"{answer.headline}{now}\n[{answer.verdict}; gauge {answer.gauge}: absent means that "
        f"{answer.absent}]",
        fontsize=10,
    )
    values, spread = _by_label(answer, factor), _spread(answer, factor)
    budget(values, spread, most=max(shown, DRAWN), unit=name, title=answer.title, ax=axes[0, 1])
    heat_map(_matrix(state, answer, factor), name, MAP, axes[1, 0]).set_aspect("auto")
    known = sorted({*state.known(question), frame})
    if len(known) > 1:
        _time_line(state, [state.answer(question, f) for f in known], answer, factor, name, axes)
    elif answer.split["order"]:
        split = {name: value * factor for name, value in answer.split["order"].items()}
        bars(split, unit=unit, title="the energy of this frame, by body order", ax=axes[1, 1])
    else:
        kinds = state.answer(replace(question, grouping="kind"), frame, error_bars=True)
        bars(
            _by_label(kinds, factor),
            _spread(kinds, factor),
            unit=name,
            title="the same, by kind",
            ax=axes[1, 1],
        )
    return axes[0, 0].figure


def _molecule(
    state: State, question: Question, answer: Answer, factor: float, shown: int, ax: Axes
) -> None:
    atoms, drawn, corners = state.frames[answer.frame], [], []
    ghosts = {}
    for line in answer.lines[:shown]:
        offsets = np.reshape(line.offsets, (-1, 3)) if line.offsets else 0.0
        corners.append(atoms.positions[list(line.atoms)] + offsets)
        ghosts |= dict.fromkeys(ghost for ghost in line.ghosts if ghost[0] in line.atoms)
        name = answer.bars[line.bar].label
        if question.grouping not in NAMED:
            name = f"{path_name(atoms, line.atoms)} {name}"
        drawn.append((line.atoms, line.value * factor, name))
    left = answer.total * factor - sum(value for _, value, _ in drawn)
    if len(answer.lines) > len(drawn) or abs(left) > NOTHING:
        drawn.append(((), left, "all others"))  # so that what is listed adds up
        corners.append(np.zeros((0, 3)))
    arrow = None
    if len(answer.target_atoms) == 1:
        forces = np.reshape(answer.forces, (-1, 3))
        arrow = (answer.target_atoms[0], forces[answer.target_atoms[0]])
    when = f"{state.times[answer.frame]:.1f} fs" if state.timed else f"frame {answer.frame}"
    plane = plane_of(state.frames[0])
    draw_molecule(atoms, drawn, arrow, when, ax, plane=plane, corners=corners, ghosts=tuple(ghosts))


def _by_label(answer: Answer, factor: float) -> dict[str, float]:
    """Values by label; bars that share a label are added up."""
    values: dict[str, float] = {}
    for bar in answer.bars:
        values[bar.label] = values.get(bar.label, 0.0) + bar.value * factor
    return values


def _spread(answer: Answer, factor: float) -> dict[str, float]:
    """Error bars by label, of bars that share it with no other."""
    labels = [bar.label for bar in answer.bars]
    return {
        bar.label: bar.std * factor
        for bar in answer.bars
        if bar.std is not None and labels.count(bar.label) == 1
    }


def _matrix(state: State, answer: Answer, factor: float) -> pd.DataFrame:
    symbols = state.frames[answer.frame].get_chemical_symbols()
    names = ["others" if a == OTHERS else f"{symbols[a]}{a}" for a in answer.pairs.atoms]
    values = np.full((len(names), len(names)), np.nan)
    values[np.tril_indices(len(names))] = 0.0
    for row, column, value in answer.pairs.cells:
        values[row, column] = value * factor
    return pd.DataFrame(values, names, names)


def _time_line(
    state: State, known: list[Answer], answer: Answer, factor: float, unit: str, axes: np.ndarray
) -> None:
    values = pd.DataFrame([_by_label(one, factor) for one in known]).fillna(0.0)
    times = state.times if state.timed else np.arange(len(state))
    frames = [one.frame for one in known]
    strongest = list(_by_label(answer, factor))[:FOLLOWED]
    series = {label: values[label].to_numpy() for label in strongest}
    series["sum"] = values.sum(axis=1).to_numpy()
    others = series["sum"] - sum(series[label] for label in strongest)
    if len(values.columns) > len(strongest):
        series["all others"] = others  # so that the lines add up
    now = float(times[answer.frame])
    ax = time_lines(times[frames], series, unit, now, axes[1, 1], "now")
    ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    ax.set_title(f"the largest contributions ({len(known)} frames looked at)")
