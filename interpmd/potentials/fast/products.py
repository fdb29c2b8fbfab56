"""Matrices in single precision times vectors in double: half the memory, and no error of sums.

Both take the columns from `first` on, as many as the vector or the result has.
"""

from __future__ import annotations

from jaxtyping import Float
from numpy import ndarray

from interpmd.potentials.fast.call import kernel


@kernel
def times(
    matrix: Float[ndarray, "rows columns"],
    first: int,
    vector: Float[ndarray, " some"],
    found: Float[ndarray, " rows"],
) -> None:
    """Write M v."""
    for i in range(len(matrix)):
        row, total = matrix[i, first : first + len(vector)], 0.0
        for j in range(len(vector)):
            total += row[j] * vector[j]
        found[i] = total


@kernel
def transposed(
    matrix: Float[ndarray, "rows columns"],
    first: int,
    vector: Float[ndarray, " rows"],
    found: Float[ndarray, " some"],
) -> None:
    """Add M^T v: four rows together, as the sums are read and written each time."""
    rows, last = len(matrix), first + len(found)
    whole = rows // 4 * 4
    for i in range(0, whole, 4):
        one, two = matrix[i, first:last], matrix[i + 1, first:last]
        three, four = matrix[i + 2, first:last], matrix[i + 3, first:last]
        a, b, c, d = vector[i], vector[i + 1], vector[i + 2], vector[i + 3]
        for j in range(len(found)):
            found[j] += a * one[j] + b * two[j] + c * three[j] + d * four[j]
    for i in range(whole, rows):
        one, a = matrix[i, first:last], vector[i]
        for j in range(len(found)):
            found[j] += a * one[j]
