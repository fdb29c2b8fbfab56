"""The exact methods against brute force, shapiq and their own axioms."""

from __future__ import annotations

from itertools import combinations, permutations
from math import factorial

import numpy as np
import pytest
import shapiq
from ase.build import bulk, molecule
from structures_of_tests import methanol, small_expansion

import interpmd as im
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.methods import indices
from interpmd.attribution.models import as_model
from interpmd.potentials import EEQ, LennardJones, Potential
from interpmd.potentials.base import TERMS

EXPANSION = small_expansion()
CHARGED = EXPANSION + Potential([EEQ.example()])
METHANOL = methanol()
WATERS = molecule("H2O") + molecule("H2O") + molecule("H2O")
WATERS.positions[3:6] += [2.8, 0.3, 0.1]
WATERS.positions[6:9] += [0.4, 2.7, -0.6]
TARGETS = [
    im.Energy(),
    im.Force(0),
    im.Force(1, along=4),
    im.Force((0, 1)),
    im.Torque((2, 0, 1, 3)),
]


def shapley_by_permutations(game, players):
    """Mean effect of joining, over all orders of arrival: the definition (Shapley 1953)."""
    known = game.of(game.up_to(players))
    known[()] = np.zeros(len(game.functional.energy))
    total = np.zeros((players, len(game.functional.energy)))
    for order in permutations(range(players)):
        for place, player in enumerate(order):
            before = tuple(sorted(order[:place]))
            total[player] += known[tuple(sorted((*before, player)))] - known[before]
    return total / factorial(players)


def torque_or(target, atoms):
    """The dihedral of methanol H-C-O-H by its own numbering."""
    if isinstance(target, im.Torque):
        distances = atoms.get_all_distances()
        oxygen, carbon = atoms.symbols.search("O")[0], atoms.symbols.search("C")[0]
        hydrogens = atoms.symbols.search("H")
        on_oxygen = min(hydrogens, key=lambda h: distances[oxygen, h])
        on_carbon = min(hydrogens, key=lambda h: distances[carbon, h])
        return im.Torque(tuple(int(i) for i in (on_carbon, carbon, oxygen, on_oxygen)))
    return target


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("potential", [EXPANSION, CHARGED], ids=["local", "charges"])
def test_shapley_values_are_those_of_the_definition(potential, target):
    target = torque_or(target, METHANOL)
    found = im.explain(potential, METHANOL, target, method="shapley")
    game = Game(as_model(potential), METHANOL, target)
    expected = shapley_by_permutations(game, len(METHANOL))
    values = np.array([found[(i,)] for i in range(len(METHANOL))]).reshape(expected.shape)
    assert np.abs(values - expected).max() < 1e-8


def test_calculators_have_the_same_shapley_values():
    found = im.explain(CHARGED.calculator(), METHANOL, method="shapley")
    game = Game(as_model(CHARGED), METHANOL, im.Energy())
    assert np.abs(found.values - shapley_by_permutations(game, 6)[:, 0]).max() < 1e-8


@pytest.mark.parametrize(
    ("method", "index"), [("shapley_interaction", "k-SII"), ("shapley_taylor", "STII")]
)
@pytest.mark.parametrize("order", [2, 3])
def test_interactions_are_those_of_shapiq(method, index, order):
    game = Game(as_model(EXPANSION), METHANOL, im.Energy())
    computer = shapiq.ExactComputer(lambda x: game(x)[:, 0], n_players=6)
    expected = computer(index=index, order=order)
    found = im.explain(EXPANSION, METHANOL, method=method, order=order)
    for size in range(1, order + 1):
        for players in combinations(range(6), size):
            assert found[players] == pytest.approx(expected[players], abs=1e-8)


def test_fragments_are_players():
    found = im.explain(EXPANSION, WATERS, im.Energy(), fragments="molecules", order=2)
    calculator = EXPANSION.calculator()
    alone = [_energy(calculator, WATERS[[3 * i, 3 * i + 1, 3 * i + 2]]) for i in range(3)]
    pair = _energy(calculator, WATERS[:6])
    assert found[(0, 1, 2)] == pytest.approx(alone[0], abs=1e-8)
    assert found[(0, 1, 2, 3, 4, 5)] == pytest.approx(pair - alone[0] - alone[1], abs=1e-8)
    black = im.explain(calculator, WATERS, im.Energy(), fragments="molecules", order=2)
    assert im.explain(EXPANSION, WATERS, fragments="molecules", order=2).total == pytest.approx(
        black.total, abs=1e-8
    )
    for players in [(0, 1, 2), (0, 1, 2, 6, 7, 8)]:
        assert found[players] == pytest.approx(black[players], abs=1e-8)
    assert set(found.kinds) <= {"fragment", "between fragments", "remainder"}
    assert "H2O(0)···H2O(3)" in found.labels


def test_owen_values_respect_the_unions():
    owen = im.explain(EXPANSION, WATERS, method="owen")
    union = im.explain(EXPANSION, WATERS, method="shapley", fragments="molecules")
    atoms = owen.by("atom").sort_index().to_numpy()
    assert np.allclose(atoms.reshape(3, 3).sum(1), union.values, atol=1e-9)
    single = im.explain(EXPANSION, WATERS, method="shapley").by("atom").sort_index().to_numpy()
    assert np.abs(atoms - single).max() > 1e-4  # unions matter where interactions cross them


def test_in_situ_is_the_effect_of_taking_away():
    whole = _energy(EXPANSION.calculator(), METHANOL)
    found = im.explain(EXPANSION, METHANOL, context="in_situ", order=2)

    def without(*away):
        keep = [i for i in range(len(METHANOL)) if i not in away]
        return _energy(EXPANSION.calculator(), METHANOL[keep])

    for i in range(6):
        assert found[(i,)] == pytest.approx(whole - without(i), abs=1e-8)
    for i, j in combinations(range(6), 2):
        expected = whole - without(i) - without(j) + without(i, j)
        assert found[(i, j)] == pytest.approx(expected, abs=1e-8)
    black = im.explain(EXPANSION.calculator(), METHANOL, context="in_situ", order=2)
    assert black[(0, 1)] == pytest.approx(found[(0, 1)], abs=1e-8)
    assert not found.complete


def test_cooperativity_is_what_larger_interactions_add():
    pairs = Potential([LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0)])
    assert np.abs(im.cooperativity(pairs, METHANOL).only(order=2).values).max() < 1e-10
    gap = im.cooperativity(EXPANSION, METHANOL)
    larger = im.explain(EXPANSION, METHANOL, order=None)
    expected = sum(
        v
        for members, v in zip(larger.clusters.tuples(), larger.values, strict=True)
        if {0, 1} < set(members)
    )
    assert gap[(0, 1)] == pytest.approx(expected, abs=1e-8)


def test_periodic_in_situ_agrees_with_the_rows_around():
    crystal = bulk("Cu", cubic=True)
    crystal.rattle(0.1, seed=0)
    potential = Potential([TERMS["mw"].example()])
    crystal.set_cell(crystal.cell * 1.1, scale_atoms=True)
    found = im.explain(potential, crystal, context="in_situ", order=1)
    rows = im.explain(potential, crystal, order=None)
    expected = np.zeros(len(crystal))
    for members, value in zip(rows.clusters.tuples(), rows.values, strict=True):
        for atom in members:  # every image counts: it is another player
            expected[atom] += value
    assert np.allclose([found[(i,)] for i in range(4)], expected, atol=1e-9)


def test_indices_of_one_dividend():
    """A single dividend of three players shows every formula at once."""
    values = {(0, 1, 2): np.array([6.0])}
    assert indices.shapley(values)[(1,)] == pytest.approx(2.0)
    assert indices.shapley_taylor(values, 2)[(0, 2)] == pytest.approx(2.0)
    assert indices.interaction_index(values, 2)[(0, 1)] == pytest.approx(3.0)
    assert indices.k_shapley(values, 2)[(0,)] == pytest.approx(2.0 - 3.0)
    owen = indices.owen(values, [(0, 1), (2,)])
    assert owen[(2,)] == pytest.approx(3.0)
    assert owen[(0,)] == pytest.approx(1.5)
    assert indices.in_situ(values, 1)[(2,)] == pytest.approx(6.0)


def test_torque_is_the_slope_of_the_energy_along_the_dihedral():
    target = torque_or(TARGETS[-1], METHANOL)
    found = im.explain(EXPANSION, METHANOL, target, gauge="atoms")
    turned = []
    for angle in (-1e-4, 1e-4):
        atoms = METHANOL.copy()
        atoms.rotate_dihedral(*target.dihedral, np.degrees(angle), mask=_side(atoms, target))
        turned.append(_energy(EXPANSION.calculator(), atoms))
    assert found.total == pytest.approx(-(turned[1] - turned[0]) / 2e-4, abs=1e-6)


def _side(atoms, target):
    mask = np.zeros(len(atoms), dtype=int)
    mask[target.dihedral[3]] = 1
    return mask


def _energy(calculator, atoms):
    atoms = atoms.copy()
    atoms.calc = calculator
    return atoms.get_potential_energy()
