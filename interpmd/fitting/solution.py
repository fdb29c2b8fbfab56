"""The posterior of a read-out, and what more rows change about it.

With the Cholesky factor L of the precision H = X^T X + P and new rows A,

    (H + A^T A)^-1 = L^-T (1 - Y (1 + Y^T Y)^-1 Y^T) L^-1,   Y = L^-1 A^T

(Woodbury; Hager, SIAM Review 31, 221 (1989)), so that k rows cost k triangular solutions instead of
a factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float


@dataclass(frozen=True)
class Solution:
    """Posterior of the read-out in scaled columns.

    Attributes:
        mean: shape (weights,).
        factor: Cholesky factor of the precision in its lower triangle, shape (weights, weights);
            what is above the diagonal has no meaning, and the next solution takes its place.
        variance: mean square of the weighted misfit, the scale of the posterior.
    """

    mean: np.ndarray
    factor: np.ndarray
    variance: float

    def samples(self, count: int, seed: int) -> np.ndarray:
        """Deviations from the mean, shape (weights, count)."""
        return np.sqrt(self.variance) * self.unit_samples(count, seed)

    def unit_samples(self, count: int, seed: int) -> np.ndarray:
        """The same for a misfit of one: their covariance is the inverse of the precision."""
        noise = np.random.default_rng(seed).normal(size=(len(self.mean), count))
        return scipy.linalg.solve_triangular(
            self.factor, noise, lower=True, trans=1, check_finite=False
        )

    def solve(self, right: np.ndarray) -> np.ndarray:
        """The inverse of the precision times some vectors, shape (weights, vectors)."""
        if self.factor.flags.c_contiguous:  # what LAPACK would copy is its upper factor
            return scipy.linalg.cho_solve((self.factor.T, False), right, check_finite=False)
        return scipy.linalg.cho_solve((self.factor, True), right, check_finite=False)

    def halves(self, rows: Float[np.ndarray, "rows weights"]) -> Float[np.ndarray, "weights rows"]:
        """L^-1 rows^T: products of them are covariances."""
        return scipy.linalg.solve_triangular(self.factor, rows.T, lower=True, check_finite=False)


class Extended:
    """A solution that knows some more rows than were factorised.

    Args:
        solution: without them.
        rows: A, shape (rows, weights). half: Y, where it is known already.
    """

    def __init__(
        self,
        solution: Solution,
        rows: Float[np.ndarray, "rows weights"],
        half: Float[np.ndarray, "weights rows"] | None = None,
    ) -> None:
        self.solution, self.rows = solution, rows
        self.half = solution.halves(rows) if half is None else half
        inner = self.half.T @ self.half
        inner[np.diag_indices_from(inner)] += 1.0
        self._inner = scipy.linalg.cho_factor(inner, overwrite_a=True, check_finite=False)

    def extended(self, rows: Float[np.ndarray, "rows weights"]) -> Extended:
        """With more rows still."""
        half = np.concatenate([self.half, self.solution.halves(rows)], axis=1)
        return Extended(self.solution, np.concatenate([self.rows, rows]), half)

    def gain(self, missed: np.ndarray) -> np.ndarray:
        """What the mean without the rows gains by them if it misses their targets by so much:
        H^-1 A^T (1 + Y^T Y)^-1 missed; one vector, or one in each column."""
        weights = scipy.linalg.cho_solve(self._inner, missed, check_finite=False)
        return scipy.linalg.solve_triangular(
            self.solution.factor, self.half @ weights, lower=True, trans=1, check_finite=False
        )

    def inverse(self, vector: Float[np.ndarray, " weights"]) -> Float[np.ndarray, " weights"]:
        """The inverse of the precision of all rows times a vector."""
        first = self.solution.solve(vector)
        return first - self.gain(self.rows @ first)
