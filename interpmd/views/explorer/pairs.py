"""The heat map of an answer: atoms by atoms, what lies on each pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpmd.attribution.contributions import pair_matrix
from interpmd.decomposition.clusters import Clusters

#: Atoms with a row of their own; the weaker ones share the last.
ROWS = 24
#: In place of an atom: all those without a row of their own.
OTHERS = -1


@dataclass(frozen=True)
class PairMap:
    """What lies on each pair of atoms; the cells add up to the answer's total.

    An interaction of more than two atoms gives equal parts to its pairs (a triplet a third to
    each of three), as `Explanation.pair_matrix` does.

    Attributes:
        atoms: of the rows, in order; the last is `OTHERS` where not all have one.
        cells: row, column (not above the row) and value in eV or eV/Å; single atoms and
            remainders lie on the diagonal. Cells without a contribution are left out.
    """

    atoms: tuple[int, ...]
    cells: tuple[tuple[int, int, float], ...]


def pair_map(
    clusters: Clusters, values: Float[np.ndarray, " clusters"], count: int, rows: int = ROWS
) -> PairMap:
    """Share each contribution among its pairs.

    Args:
        clusters: of atoms, without isolated atoms.
        values: of the clusters in eV or eV/Å.
        count: number of atoms of the structure.
        rows: atoms with a row of their own at most.
    """
    matrix = np.tril(pair_matrix(clusters, values, tuple((atom,) for atom in range(count))))
    shown = np.arange(count) if count <= rows else _strongest(matrix, rows)
    place = np.full(count, len(shown))
    place[shown] = np.arange(len(shown))
    first, second = np.nonzero(matrix)
    size = len(shown) + (len(shown) < count)
    drawn = np.zeros((size, size))
    ends = np.sort([place[first], place[second]], axis=0)
    np.add.at(drawn, (ends[1], ends[0]), matrix[first, second])
    atoms = [*shown.tolist(), OTHERS] if len(shown) < count else shown.tolist()
    cells = [(int(r), int(c), float(drawn[r, c])) for r, c in np.argwhere(drawn)]
    return PairMap(tuple(atoms), tuple(cells))


def _strongest(matrix: Float[np.ndarray, "atoms atoms"], rows: int) -> np.ndarray:
    """Atoms in whose row and column most happens, in the order of the structure."""
    size = np.abs(matrix)
    both = size.sum(0) + size.sum(1) - np.diag(size)
    return np.sort(np.argsort(-both, kind="stable")[:rows])
