"""The page of the demonstration: the jump, what pushes the proton, how far to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from interpmd.demo.molecule import PROTON
from interpmd.dynamics import Trajectory
from interpmd.plots import budget, time_lines
from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.views.report import Report

#: Interactions with a line of their own in tables and budgets; the others share one.
LISTED = 6


@dataclass(frozen=True)
class Explained:
    """The force on the proton at one frame, projected on the way to the other oxygen, in eV/Å.

    Attributes:
        force: on the proton.
        by_name: contributions, one by one.
        spread: their error bars.
        members: atoms of each interaction.
        residual: difference between the sum of the contributions and the force.
        force_std: error bar of the force.
        grade: largest extrapolation grade of an atom.
        verdict: what is exact, and whether the data determine the contributions.
    """

    force: Float[np.ndarray, " 3"]
    by_name: dict[str, float]
    spread: dict[str, float]
    members: dict[str, tuple[int, ...]]
    residual: float
    force_std: float
    grade: float
    verdict: str


@dataclass(frozen=True)
class Jump:
    """A jump of the proton, or its nearest try.

    Attributes:
        trajectory: the dynamics.
        transfer: r(O4–H8) − r(O0–H8) of every frame in Å.
        event: frame of the jump.
        crossed: whether the proton crossed the middle.
        window: frames around the jump that were explained.
        explained: their explanations.
        of_atoms: the force at the jump once more, as rows of atoms.
        table: contributions before, at and after the jump.
        headline: what drives the force around the jump, in a sentence.
    """

    trajectory: Trajectory
    transfer: Float[np.ndarray, " frames"]
    event: int
    crossed: bool
    window: Sequence[int]
    explained: Sequence[Explained]
    of_atoms: Explained
    table: pd.DataFrame
    headline: str

    @property
    def time(self) -> float:
        """Of the jump in fs."""
        return float(self.trajectory.times[self.event])

    @property
    def middle(self) -> int:
        """Place of the jump in the window."""
        return len(self.window) // 2

    @property
    def title(self) -> str:
        """Of a budget of the force at the jump."""
        return f"force on H8 towards O0 at {self.time:.0f} fs"


def demo_report(level: str | None, jump: Jump) -> Report:
    """The page about a jump.

    Args:
        level: level of theory that the potential was fitted to.
        jump: what happened.
    """
    report = Report("Which interaction pushes this proton?")
    report.text(
        f"Malonaldehyde at constant energy with a potential learned from "
        f"{level or 'unknown level'}. The proton between the two oxygen atoms "
        + (f"jumps at {jump.time:.0f} fs." if jump.crossed else "did not jump in the time given.")
        + f" Around the jump {jump.headline}. Every force below is the sum of what is listed with "
        "it, the line of the others included."
    )
    report.heading("The jump")
    _molecules(report, jump)
    _position(report, jump)
    report.heading("What pushes it")
    _pushes(report, jump)
    report.heading("How far to believe it")
    _belief(report, jump)
    _rows_of_atoms(report, jump)
    return report


def _molecules(report: Report, jump: Jump) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(9, 4.2), layout="constrained")
    places = {"before": 0, "at the jump": jump.middle, "after": len(jump.window) - 1}
    frames = [jump.trajectory.frames[index] for index in jump.window]
    plane = plane_of(frames[jump.middle])
    for ax, (name, place) in zip(axes, places.items(), strict=True):
        moment, time = jump.explained[place], jump.trajectory.times[jump.window[place]]
        strongest = sorted(moment.by_name, key=lambda n: -abs(moment.by_name[n]))
        rest = [moment.by_name[n] for n in strongest[3:]]
        bands = [
            *((moment.members[n], moment.by_name[n], n) for n in strongest[:3]),
            ((), sum(rest), f"{len(rest)} others"),
        ]
        title = f"{name}, {time:.0f} fs"
        draw_molecule(frames[place], bands, (PROTON, moment.force), title, ax, plane=plane)
    report.figure(figure, "The molecule before, at and after the jump with the force on H8")
    report.text(
        "Black arrow: force on the proton H8. Bands: the three interactions that contribute most "
        "to it along the way from O4 to O0, in eV/Å, and the sum of the others; solid (+) pushes "
        "towards O0, dashed (−) back to O4. An arrow of 0.35 Å beside the atoms means 1 eV/Å."
    )


def _position(report: Report, jump: Jump) -> None:
    import matplotlib.pyplot as plt

    times, window = jump.trajectory.times, jump.window
    figure, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
    ax.plot(times, jump.transfer, color="#0072B2")
    ax.axhline(0, color="black", lw=0.6)
    ax.axvspan(times[window[0]], times[window[-1]], color="#E69F00", alpha=0.25, label="explained")
    ax.set(xlabel="time (fs)", ylabel="r(O4–H8) − r(O0–H8) (Å)")
    ax.text(times[0], 0.05, " proton at O0", va="bottom")
    ax.text(times[0], -0.05, " proton at O4", va="top")
    ax.legend(frameon=False, loc="lower right")
    report.figure(figure, "Position of the proton between the two oxygen atoms against time")


def _pushes(report: Report, jump: Jump) -> None:
    explained, at_the_jump = jump.explained, jump.explained[jump.middle]
    names = [n for n in jump.table.index if n in at_the_jump.by_name][:4]
    series = {n: np.array([e.by_name.get(n, 0.0) for e in explained]) for n in names}
    series["sum"] = np.array([sum(e.by_name.values()) for e in explained])
    series["others"] = series["sum"] - sum(series[n] for n in names)
    times = jump.trajectory.times[list(jump.window)]
    ax = time_lines(times, series, event=jump.time if jump.crossed else None)
    ax.set_ylabel("force towards O0 (eV/Å)")
    report.figure(ax.figure, "Contribution of the largest interactions against time")
    report.table(jump.table)
    ax = budget(at_the_jump.by_name, at_the_jump.spread, most=LISTED, title=jump.title)
    words = "Force budget at the jump: bars that add up to the force, whiskers their error bars"
    report.figure(ax.figure, words)


def _belief(report: Report, jump: Jump) -> None:
    worst = max(e.residual for e in jump.explained)
    at_the_jump = jump.explained[jump.middle]
    grade = max(e.grade for e in jump.explained)
    report.text(
        f"Fact: the interactions sum to the model's force (largest difference {worst:.0e} eV/Å), "
        f"and each exerts no net force and no net torque. The posterior's error bar on the force "
        f"is {at_the_jump.force_std:.3f} eV/Å at the jump, those of single interactions are "
        f"the whiskers [{at_the_jump.verdict}]; the extrapolation grade reaches "
        f"{grade:.2f} (above 1 the training data do not vouch for a structure). The total energy "
        f"drifts by {jump.trajectory.drift():.3f} meV/atom/ps.",
        note=True,
    )
    report.text(
        "Convention: which coordinates there are, and how stiff each is, for redundant coordinates "
        "share the force by their stiffness. A coordinate that is absent does not move.",
        note=True,
    )


def _rows_of_atoms(report: Report, jump: Jump) -> None:
    raw = Report("")
    raw.text(
        "The pure many-body expansion: a row vanishes when one of its atoms leaves, so that what "
        "is left are radicals, which no data of molecules determine. The sum is the same force, to "
        "rounding; another potential that fits the same data could split it differently "
        f"[{jump.of_atoms.verdict}]. Remainder (“rest at”): what interactions of more atoms than "
        "shown leave at each site."
    )
    ax = budget(jump.of_atoms.by_name, jump.of_atoms.spread, most=10, title=jump.title)
    raw.figure(ax.figure, "The same force as rows of atoms: bars that add up to it")
    report.folded("The same force as rows of atoms", raw)
