"""The heat map adds up, shares as it says, and keeps the strongest atoms."""

from __future__ import annotations

import numpy as np
import pytest

import interpmd as im
from interpmd.potentials import Potential, StillingerWeber
from interpmd.trust.benchmark import cluster
from interpmd.views.explorer.pairs import OTHERS, pair_map


@pytest.fixture(scope="module")
def found():
    return im.explain(
        Potential([StillingerWeber.example()]), cluster(7, 2, periodic=False), gauge="atoms"
    )


def test_cells_add_up_and_triplets_are_shared_in_three(found):
    drawn = pair_map(found.clusters, found.values, 7)
    assert drawn.atoms == tuple(range(7))
    assert sum(value for _, _, value in drawn.cells) == pytest.approx(found.total, abs=1e-10)
    cells = {(row, column): value for row, column, value in drawn.cells}
    by_hand = dict.fromkeys(cells, 0.0)
    for members, value in zip(found.clusters.tuples(), found.values.tolist(), strict=True):
        for a in members:
            for b in members:
                if a > b and (a, b) in by_hand:
                    by_hand[a, b] += value / (1 if len(members) == 2 else 3)
    assert all(row >= column for row, column in cells)
    for pair, value in cells.items():
        assert by_hand[pair] == pytest.approx(value, abs=1e-12)


def test_weaker_atoms_share_the_last_row(found):
    drawn = pair_map(found.clusters, found.values, 7, rows=3)
    assert len(drawn.atoms) == 4 and drawn.atoms[-1] == OTHERS
    assert sum(value for _, _, value in drawn.cells) == pytest.approx(found.total, abs=1e-10)
    size = np.zeros(7)
    for row, column, value in pair_map(found.clusters, found.values, 7).cells:
        size[[row, column]] += abs(value)
    assert set(drawn.atoms[:-1]) == set(np.argsort(-size)[:3].tolist())
