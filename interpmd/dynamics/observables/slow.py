"""Two coordinates that tell most about how a trajectory moves slowly, for maps of its frames.

Time-lagged independent components (Molgedey and Schuster, Phys. Rev. Lett. 72, 3634, 1994; Pérez-
Hernández et al., J. Chem. Phys. 139, 015102, 2013) of internal coordinates, by deeptime.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.errors import TrajectoryError
from interpmd.extras import required
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import internal_coordinates

#: Frames below which two components say nothing.
FEWEST = 10

#: Frames that say which bonds and hydrogen bonds there are.
SAMPLED = 50


def slow_coordinates(
    frames: Sequence[Atoms], lag: int | None = None, count: int = 2
) -> Float[np.ndarray, "frames components"]:
    """The slowest components of the internal coordinates of a trajectory.

    Args:
        frames: evenly spaced in time.
        lag: frames; a tenth of them, at least one, if None.
        count: how many components.

    Raises:
        TrajectoryError: fewer than ten frames.
        CoordinateError: no internal coordinates.
        MissingPackageError: without deeptime.
    """
    if len(frames) < FEWEST:
        raise TrajectoryError(f"slow coordinates need {FEWEST} frames or more, not {len(frames)}")
    deeptime = required("deeptime.decomposition", "slow coordinates of a trajectory")
    some = frames[:: -(-len(frames) // SAMPLED)]
    known = internal_coordinates(some, bonds, hydrogen_bonds)
    features = np.stack([known.values(atoms.positions, np.asarray(atoms.cell)) for atoms in frames])
    turning = np.array([known.kinds[row] in ("torsion",) for row in known.row])
    angles = features[:, turning]
    features = np.hstack([features[:, ~turning], np.sin(angles), np.cos(angles)])
    features = features - features.mean(0)
    lag = max(1, len(frames) // 10) if lag is None else lag
    found = deeptime.TICA(lagtime=lag, dim=count, epsilon=1e-6).fit(features).fetch_model()
    projected = np.asarray(found.transform(features))
    if projected.shape[1] < count:
        raise TrajectoryError(f"these frames move in fewer than {count} ways")
    return projected[:, :count]
