"""The posterior of a read-out, and what more rows change about it.

With the Cholesky factor L of the precision H = X^T X + P and new rows A,

    (H + A^T A)^-1 = L^-T (1 - Y (1 + Y^T Y)^-1 Y^T) L^-1,   Y = L^-1 A^T

(Woodbury; Hager, SIAM Review 31, 221 (1989)), so that k rows cost k triangular solutions instead of
a factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass(frozen=True, eq=False)
class Extended:
    """A solution that knows some more rows than were factorised.

    Attributes:
        solution: without them.
        blocks: of A, in the order in which they came, shape (rows, weights) each.
        parts: of Y, for each block, shape (weights, rows).
        inner: Cholesky factor of 1 + Y^T Y in its lower triangle.
    """

    solution: Solution
    blocks: tuple[Float[np.ndarray, "rows weights"], ...] = ()
    parts: tuple[Float[np.ndarray, "weights rows"], ...] = ()
    inner: Float[np.ndarray, "rows rows"] = field(default_factory=lambda: np.zeros((0, 0)))

    def __len__(self) -> int:
        """How many rows."""
        return len(self.inner)

    def extended(self, rows: Float[np.ndarray, "rows weights"]) -> Extended:
        """With more rows still, in as many triangular solutions; nothing else is made anew."""
        new = self.solution.halves(rows)
        old = len(self)
        inner = np.zeros((old + len(rows),) * 2)
        inner[:old, :old] = self.inner
        corner = new.T @ new
        corner[np.diag_indices_from(corner)] += 1.0
        if old:
            across = np.concatenate([part.T @ new for part in self.parts])
            across = scipy.linalg.solve_triangular(
                self.inner, across, lower=True, check_finite=False
            )
            inner[old:, :old] = across.T
            corner -= across.T @ across
        inner[old:, old:] = scipy.linalg.cholesky(corner, lower=True, check_finite=False)
        return Extended(self.solution, (*self.blocks, rows), (*self.parts, new), inner)

    def gain(self, missed: np.ndarray) -> np.ndarray:
        """What the mean without the rows gains by them if it misses their targets by so much:
        H^-1 A^T (1 + Y^T Y)^-1 missed; one vector, or one in each column."""
        weights = scipy.linalg.cho_solve((self.inner, True), missed, check_finite=False)
        pulls, first = np.zeros((len(self.solution.mean), *missed.shape[1:])), 0
        for part in self.parts:
            pulls += part @ weights[first : first + part.shape[1]]
            first += part.shape[1]
        return scipy.linalg.solve_triangular(
            self.solution.factor, pulls, lower=True, trans=1, check_finite=False
        )

    def of(self, vector: np.ndarray) -> np.ndarray:
        """A times a vector, or times one in each column."""
        none = np.zeros((0, *vector.shape[1:]))
        return np.concatenate([none, *(rows @ vector for rows in self.blocks)])

    def inverse(self, vector: Float[np.ndarray, " weights"]) -> Float[np.ndarray, " weights"]:
        """The inverse of the precision of all rows times a vector."""
        first = self.solution.solve(vector)
        return first - self.gain(self.of(first)) if len(self) else first


def of_lower(
    matrix: Float[np.ndarray, "weights weights"], vector: np.ndarray, block: int = 256
) -> np.ndarray:
    """A symmetric matrix times a vector, in the vector's precision; its lower triangle is read."""
    product = np.zeros_like(vector)
    for first in range(0, len(vector), block):
        last = min(first + block, len(vector))
        corner = np.tril(matrix[first:last, first:last]).astype(vector.dtype)
        below = matrix[last:, first:last].astype(vector.dtype)
        product[first:last] += corner @ vector[first:last] + below.T @ vector[last:]
        product[first:last] += np.tril(corner, -1).T @ vector[first:last]
        product[last:] += below @ vector[first:last]
    return product
