"""Molecules of a periodic box: parts are evaluated as structures, 38 of them for all pairs of 8."""

from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import interpmd as im
from interpmd.attribution.methods import exact
from interpmd.attribution.models import PotentialModel


def eight_waters() -> Atoms:
    rng = np.random.default_rng(0)
    box = Atoms(cell=[6.3] * 3, pbc=True)
    for place in np.ndindex(2, 2, 2):
        water = molecule("H2O")
        water.rotate(rng.uniform(0, 360), rng.normal(size=3))
        water.positions += 3.15 * np.array(place)
        box += water
    return box


@pytest.mark.parametrize("target", [im.Energy(), im.Force(0)], ids=str)
def test_pairs_of_molecules_cost_one_call_each(target, monkeypatch):
    def table(*_):  # 42 million subsets of neighbours
        raise AssertionError("a table is not needed for parts")

    monkeypatch.setattr(PotentialModel, "table", table)
    box, potential = eight_waters(), im.load("water")
    found = im.explain(potential, box, target, fragments="molecules", order=2)
    assert found.evaluations == 38  # 8 molecules, 28 pairs, the box, and the box again
    assert np.abs(found.residual) < 1e-8
    if isinstance(target, im.Energy):

        def energy(*molecules):
            members = [3 * m + k for m in molecules for k in range(3)]
            return float(potential.predict_unwatched(box[members]).energy)

        rows = found.by("fragment")
        for one, other in list(combinations(range(8), 2))[::9]:
            pair = energy(one, other) - energy(one) - energy(other)
            assert rows[(one, other)] == pytest.approx(pair, abs=1e-9)


def test_triplets_are_exact_where_the_table_would_be_cut(monkeypatch):
    """The parts up to the order count, however many sets of players there are beyond it."""
    monkeypatch.setattr(exact, "FEW_PARTS", 50)  # 92 parts of up to three molecules, 255 in all
    box, potential = eight_waters(), im.load("water")

    def pull(*molecules):
        members = [3 * m + k for m in molecules for k in range(3)]
        return potential.predict_unwatched(box[members]).forces[0].cpu().numpy()

    found = im.explain(potential, box, im.Force(0), fragments="molecules", order=3)
    assert np.abs(found.residual) < 1e-8
    for other, third in ((1, 2), (3, 7)):
        triplet = pull(0, other, third) - pull(0, other) - pull(0, third) + pull(0)
        members = tuple(3 * m + k for m in (0, other, third) for k in range(3))
        assert found[members] == pytest.approx(triplet, abs=1e-8)
