"""Two coordinates that tell most about how a trajectory moves slowly, for maps of its frames.

Time-lagged independent components (Molgedey and Schuster, Phys. Rev. Lett. 72, 3634, 1994; Pérez-
Hernández et al., J. Chem. Phys. 139, 015102, 2013) of internal coordinates, by deeptime.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpmd import arguments
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError, TrajectoryError
from interpmd.extras import required
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import internal_coordinates
from interpmd.structures.files import Structures

#: Frames below which two components say nothing.
FEWEST = 10

#: Frames that say which bonds and hydrogen bonds there are.
SAMPLED = 50


def slow_coordinates(
    frames: Trajectory | Structures, lag: int | None = None, count: int = 2
) -> Float[np.ndarray, "frames components"]:
    """The slowest components of the internal coordinates of a trajectory.

    Args:
        frames: evenly spaced in time.
        lag: frames; a tenth of them, at least one, if None.
        count: how many components.

    Raises:
        TrajectoryError: fewer than ten frames, or frames that move in fewer ways.
        ArgumentError: a lag of more than half of the frames, or numbers that make no sense.
        CoordinateError: no internal coordinates.
        MissingPackageError: without deeptime.
    """
    frames, _ = frames_and_times(frames)
    if len(frames) < FEWEST:
        raise TrajectoryError(f"slow coordinates need {FEWEST} frames or more, not {len(frames)}")
    lag = max(1, len(frames) // 10) if lag is None else lag
    arguments.count(lag=lag, count=count)
    if lag > len(frames) // 2:
        raise ArgumentError(f"lag={lag} is more than half of the {len(frames)} frames")
    deeptime = required("deeptime.decomposition", "slow coordinates of a trajectory")
    some = frames[:: -(-len(frames) // SAMPLED)]
    known = internal_coordinates(some, bonds, hydrogen_bonds)
    features = np.stack([known.values(atoms.positions, np.asarray(atoms.cell)) for atoms in frames])
    turning = np.array([known.kinds[row] in ("torsion",) for row in known.row])
    angles = features[:, turning]
    features = np.hstack([features[:, ~turning], np.sin(angles), np.cos(angles)])
    features = features - features.mean(0)
    found = deeptime.TICA(lagtime=lag, dim=count, epsilon=1e-6).fit(features).fetch_model()
    projected = np.asarray(found.transform(features))
    if projected.shape[1] < count:
        raise TrajectoryError(f"these frames move in fewer than {count} ways")
    return projected[:, :count]
