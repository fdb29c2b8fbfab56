"""The heat map of an answer: atoms by atoms, what lies on each pair."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from interpmd.attribution.explanation import Explanation

#: Atoms with a row of their own; the weaker ones share the last.
ROWS = 24
#: In place of an atom: all those without a row of their own.
OTHERS = -1


@dataclass(frozen=True)
class PairMap:
    """What lies on each pair of atoms; the cells add up to the answer's total.

    An interaction of more than two atoms gives equal parts to its pairs (a triplet a third to
    each of three), as `Explanation.pair_matrix` and the grouping "pair" do.

    Attributes:
        atoms: of the rows, in order; the last is `OTHERS` where not all have one.
        cells: row, column (not above the row) and value in eV or eV/A; single atoms and
            remainders lie on the diagonal. Cells without a contribution are left out.
    """

    atoms: tuple[int, ...]
    cells: tuple[tuple[int, int, float], ...]


def pair_map(found: Explanation, flat: np.ndarray, rows: int = ROWS) -> PairMap:
    """Share each contribution among its pairs.

    Args:
        found: without isolated atoms.
        flat: its values as numbers, shape (clusters,).
        rows: atoms with a row of their own at most.
    """
    cells: dict[tuple[int, int], float] = {}
    for members, value in zip(found.clusters.tuples(), flat.tolist(), strict=True):
        atoms = sorted({int(a) for a in members})
        if not value or not atoms:
            continue
        shared = list(combinations(atoms, 2)) or [(atoms[0], atoms[0])]
        for pair in shared:
            cells[pair] = cells.get(pair, 0.0) + value / len(shared)
    count = len(found.atoms)
    chosen = _strongest(cells, count, rows)
    place = {atom: row for row, atom in enumerate(chosen)}
    drawn: dict[tuple[int, int], float] = {}
    for (first, second), value in cells.items():
        column, row = sorted(place.get(a, len(chosen)) for a in (first, second))
        drawn[row, column] = drawn.get((row, column), 0.0) + value
    names = (*chosen, OTHERS) if len(chosen) < count else chosen
    return PairMap(tuple(names), tuple((r, c, v) for (r, c), v in sorted(drawn.items())))


def _strongest(cells: dict[tuple[int, int], float], count: int, rows: int) -> tuple[int, ...]:
    """Atoms in whose row most happens, in the order of the structure."""
    if count <= rows:
        return tuple(range(count))
    size = np.zeros(count)
    for pair, value in cells.items():
        for atom in set(pair):
            size[atom] += abs(value)
    return tuple(sorted(np.argsort(-size, kind="stable")[:rows].tolist()))
