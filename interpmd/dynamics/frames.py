"""Frames of one system, and when they were taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import TrajectoryError
from interpmd.structures.files import Structures, read_frames


def frames_and_times(
    trajectory: Trajectory | Structures,
    times: Sequence[float] | None = None,
    ascending: bool = False,
) -> tuple[list[Atoms], np.ndarray]:
    """The frames and when they were taken, in fs; their number where nobody says.

    Args:
        trajectory: frames of one system.
        times: fs; those of the trajectory or of its frames if None.
        ascending: whether the frames must be in order of time: of one run.

    Raises:
        TrajectoryError: no frames, frames with other atoms, another number of times than of
            frames, or times that are no finite numbers or are not in order.
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
    if given is None:
        return frames, np.arange(len(frames), dtype=float)
    try:
        moments = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise TrajectoryError(f"times are numbers in fs, not {given!r}") from None
    if moments.shape != (len(frames),):
        raise TrajectoryError(f"{moments.size} times for {len(frames)} frames")
    good = np.isfinite(moments)
    if ascending:
        good &= np.diff(moments, prepend=-np.inf) > 0
    if not good.all():
        frame = int(np.flatnonzero(~good)[0])
        what = "must ascend" if np.isfinite(moments).all() else "are finite numbers"
        raise TrajectoryError(
            f"the times of the frames {what}, and that of frame {frame} is {moments[frame]:g} fs"
        )
    return frames, moments
