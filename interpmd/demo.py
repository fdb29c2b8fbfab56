"""The main job in one go: dynamics, a proton that jumps, and what pushed it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from interpmd.dynamics import Trajectory, simulate
from interpmd.potentials.io import load_potential
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.views.molecule import draw_molecule
from interpmd.views.plots import budget, time_lines
from interpmd.views.report import Report

#: Malonaldehyde (cis-enol) in A: O=C-C=C-O-H, the proton last.
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
    """What the demonstration found.

    Attributes:
        trajectory: the dynamics up to a little after the jump.
        transfer: r(first O, H) - r(second O, H) at every frame in A; it changes sign as the
            proton jumps.
        event: frame at which the proton is in the middle, or comes closest to it.
        jumped: whether it crossed.
        table: contributions to the force on the proton, towards the other oxygen.
        report: the HTML file.
        seconds: how long all of it took.
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
    temperature: float = 500.0,
    picoseconds: float = 4.0,
    seed: int = 0,
    order: int = 3,
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

    trajectory = simulate(
        potential,
        MALONALDEHYDE,
        "nve",
        temperature=2 * temperature,  # half of it turns into potential energy
        time_step=0.5,
        steps=int(picoseconds * 2000),
        record_every=2,
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
    """r(H, second O) - r(H, first O) in A: negative before the jump, positive after it."""
    return atoms.get_distance(PROTON, SECOND) - atoms.get_distance(PROTON, FIRST)


def _window(trajectory: Trajectory, event: int, before: int = 20, after: int = 20) -> list[int]:
    return list(range(max(0, event - before), min(len(trajectory), event + after + 1)))


def _explain(potential: Potential, atoms: Atoms, order: int) -> _Explained:
    from interpmd.attribution.kinds import describe

    direction = atoms.positions[FIRST] - atoms.positions[SECOND]
    direction = direction / np.linalg.norm(direction)
    table = potential.decompose(atoms, order=order)
    along = table.on_atom(PROTON) @ direction
    names, kinds, members = describe(atoms, table)
    by_kind: dict[str, float] = {}
    by_name: dict[str, float] = {}
    for name, kind, value in zip(names, kinds, along, strict=True):
        if value:
            by_kind[kind] = by_kind.get(kind, 0.0) + float(value)
            by_name[name] = by_name.get(name, 0.0) + float(value)
    force = potential.predict(atoms).forces[PROTON].numpy()
    doubt = uncertainty(potential, potential.batch(atoms))
    return _Explained(
        direction,
        force,
        by_kind,
        by_name,
        {},
        {n: m for n, m in zip(names, members, strict=True)},
        float(abs(sum(by_kind.values()) - force @ direction)),
        float(np.sqrt(((doubt.forces_std[PROTON].numpy() * direction) ** 2).sum())),
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
    table.loc["± (posterior)"] = [explained[i].force_std for i in frames.values()]
    return table.rename_axis("kind of interaction")
