"""Runs that end in a file of another format than the one that they grow in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase.calculators.calculator import Calculator

from interpmd.dynamics.export import other_format
from interpmd.dynamics.run import simulate
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import OutputError
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, text_format, write_new


def simulate_into(
    out: str | Path, potential: Potential | Calculator | str, atoms: Structures, **options: Any
) -> Trajectory:
    """As `simulate`, into the format that the name says: .traj, .xyz, .extxyz, .dcd, .xtc or .trr.

    All but .traj are written when the run is done. Until then it grows in ``<out>.partial.traj``,
    from which the same call goes on.

    Raises:
        ArgumentError: another ending.
        OutputError: a file that is there already, or cannot be written.
        Others: see `simulate`.
    """
    if not other_format(out):
        if not text_format(out):
            return simulate(potential, atoms, out=out, **options)
        write_new(out)
    elif Path(out).exists():
        raise OutputError(f"{out} is there already; choose another name or delete it")
    grows = Path(f"{out}.partial.traj")
    trajectory = simulate(potential, atoms, out=grows, **options)
    trajectory.write(out)
    for path in (grows, Path(f"{grows}.json")):
        path.unlink(missing_ok=True)
    return trajectory
