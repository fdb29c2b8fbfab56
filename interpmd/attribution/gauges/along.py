"""Tensions of internal coordinates in all frames of a path at once; see `internal`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpmd.errors import InternalGaugeError
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.coordinates.span import RANK_TOLERANCE
from interpmd.structures.coordinates.stack import on_frames


@dataclass(frozen=True)
class TensionsAlong:
    """Coordinates and their tensions along a path.

    Attributes:
        coordinates: whose rows the components belong to (`Coordinates.row`).
        moved: what each component has changed by since the first frame, in Å or rad, shape
            (frames, components).
        tensions: g = -dE/dq in eV/Å or eV/rad, shape (frames, components).
        derivatives: B, shape (frames, components, atoms, 3).
    """

    coordinates: Coordinates
    moved: Float[np.ndarray, "frames components"]
    tensions: Float[np.ndarray, "frames components"]
    derivatives: Float[np.ndarray, "frames components atoms 3"]

    def by_row(self, values: Float[np.ndarray, "frames components ..."]) -> np.ndarray:
        """Sums of what belongs to components over those of each row."""
        starts = np.searchsorted(self.coordinates.row, np.arange(len(self.coordinates)))
        return np.add.reduceat(values, starts, axis=1) if len(starts) else values


def tensions_along(
    coordinates: Coordinates,
    positions: Float[np.ndarray, "frames atoms 3"],
    forces: Float[np.ndarray, "frames atoms 3"],
) -> TensionsAlong:
    """Tensions in all frames, each as `interpmd.attribution.gauges.internal.carried` finds them.

    Args:
        coordinates: made from all frames, so that they hold throughout.
        positions: Å, unwrapped: no atom may jump across the cell, which is the same throughout.
        forces: eV/Å.

    Raises:
        InternalGaugeError: numbers of frames that differ, or forces that are not finite.
        CoordinateError: see `interpmd.structures.coordinates.stack.on_frames`.
    """
    forces = np.asarray(forces, dtype=float)
    if forces.shape != np.shape(positions) or not np.isfinite(forces).all():
        raise InternalGaugeError(
            f"forces must be finite numbers, one vector for each atom of each frame: positions "
            f"have the shape {np.shape(positions)}, forces {forces.shape}"
        )
    moved, derivatives, stiffnesses = on_frames(coordinates, positions)
    frames, components = stiffnesses.shape
    matrix = derivatives.reshape(frames, components, -1)
    weighted = matrix * np.sqrt(stiffnesses)[:, :, None]
    values, vectors = np.linalg.eigh(weighted.transpose(0, 2, 1) @ weighted)
    seen = values > RANK_TOLERANCE * values[:, -1:]
    inverse = np.where(seen, 1 / np.where(seen, values, 1.0), 0.0)
    rest = forces.reshape(frames, -1, 1)
    tensions = np.zeros((frames, components, 1))
    for _ in range(2):  # the second step takes out the rounding of the first
        answer = vectors @ (inverse[:, :, None] * (vectors.transpose(0, 2, 1) @ rest))
        step = stiffnesses[:, :, None] * (matrix @ answer)
        tensions, rest = tensions + step, rest - matrix.transpose(0, 2, 1) @ step
    return TensionsAlong(coordinates, moved, tensions[:, :, 0], derivatives)
