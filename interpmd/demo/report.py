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


@dataclass(frozen=True)
class Explained:
    """The force on the proton at one frame, projected on the way to the other oxygen, in eV/Å.

    Attributes:
        force: on the proton.
        by_kind, by_name: contributions, by kind of interaction and one by one.
        spread_by_kind, spread: their error bars.
        members: atoms of each interaction.
        residual: difference between the sum of the contributions and the force.
        force_std: error bar of the force.
        grade: largest extrapolation grade of an atom.
    """

    force: Float[np.ndarray, " 3"]
    by_kind: dict[str, float]
    by_name: dict[str, float]
    spread_by_kind: dict[str, float]
    spread: dict[str, float]
    members: dict[str, tuple[int, ...]]
    residual: float
    force_std: float
    grade: float


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
        table: contributions before, at and after the jump.
    """

    trajectory: Trajectory
    transfer: Float[np.ndarray, " frames"]
    event: int
    crossed: bool
    window: Sequence[int]
    explained: Sequence[Explained]
    table: pd.DataFrame

    @property
    def time(self) -> float:
        """Of the jump in fs."""
        return float(self.trajectory.times[self.event])

    @property
    def middle(self) -> int:
        """Place of the jump in the window."""
        return len(self.window) // 2


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
        + " Every force below is the exact sum of the interactions listed."
    )
    report.heading("The jump")
    _molecules(report, jump)
    _position(report, jump)
    report.heading("What pushes it")
    _pushes(report, jump)
    report.heading("How far to believe it")
    _belief(report, jump)
    return report


def _molecules(report: Report, jump: Jump) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(11, 4.4), layout="constrained")
    places = {"before": 0, "at the jump": jump.middle, "after": len(jump.window) - 1}
    frames = [jump.trajectory.frames[index] for index in jump.window]
    plane = plane_of(frames[jump.middle])
    for ax, (name, place) in zip(axes, places.items(), strict=True):
        moment, time = jump.explained[place], jump.trajectory.times[jump.window[place]]
        strongest = sorted(
            (n for n in moment.by_name if 2 <= len(moment.members[n]) <= 3),
            key=lambda n: -abs(moment.by_name[n]),
        )[:3]
        bands = [(moment.members[n], moment.by_name[n], n) for n in strongest]
        title = f"{name}, {time:.0f} fs"
        draw_molecule(frames[place], bands, (PROTON, moment.force), title, ax, plane=plane)
    report.figure(figure, "The molecule before, at and after the jump with the force on H8")
    report.text(
        "Black arrow: force on the proton H8. Bands: the three pairs and triplets that contribute "
        "most to it along the way from O4 to O0, in eV/Å; solid (+) pushes towards O0, dashed (−) "
        "back to O4. An arrow of 0.35 Å beside the atoms means 1 eV/Å."
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
    explained = jump.explained
    kinds = list(jump.table.index[:-1])[:6]
    series = {k: np.array([e.by_kind.get(k, 0.0) for e in explained]) for k in kinds}
    series["sum"] = np.array([sum(e.by_kind.values()) for e in explained])
    times = jump.trajectory.times[list(jump.window)]
    ax = time_lines(times, series, event=jump.time if jump.crossed else None)
    ax.set_ylabel("force towards O0 (eV/Å)")
    report.figure(ax.figure, "Contribution of each kind of interaction against time")
    report.table(jump.table)
    at_the_jump = explained[jump.middle]
    title = f"force on H8 towards O0 at {jump.time:.0f} fs"
    ax = budget(at_the_jump.by_name, at_the_jump.spread, most=10, title=title)
    words = "Force budget at the jump: bars that add up to the force, whiskers their error bars"
    report.figure(ax.figure, words)


def _belief(report: Report, jump: Jump) -> None:
    worst = max(e.residual for e in jump.explained)
    grade = max(e.grade for e in jump.explained)
    report.text(
        f"Fact: the interactions sum to the model's force (largest difference {worst:.0e} eV/Å), "
        f"and each exerts no net force and no net torque. The posterior's error bar on the force "
        f"is {jump.explained[jump.middle].force_std:.3f} eV/Å at the jump; single interactions are "
        f"known far worse than their sum, as the whiskers say; the extrapolation grade reaches "
        f"{grade:.2f} (above 1 the training data do not vouch for a structure). The total energy "
        f"drifts by {jump.trajectory.drift():.3f} meV/atom/ps.",
        note=True,
    )
    report.text(
        "Convention: how the force splits among interactions. The rows are the pure many-body "
        "expansion (a row vanishes when one of its atoms leaves); another potential that fits the "
        "same data could split the same force differently. Remainder: what interactions of more "
        "atoms than shown leave at each site.",
        note=True,
    )
