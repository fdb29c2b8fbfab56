"""Frames of one system, and when they were taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import TrajectoryError
from interpmd.structures.files import Structures, read_frames


def frames_and_times(
    trajectory: Trajectory | Structures, times: Sequence[float] | None = None
) -> tuple[list[Atoms], np.ndarray]:
    """The frames and when they were taken, in fs; their number where nobody says.

    Raises:
        TrajectoryError: no frames, frames with other atoms, or another number of times than of
            frames.
    """
    frames = read_frames(trajectory)
    if not frames:
        raise TrajectoryError("the trajectory has no frames")
    for index, atoms in enumerate(frames):
        if len(atoms) != len(frames[0]) or (atoms.numbers != frames[0].numbers).any():
            raise TrajectoryError(
                f"frame {index} is {atoms.symbols}, and the first one {frames[0].symbols}: all "
                "frames must have the same atoms in the same order"
            )
    given = getattr(trajectory, "times", None) if times is None else times
    if given is None and all("time_fs" in atoms.info for atoms in frames):
        given = [atoms.info["time_fs"] for atoms in frames]
    moments = np.arange(len(frames), dtype=float) if given is None else np.asarray(given, float)
    if moments.shape != (len(frames),):
        raise TrajectoryError(f"{moments.size} times for {len(frames)} frames")
    return frames, moments
