"""A symmetric matrix of which only one half is kept, in square tiles, and its factor in its place.

A matrix of n rows takes 4 n^2 bytes, half of what LAPACK wants. The factorisation is that of
Cholesky by blocks (Golub and Van Loan, Matrix Computations, 4.2.9).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int

from interpmd.errors import SingularError

#: Rows and columns of a tile.
TILE = 2048

#: Some vectors, in columns.
Vectors = Float[np.ndarray, "size vectors"]


class Tiles:
    """The lower half of a symmetric matrix, of zeros to begin with.

    Args:
        size: number of its rows.
        tile: rows and columns of a tile.

    Attributes:
        tiles: by row and column of tiles, the column not beyond the row.
    """

    def __init__(self, size: int, tile: int = TILE) -> None:
        self.size = size
        edges = [*range(0, size, tile), size]
        self.parts = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
        lengths = [part.stop - part.start for part in self.parts]
        self.tiles = {
            (i, j): np.zeros((lengths[i], lengths[j]))
            for i in range(len(lengths))
            for j in range(i + 1)
        }

    @staticmethod
    def bytes_of(size: int, tile: int = TILE) -> int:
        """Memory of a matrix."""
        return 4 * size * (size + min(size, tile))

    def copy(self) -> Tiles:
        """Another one with the same numbers."""
        other = Tiles(0)
        other.size, other.parts = self.size, self.parts
        other.tiles = {place: tile.copy() for place, tile in self.tiles.items()}
        return other

    def state(self) -> dict[str, np.ndarray]:
        """All tiles by name, for a checkpoint."""
        return {f"tile_{i}_{j}": tile for (i, j), tile in self.tiles.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take the tiles of a checkpoint."""
        for (i, j), tile in self.tiles.items():
            tile[...] = state[f"tile_{i}_{j}"]

    def add(self, rows: Float[np.ndarray, "size columns"]) -> None:
        """Add rows rows^T."""
        for (i, j), tile in self.tiles.items():
            _add_product(tile, rows[self.parts[i]], rows[self.parts[j]], 1.0, i == j)

    def part(self, rows: slice, columns: slice) -> Float[np.ndarray, "rows columns"]:
        """Some rows of some columns, of which none is beyond the first row, or the same ones: then
        only what is not above the diagonal is right."""
        rows, columns = (slice(*each.indices(self.size)[:2]) for each in (rows, columns))
        found = np.zeros((rows.stop - rows.start, columns.stop - columns.start), order="F")
        for (i, j), tile in self.tiles.items():
            down, mine = _common(self.parts[i], rows)
            right, its = _common(self.parts[j], columns)
            found[mine, its] = tile[down, right]
        return found

    def of(self, rows: Int[np.ndarray, " some"]) -> Float[np.ndarray, "some some"]:
        """Some rows, in ascending order, of the same columns; what is above the diagonal is
        wrong."""
        found = np.zeros((len(rows), len(rows)), order="F")
        inside = [np.flatnonzero((rows >= p.start) & (rows < p.stop)) for p in self.parts]
        for (i, j), tile in self.tiles.items():
            down, right = (rows[inside[k]] - self.parts[k].start for k in (i, j))
            found[np.ix_(inside[i], inside[j])] = tile[np.ix_(down, right)]
        return found

    def factorise(self, diagonal: float) -> None:
        """Replace the matrix, with a number added to its diagonal, by its lower Cholesky factor.

        Raises:
            SingularError: it is not positive definite.
        """
        count = len(self.parts)
        for k in range(count):
            corner = self.tiles[k, k]
            corner[np.diag_indices_from(corner)] += diagonal
        for k in range(count):
            factor, info = scipy.linalg.lapack.dpotrf(self.tiles[k, k], lower=1)
            if info:
                raise SingularError(
                    f"the matrix of rows is singular (row {self.parts[k].start + info - 1}); use a "
                    "stronger ridge"
                )
            self.tiles[k, k] = factor
            for i in range(k + 1, count):
                below = self.tiles[i, k]
                below[...] = _lower(factor, below.T).T
            for i in range(k + 1, count):
                for j in range(k + 1, i + 1):
                    each = self.tiles[i, k], self.tiles[j, k]
                    _add_product(self.tiles[i, j], *each, -1.0, i == j)

    def times(self, right: Vectors) -> Vectors:
        """L times some vectors, once factorised."""
        found = np.zeros_like(right)
        for (i, j), tile in self.tiles.items():
            lower = np.tril(tile) if i == j else tile
            found[self.parts[i]] += lower @ right[self.parts[j]]
        return found

    def forward(self, right: Vectors) -> Vectors:
        """L^-1 times some vectors, once factorised; its first rows are those of the leading part
        of the matrix alone."""
        found = right.copy()
        for i, part in enumerate(self.parts):
            for j in range(i):
                found[part] -= self.tiles[i, j] @ found[self.parts[j]]
            found[part] = _lower(self.tiles[i, i], found[part])
        return found

    def backward(self, right: Vectors) -> Vectors:
        """L^-T times some vectors, once factorised; of vectors that are 0 from some row on it is
        that of the leading part of the matrix alone."""
        found = right.copy()
        for i in reversed(range(len(self.parts))):
            part = self.parts[i]
            for j in range(i + 1, len(self.parts)):
                found[part] -= self.tiles[j, i].T @ found[self.parts[j]]
            found[part] = _lower(self.tiles[i, i], found[part], trans=1)
        return found


def _common(one: slice, other: slice) -> tuple[slice, slice]:
    """What two ranges share, counted from the start of either."""
    first, last = max(one.start, other.start), min(one.stop, other.stop)
    last = max(first, last)
    return (
        slice(first - one.start, last - one.start),
        slice(first - other.start, last - other.start),
    )


def _add_product(
    tile: np.ndarray, left: np.ndarray, right: np.ndarray, factor: float, symmetric: bool
) -> None:
    """Add left right^T times a factor in place, of a symmetric tile what is not above its diagonal.

    LAPACK sees all arrays transposed, as it takes columns for what are rows here.
    """
    if symmetric:
        scipy.linalg.blas.dsyrk(factor, left.T, trans=1, beta=1.0, c=tile.T, overwrite_c=1, lower=0)
    else:
        scipy.linalg.blas.dgemm(
            factor, right.T, left.T, trans_a=1, beta=1.0, c=tile.T, overwrite_c=1
        )


def _lower(factor: np.ndarray, right: np.ndarray, trans: int = 0) -> np.ndarray:
    return scipy.linalg.solve_triangular(factor, right, lower=True, trans=trans, check_finite=False)
