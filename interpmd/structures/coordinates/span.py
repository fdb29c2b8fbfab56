"""Which motions of the atoms a set of coordinates sees.

The model Hessian B^T K B has a null space: motions that change no coordinate. Those of the whole
system belong there, translations always and rotations unless the periodic cell forbids them. Any
other means that a coordinate is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import sparse

#: Eigenvalues of the model Hessian below this share of the largest are zero.
RANK_TOLERANCE = 1e-13

#: Entries of B from which on it is worth to skip its zeros.
LARGE = 200_000


@dataclass(frozen=True)
class Span:
    """Motions that coordinates see and do not see, as orthonormal columns.

    Attributes:
        compliance: pseudo-inverse of B^T K B in Å²/eV, shape (3 atoms, 3 atoms).
        rotations: of the whole system, unseen by the coordinates, shape (3 atoms, 0 to 3).
        unseen: all that is unseen, translations and rotations included, shape (3 atoms, unseen).
    """

    compliance: Float[np.ndarray, "directions directions"]
    rotations: Float[np.ndarray, "directions rotations"]
    unseen: Float[np.ndarray, "directions unseen"]

    @property
    def missing(self) -> int:
        """How many motions that change the shape no coordinate sees."""
        return self.unseen.shape[1] - self.rotations.shape[1] - 3


def span(
    derivatives: Float[np.ndarray, "components atoms 3"],
    stiffnesses: Float[np.ndarray, " components"],
    places: Float[np.ndarray, "atoms 3"],
) -> Span:
    """Split the motions of a structure into those that coordinates see and the rest.

    Args:
        derivatives: B.
        stiffnesses: K, positive.
        places: positions in Å, linked atoms put together across periodic boundaries.
    """
    hessian = model_hessian(derivatives, stiffnesses)
    values, vectors = np.linalg.eigh(hessian)
    seen = values > RANK_TOLERANCE * values[-1:].max(initial=0.0)
    kept, unseen = vectors[:, seen], vectors[:, ~seen]
    return Span((kept / values[seen]) @ kept.T, _rotations(places, unseen), unseen)


def model_hessian(
    derivatives: Float[np.ndarray, "components atoms 3"], stiffnesses: np.ndarray
) -> Float[np.ndarray, "directions directions"]:
    """B^T K B in eV/Å²."""
    components, atoms, _ = derivatives.shape
    weighted = derivatives.reshape(components, 3 * atoms) * np.sqrt(stiffnesses)[:, None]
    if weighted.size > LARGE:
        weighted = sparse.csr_array(weighted)
        return (weighted.T @ weighted).toarray()
    return weighted.T @ weighted


def _rotations(places: np.ndarray, unseen: np.ndarray) -> np.ndarray:
    """Rotations of the whole that change no coordinate: none in a crystal, one about the axis of
    a chain that is periodic, two of a molecule on a line, else three."""
    if unseen.shape[1] <= 3:
        return np.zeros((len(unseen), 0))
    arms = places - places.mean(0)
    turned = np.cross(np.eye(3)[:, None], arms).reshape(3, -1)
    _, sizes, rotations = np.linalg.svd(turned, full_matrices=False)
    rotations = rotations[sizes > 1e-4 * max(sizes[0], 1e-9)]
    _, overlaps, shared = np.linalg.svd(unseen.T @ rotations.T)
    return rotations.T @ shared[: len(overlaps)][overlaps > 1 - 1e-6].T
