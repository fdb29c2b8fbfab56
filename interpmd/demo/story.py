"""The main job in one go: dynamics, a proton that jumps, and what pushed it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.optimize import BFGS
from jaxtyping import Float

from interpmd.attribution.methods.dispatch import explain, settled_gauge
from interpmd.attribution.over_time.drivers import covariance_shares
from interpmd.attribution.over_time.events import EventLedger
from interpmd.attribution.over_time.frames import explain_trajectory
from interpmd.attribution.targets import Force
from interpmd.demo.gate import gate_in_report, gate_table, opened
from interpmd.demo.molecule import FIRST, MALONALDEHYDE, PROTON, SECOND, transfer_coordinate
from interpmd.demo.report import LISTED, Explained, Jump, demo_report
from interpmd.dynamics import Trajectory, simulate
from interpmd.potentials.fast import available
from interpmd.potentials.potential import Potential
from interpmd.potentials.shelf import load_potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.files import prepare_output
from interpmd.views.explorer.headline import of_changes


@dataclass(frozen=True)
class Demo:
    """What the demonstration shows.

    Attributes:
        trajectory: the dynamics up to a little after the jump.
        transfer: r(second O, H) − r(first O, H) at every frame in Å; it changes sign as the
            proton jumps.
        event: frame at which the proton is in the middle, or comes closest to it.
        jumped: whether it crossed.
        table: contributions to the force on the proton, towards the other oxygen.
        headline: what drives the force on the proton, in a sentence.
        ledger: of many jumps; None if it was left out.
        report: the HTML file.
        seconds: time that it took.
    """

    trajectory: Trajectory
    transfer: Float[np.ndarray, " frames"]
    event: int
    jumped: bool
    table: pd.DataFrame
    headline: str
    ledger: EventLedger | None
    report: Path
    seconds: float


def run_demo(
    out: str | Path = "interpmd-demo.html",
    potential: str | Path | Potential = "malonaldehyde",
    temperature: float = 350.0,
    picoseconds: float = 4.0,
    seed: int = 0,
    order: int = 5,
    events: int = 60,
    quiet: bool = False,
) -> Demo:
    """Run dynamics of malonaldehyde until its proton jumps, and explain the force on it; then shoot
    more jumps, and tell which motion opened the gate.

    Args:
        out: the report to write, one HTML file that opens offline.
        potential: potential, folder, or name of a shipped one.
        temperature: K, of the first velocities (constant energy after that).
        picoseconds: longest time to wait for the jump.
        seed: of the velocities.
        order: largest body order of the rows of atoms; what is above stands as remainders.
        events: number of jumps for the ledger at the end; 0 leaves it out, as does an
            installation without the fast evaluator (interpmd[fast]).
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
    frames = [trajectory[i] for i in window]
    gauge = settled_gauge(frames, Force(PROTON))
    explained = [_explain(potential, atoms, gauge=gauge) for atoms in frames]
    of_atoms = _explain(potential, frames[len(frames) // 2], order=order)
    towards = Force(PROTON, along=FIRST)
    changes = explain_trajectory(potential, frames, towards, gauge=gauge, progress=False)
    headline = of_changes(covariance_shares(changes), "force on H8 towards O0")
    table = _table(window, explained, trajectory)
    say("3. What pushes the proton towards the other oxygen (eV/Å)\n")
    say(table.round(3).to_string() + "\n")
    say(f"   around the jump {headline} (gauge {gauge.name}: absent means that {gauge.absent})")
    worst = max(e.residual for e in explained)
    say(f"   rows and force agree to {worst:.1e} eV/Å\n")
    jump = Jump(trajectory, transfer, event, jumped, window, explained, of_atoms, table, headline)
    report = demo_report(potential.card.level, jump)
    quick = available()  # torch would take ten minutes
    book = opened(potential, temperature, events, seed) if events and quick else None
    if book is not None:
        gate_in_report(report, book)
        say(f"4. Who opened the gate? {len(book.events)} jumps, shot from the top (meV)\n")
        say(
            gate_table(book).to_string()
            + f"\n\n   in the {-book.foot:.0f} fs before the crossing\n"
        )
    path = report.write(out)
    seconds = time.perf_counter() - started
    say(f"{path.resolve()} written; all in {seconds:.0f} s. Open it in any browser.")
    return Demo(trajectory, transfer, event, jumped, table, headline, book, path, seconds)


def _dynamics(
    potential: Potential, temperature: float, picoseconds: float, seed: int, quiet: bool
) -> tuple[Trajectory, Float[np.ndarray, " frames"], int, bool]:
    """Trajectory, place of the proton, frame of the jump, and whether it crossed."""
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
    # the proton starts at the second oxygen, where the coordinate is negative
    transfer = np.array([transfer_coordinate(atoms) for atoms in trajectory])
    event = int(np.abs(transfer).argmin())
    crossed = np.flatnonzero(transfer > 0)
    if len(crossed):
        event = int(crossed[0])
    return trajectory, transfer, event, bool(len(crossed))


def _window(trajectory: Trajectory, event: int, before: int = 12, after: int = 12) -> list[int]:
    return list(range(max(0, event - before), min(len(trajectory), event + after + 1), 2))


def _explain(potential: Potential, atoms: Atoms, **how: Any) -> Explained:
    direction = atoms.positions[FIRST] - atoms.positions[SECOND]
    direction = direction / np.linalg.norm(direction)
    target = Force(PROTON, along=tuple(direction.tolist()))
    explanation = explain(potential, atoms, target, **how)
    acting = explanation[np.abs(explanation.values) > 0]
    doubt = uncertainty(potential, potential.batch(atoms))
    return Explained(
        potential.predict_unwatched(atoms).forces[PROTON].numpy(),
        acting.scalars(),
        acting.spreads() or {},
        dict(zip(acting.labels, acting.members, strict=True)),
        explanation.residual,
        float(explanation.total_std or 0.0),
        float(doubt.extrapolation.max()),
        explanation.certificate().verdict,
    )


def _table(
    window: Sequence[int], explained: Sequence[Explained], trajectory: Trajectory
) -> pd.DataFrame:
    middle = len(window) // 2
    frames = {"before": 0, "at the jump": middle, "after": len(window) - 1}
    columns = {
        f"{name}, {trajectory.times[window[i]]:.0f} fs": pd.Series(explained[i].by_name)
        for name, i in frames.items()
    }
    table = pd.DataFrame(columns).fillna(0.0)
    table = table.loc[table.abs().max(axis=1).sort_values(ascending=False).index]
    listed = LISTED + (len(table) == LISTED + 1)  # "1 others" would say less than its name
    rest, sums = table.iloc[listed:], table.sum()
    table = table.iloc[:listed].copy()
    doubt = pd.Series(explained[middle].spread, dtype=float)
    if len(rest):
        table.loc[f"{len(rest)} others"] = rest.sum()
    table.loc["sum = force"] = sums
    table["± at the jump"] = doubt.reindex(table.index)
    table.loc["sum = force", "± at the jump"] = explained[middle].force_std
    return table.rename_axis("interaction")
