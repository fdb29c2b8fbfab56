"""Methods that ask for coalitions of groups, against the definition, by GFN2-xTB."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="groups need RDKit")
pytest.importorskip("tblite", reason="the model of these tests is GFN2-xTB")

from capped_molecules import from_smiles, gfn2

import interpmd as im
from interpmd.attribution.gauges.capping import capped, hydrogen_molecule, parts_of
from interpmd.attribution.gauges.myerson import connected_sets
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import GaugeError
from interpmd.reference.calculator import as_calculator
from interpmd.structures.groups import groups_of


def worth_of_all_sets(atoms, grouping):
    """v of every set of groups by GFN2-xTB: the sum of its connected pieces, caps paid."""
    parts = parts_of(grouping, connected_sets(len(grouping), grouping.links))
    energies, _ = gfn2([*capped(parts, atoms), hydrogen_molecule()])
    piece = dict(zip(parts.sets, energies[:-1] - 0.5 * parts.caps * energies[-1], strict=True))
    count, worth = len(grouping), {}
    for size in range(count + 1):
        for chosen in combinations(range(count), size):
            left, total = set(chosen), 0.0
            while left:
                whole = max((s for s in piece if set(s) <= left), key=len)
                total, left = total + piece[whole], left - set(whole)
            worth[chosen] = total
    return worth


@pytest.fixture(scope="module")
def glycol():
    """Ethylene glycol: four groups in a chain, and the worth of all their sets."""
    atoms = from_smiles("OCCO")
    atoms.rattle(0.03, seed=3)
    grouping = groups_of(atoms)
    assert len(grouping) == 4
    return atoms, grouping, worth_of_all_sets(atoms, grouping)


def shapley_by_definition(worth, count):
    """Mean change on joining, over all orders of arrival."""
    values, orders = np.zeros(count), list(permutations(range(count)))
    for order in orders:
        for place, player in enumerate(order):
            before = tuple(sorted(order[:place]))
            values[player] += worth[tuple(sorted((*before, player)))] - worth[before]
    return values / len(orders)


@pytest.mark.parametrize(
    ("method", "options", "tolerance"),
    [
        ("shapley", {}, 1e-7),
        ("shap_exact", {}, 1e-7),
        ("shap_permutation", {"samples": 200}, 0.05),
        ("kernel_shap", {"samples": 400}, 0.1),
        ("shap_kernel", {"samples": 400}, 1e-6),
        ("shapley_sampling", {"samples": 200}, 0.05),
    ],
)
def test_shapley_values_of_groups_are_those_of_the_definition(glycol, method, options, tolerance):
    atoms, grouping, worth = glycol
    known = shapley_by_definition(worth, len(grouping))
    explanation = im.explain(
        as_calculator("gfn2-xtb"), atoms, gauge=grouping, method=method, **options
    )
    assert explanation.gauge == "groups"
    values = explanation.by("fragment")
    assert [values[(k,)] for k in range(4)] == pytest.approx(known, abs=tolerance)
    largest = max(abs(worth[(k,)] - known[k]) for k in range(4))
    assert largest > 4 * tolerance  # interactions are far larger than the error


def test_leaving_a_group_out_is_the_worth_of_the_others(glycol):
    atoms, grouping, worth = glycol
    explanation = im.explain(as_calculator("gfn2-xtb"), atoms, gauge=grouping, method="ablation")
    everyone = tuple(range(4))
    for k in everyone:
        others = tuple(j for j in everyone if j != k)
        assert explanation.by("fragment")[(k,)] == pytest.approx(
            worth[everyone] - worth[others], abs=2e-5
        )
    assert not explanation.complete


def test_interactions_of_groups_and_their_error_bars(glycol):
    """Pairs of groups: dividends share out as k-SII of the same game, draws move along."""
    atoms, grouping, worth = glycol
    explanation = im.explain(
        as_calculator("gfn2-xtb"), atoms, gauge=grouping, method="shapley_interaction", order=2
    )
    pair = explanation[tuple(sorted(grouping.groups[0] + grouping.groups[1]))]
    index = 0.0
    for others in ((), (2,), (3,), (2, 3)):
        joint = worth[tuple(sorted((0, 1, *others)))] - worth[tuple(sorted((0, *others)))]
        change = joint - worth[tuple(sorted((1, *others)))] + worth[others]
        index += change / (3 * (1 if len(others) != 1 else 2))
    assert pair == pytest.approx(index, abs=1e-7)
    shipped = im.explain(im.load("malonaldehyde"), MALONALDEHYDE, gauge="groups", method="shapley")
    assert shipped.samples.shape == (3, 32)
    assert 0 < shipped.total_std < shipped.stds.max() < 0.01


def test_coalitions_of_groups_are_those_of_one_molecule():
    two = from_smiles("CCO")
    other = from_smiles("O")
    other.positions += [6.0, 0, 0]
    both = two + other
    rows = im.explain(as_calculator("gfn2-xtb"), both, gauge="groups")
    assert "between molecules" in rows.labels and rows.residual < 1e-8
    between = rows[rows.orders == 0]
    assert set(between.by("atom").index) == set(range(len(both)))  # of all, in equal parts
    for method in ("shapley", "ablation"):
        with pytest.raises(GaugeError, match=r'one molecule.*gauge="molecules"'):
            im.explain(as_calculator("gfn2-xtb"), both, gauge="groups", method=method)
