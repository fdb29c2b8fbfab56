"""The main job in one go: dynamics, a proton that jumps, and what pushed it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from ase.optimize import BFGS
from jaxtyping import Float

from interpmd.attribution.methods.dispatch import explain
from interpmd.attribution.targets import Force
from interpmd.dynamics import Trajectory, simulate
from interpmd.plots import budget, time_lines
from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.potentials.potential import Potential
from interpmd.potentials.shelf import load_potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.files import prepare_output
from interpmd.views.report import Report

#: Malonaldehyde (cis-enol) in Å: O=C-C=C-O-H, the proton last.
MALONALDEHYDE = Atoms(
    "OCCCOHHHH",
    positions=[
        [-1.261, 1.156, 0.0],
        [-1.193, -0.079, 0.0],
        [0.000, -0.880, 0.0],
        [1.205, -0.230, 0.0],
        [1.300, 1.083, 0.0],
        [-2.150, -0.630, 0.0],
        [-0.020, -1.960, 0.0],
        [2.160, -0.770, 0.0],
        [0.390, 1.480, 0.0],
    ],
)
FIRST, SECOND, PROTON = 0, 4, 8


@dataclass(frozen=True)
class Demo:
    """What the demonstration shows.

    Attributes:
        trajectory: the dynamics up to a little after the jump.
        transfer: r(first O, H) − r(second O, H) at every frame in Å; it changes sign as the
            proton jumps.
        event: frame at which the proton is in the middle, or comes closest to it.
        jumped: whether it crossed.
        table: contributions to the force on the proton, towards the other oxygen.
        report: the HTML file.
        seconds: time that it took.
    """

    trajectory: Trajectory
    transfer: Float[np.ndarray, " frames"]
    event: int
    jumped: bool
    table: pd.DataFrame
    report: Path
    seconds: float


def run_demo(
    out: str | Path = "interpmd-demo.html",
    potential: str | Path | Potential = "malonaldehyde",
    temperature: float = 350.0,
    picoseconds: float = 4.0,
    seed: int = 0,
    order: int = 5,
    quiet: bool = False,
) -> Demo:
    """Run dynamics of malonaldehyde until its proton jumps, and explain the force on it.

    Args:
        out: the report to write, one HTML file that opens offline.
        potential: potential, folder, or name of a shipped one.
        temperature: K, of the first velocities (constant energy after that).
        picoseconds: longest time to wait for the jump.
        seed: of the velocities.
        order: largest body order of the rows; what is above stands as remainders.
        quiet: whether to print nothing.
    """
    say = (lambda *_: None) if quiet else print
    started = time.perf_counter()
    prepare_output(out)
    if not isinstance(potential, Potential):
        potential = load_potential(potential)
    say(f"1. {potential}\n")
    trajectory, transfer, event, jumped = _dynamics(
        potential, temperature, picoseconds, seed, quiet
    )
    words = "the proton jumps" if jumped else "no jump; the proton comes closest to the middle"
    say(f"2. {trajectory}: {words} at {trajectory.times[event]:.1f} fs\n")
    window = _window(trajectory, event)
    explained = [_explain(potential, trajectory[i], order) for i in window]
    table = _table(window, explained, trajectory)
    say("3. What pushes the proton towards the other oxygen (eV/Å)\n")
    say(table.round(3).to_string() + "\n")
    worst = max(e.residual for e in explained)
    say(f"   rows and force agree to {worst:.1e} eV/Å\n")
    report = _report(potential, trajectory, transfer, event, jumped, window, explained, table)
    path = report.write(out)
    seconds = time.perf_counter() - started
    say(f"4. {path.resolve()} written; all in {seconds:.0f} s. Open it in any browser.")
    return Demo(trajectory, transfer, event, jumped, table, path, seconds)


@dataclass(frozen=True)
class _Explained:
    """The force on the proton at one frame, projected on the way to the other oxygen."""

    direction: np.ndarray
    force: np.ndarray
    by_kind: dict[str, float]
    by_name: dict[str, float]
    spread_by_kind: dict[str, float]
    spread: dict[str, float]
    members: dict[str, tuple[int, ...]]
    residual: float
    force_std: float
    grade: float


def _dynamics(potential, temperature, picoseconds, seed, quiet):
    count = {"after": 0}

    def passed(atoms: Atoms) -> bool:
        if transfer_coordinate(atoms) > 0.25 or count["after"]:
            count["after"] += 1
        return count["after"] > 25

    start = MALONALDEHYDE.copy()
    start.calc = potential.calculator()
    BFGS(start, logfile=None).run(fmax=0.02, steps=100)
    trajectory = simulate(
        potential,
        start,
        "nve",
        temperature=2 * temperature,  # half of it turns into potential energy
        timestep=0.5,
        steps=int(picoseconds * 2000),
        interval=2,
        seed=seed,
        stop_when=passed,
        progress=not quiet,
    )
    # the proton starts at the second oxygen: the coordinate starts positive and turns negative
    transfer = np.array([transfer_coordinate(atoms) for atoms in trajectory])
    event = int(np.abs(transfer).argmin())
    crossed = np.flatnonzero(transfer > 0)
    if len(crossed):
        event = int(crossed[0])
    return trajectory, transfer, event, bool(len(crossed))


def transfer_coordinate(atoms: Atoms) -> float:
    """r(H, second O) − r(H, first O) in Å: negative before the jump, positive after it."""
    return atoms.get_distance(PROTON, SECOND) - atoms.get_distance(PROTON, FIRST)


def _window(trajectory: Trajectory, event: int, before: int = 12, after: int = 12) -> list[int]:
    return list(range(max(0, event - before), min(len(trajectory), event + after + 1), 2))


def _explain(potential: Potential, atoms: Atoms, order: int) -> _Explained:
    direction = atoms.positions[FIRST] - atoms.positions[SECOND]
    direction = direction / np.linalg.norm(direction)
    target = Force(PROTON, along=tuple(direction.tolist()))
    explanation = explain(potential, atoms, target, order=order)
    acting = explanation[np.abs(explanation.values) > 0]
    doubt = uncertainty(potential, potential.batch(atoms))
    return _Explained(
        direction,
        potential.predict(atoms).forces[PROTON].numpy(),
        acting.scalars("kind"),
        acting.scalars(),
        acting.spreads("kind") or {},
        acting.spreads() or {},
        dict(zip(acting.labels, acting.members, strict=True)),
        explanation.residual,
        float(explanation.total_std or 0.0),
        float(doubt.extrapolation.max()),
    )


def _table(window: Sequence[int], explained: Sequence[_Explained], trajectory) -> pd.DataFrame:
    middle = len(window) // 2
    frames = {"before": 0, "at the jump": middle, "after": len(window) - 1}
    columns = {
        f"{name}, {trajectory.times[window[i]]:.0f} fs": pd.Series(explained[i].by_kind)
        for name, i in frames.items()
    }
    table = pd.DataFrame(columns).fillna(0.0)
    table = table.loc[table.abs().max(axis=1).sort_values(ascending=False).index]
    table.loc["sum = force"] = table.sum()
    doubt = pd.Series(explained[middle].spread_by_kind, dtype=float)
    table["± at the jump"] = doubt.reindex(table.index).fillna(0.0)
    table.loc["sum = force", "± at the jump"] = explained[middle].force_std
    return table.rename_axis("kind of interaction")


def _report(
    potential: Potential,
    trajectory: Trajectory,
    transfer: np.ndarray,
    event: int,
    jumped: bool,
    window: Sequence[int],
    explained: Sequence[_Explained],
    table: pd.DataFrame,
) -> Report:
    import matplotlib.pyplot as plt

    times = trajectory.times
    level = potential.card.level or "unknown level"
    report = Report("Which interaction pushes this proton?")
    report.text(
        f"Malonaldehyde at constant energy with a potential learned from {level}. The proton "
        f"between the two oxygen atoms "
        + (f"jumps at {times[event]:.0f} fs." if jumped else "did not jump in the time given.")
        + " Every force below is the exact sum of the interactions listed."
    )
    report.heading("The jump")
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.4), layout="constrained")
    middle = len(window) // 2
    plane = plane_of(trajectory[window[middle]])
    for ax, (name, place) in zip(
        axes, {"before": 0, "at the jump": middle, "after": len(window) - 1}.items(), strict=True
    ):
        moment = explained[place]
        strongest = sorted(
            (n for n in moment.by_name if 2 <= len(moment.members[n]) <= 3),
            key=lambda n: -abs(moment.by_name[n]),
        )[:3]
        draw_molecule(
            trajectory[window[place]],
            [(moment.members[n], moment.by_name[n], n) for n in strongest],
            (PROTON, moment.force),
            f"{name}, {times[window[place]]:.0f} fs",
            ax,
            plane=plane,
        )
    report.figure(figure, "The molecule before, at and after the jump with the force on H8")
    report.text(
        "Black arrow: force on the proton H8. Bands: the three pairs and triplets that contribute "
        "most to it along the way from O4 to O0, in eV/Å; solid (+) pushes towards O0, dashed (−) "
        "back to O4. An arrow of 0.35 Å beside the atoms means 1 eV/Å."
    )
    figure, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
    ax.plot(times, transfer, color="#0072B2")
    ax.axhline(0, color="black", lw=0.6)
    ax.axvspan(times[window[0]], times[window[-1]], color="#E69F00", alpha=0.25, label="explained")
    ax.set(xlabel="time (fs)", ylabel="r(O4–H8) − r(O0–H8) (Å)")
    ax.text(times[0], 0.05, " proton at O0", va="bottom")
    ax.text(times[0], -0.05, " proton at O4", va="top")
    ax.legend(frameon=False, loc="lower right")
    report.figure(figure, "Position of the proton between the two oxygen atoms against time")
    report.heading("What pushes it")
    kinds = list(table.index[:-1])[:6]
    series = {k: np.array([e.by_kind.get(k, 0.0) for e in explained]) for k in kinds}
    series["sum"] = np.array([sum(e.by_kind.values()) for e in explained])
    ax = time_lines(times[list(window)], series, event=times[event] if jumped else None)
    ax.set_ylabel("force towards O0 (eV/Å)")
    report.figure(ax.figure, "Contribution of each kind of interaction against time")
    report.table(table)
    title = f"force on H8 towards O0 at {times[event]:.0f} fs"
    ax = budget(explained[middle].by_name, explained[middle].spread, most=10, title=title)
    words = "Force budget at the jump: bars that add up to the force, whiskers their error bars"
    report.figure(ax.figure, words)
    report.heading("How far to believe it")
    worst = max(e.residual for e in explained)
    grade = max(e.grade for e in explained)
    report.text(
        f"Fact: the interactions sum to the model's force (largest difference {worst:.0e} eV/Å), "
        f"and each exerts no net force and no net torque. The posterior's error bar on the force "
        f"is {explained[middle].force_std:.3f} eV/Å at the jump; single interactions are known far "
        f"worse than their sum, as the whiskers say; the extrapolation grade reaches "
        f"{grade:.2f} (above 1 the training data do not vouch for a structure). The total energy "
        f"drifts by {trajectory.drift():.3f} meV/atom/ps.",
        note=True,
    )
    report.text(
        "Convention: how the force splits among interactions. The rows are the pure many-body "
        "expansion (a row vanishes when one of its atoms leaves); another potential that fits the "
        "same data could split the same force differently. Remainder: what interactions of more "
        "atoms than shown leave at each site.",
        note=True,
    )
    return report
