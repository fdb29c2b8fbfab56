"""Rows of a fit in single precision, multiplied in double.

Rows that are rounded are rows of features that differ by so much: a fit does not care. Sums over
them do: what one part of the weights leaves over is a small difference of large numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from interpmd.potentials import fast

#: Rows that are turned to double precision at once, where there is no generated code.
ROWS = 256

Vector = Float[np.ndarray, " numbers"]


class SingleRows:
    """A matrix of zeros, `values`, shape (rows, columns), to be written into."""

    def __init__(self, rows: int, columns: int) -> None:
        self.values: Float[np.ndarray, "rows columns"] = np.zeros((rows, columns), np.float32)

    def times(self, vector: Vector, columns: slice, rows: int) -> Vector:
        """Some columns times a vector, of the first rows."""
        found = np.zeros(rows)
        _shared(rows, lambda some: self._times(some, columns, vector, found))
        return found

    def back(self, vector: Vector, columns: slice) -> Vector:
        """The transpose of some columns times a vector, which says how many rows there are."""
        size = columns.stop - columns.start
        parts = _shared(len(vector), lambda some: self._back(some, columns.start, size, vector))
        return np.sum(parts, axis=0)

    def _times(self, some: slice, columns: slice, vector: Vector, found: Vector) -> None:
        if fast.available():
            from interpmd.potentials.fast.products import times

            times(self.values[some], columns.start, vector, found[some])
            return
        for part in _blocks(some):
            found[part] = self.values[part, columns].astype(float) @ vector

    def _back(self, some: slice, first: int, size: int, vector: Vector) -> Vector:
        found = np.zeros(size)
        if fast.available():
            from interpmd.potentials.fast.products import transposed

            transposed(self.values[some], first, vector[some], found)
            return found
        for part in _blocks(some):
            found += vector[part] @ self.values[part, first : first + size].astype(float)
        return found


def _shared(rows: int, each: Callable[[slice], Any]) -> list[Any]:
    """What several threads find for their shares of the rows."""
    threads = torch.get_num_threads()
    edges = np.linspace(0, rows, threads + 1).astype(int).tolist()
    shares = [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(each, shares))


def _blocks(some: slice) -> list[slice]:
    firsts = range(some.start, some.stop, ROWS)
    return [slice(first, min(first + ROWS, some.stop)) for first in firsts]
