"""Deletion and insertion curves, infidelity and sensitivity tell good explanations from bad."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from structures_of_tests import ethanol, small_expansion

import interpmd as im
from interpmd.attribution.gauges.grouped import CappedGame, GroupsGauge
from interpmd.attribution.models import as_model
from interpmd.potentials import (
    D3,
    LennardJones,
    Potential,
    StillingerWeber,
)
from interpmd.trust.benchmark import cluster

ETHANOL = ethanol()
EXPANSION = small_expansion()
SILICON = Potential([StillingerWeber.example()])
PAIRS = Potential([LennardJones.example()])
TARGETS = [im.Energy(), im.Force(2), im.Force(2, along=1)]


def value(checks, name):
    (found,) = (c for c in checks.checks() if c.name == name)
    return found


@pytest.mark.parametrize("target", [im.Energy(), im.Force(2)])
@pytest.mark.parametrize("players", ["atoms", "pairs"])
@pytest.mark.parametrize("periodic", [False, True], ids=["cluster", "periodic"])
def test_exact_values_rank_better_than_chance_and_their_reverse_worse(target, players, periodic):
    ratios = {"own": [], "reverse": []}
    for seed in range(5):
        atoms = cluster(7, seed, periodic)
        rows = im.explain(SILICON, atoms, target, gauge="atoms")
        size = np.linalg.norm(rows.values.reshape(len(rows), -1), axis=1)
        reverse = replace(rows, values=(rows.values.T / np.maximum(size, 1e-12) ** 2).T)
        for name, explanation in (("own", rows), ("reverse", reverse)):
            checks = im.faithfulness(SILICON, explanation, players).checks()
            assert all(c.passed is None for c in checks)  # exact values may lose to chance
            ratios[name].append([c.value for c in checks if "random" in c.name])
    own, reverse = (np.mean(r, axis=0) for r in ratios.values())
    assert (own < 0.95).all(), own
    assert (reverse > own + 0.02).all(), (own, reverse)


@pytest.mark.parametrize("target", TARGETS)
def test_curves_start_and_end_where_they_must(target):
    rows = im.explain(PAIRS, ETHANOL, target, gauge="atoms")
    found = im.faithfulness(PAIRS, rows, points=5)
    whole = np.linalg.norm(np.atleast_1d(rows.total))  # nothing is left without the others
    assert found.fractions[0] == 0 and found.fractions[-1] == 1
    for name in ("explanation", "distance", "random"):
        deletion, insertion = found.deletion[name], found.insertion[name]
        assert deletion[0] == pytest.approx(0, abs=1e-12)
        assert insertion[-1] == pytest.approx(0, abs=1e-12)
        assert deletion[-1] == pytest.approx(whole) == pytest.approx(insertion[0])
    assert set(found.areas.columns) == {"deletion", "insertion"}
    again = im.faithfulness(PAIRS, rows, points=5)
    assert found.areas.equals(again.areas)
    assert not found.areas.equals(im.faithfulness(PAIRS, rows, points=5, seed=1).areas)


def test_the_first_to_leave_has_the_largest_value():
    rows = im.explain(PAIRS, ETHANOL, im.Force(2), gauge="atoms")
    found = im.faithfulness(PAIRS, rows, points=8)
    values = {j: np.linalg.norm(rows[(2, j)]) for j in range(9) if j != 2}
    assert found.deletion["explanation"][1] == pytest.approx(max(values.values()))
    order = np.argsort(ETHANOL.get_distances(2, range(9)))
    nearest = int(order[1])
    assert found.deletion["distance"][1] == pytest.approx(values[nearest])


def test_fragments_are_players():
    groups = [[0, 4, 5], [1, 6, 7, 8], [2, 3]]
    rows = im.explain(EXPANSION, ETHANOL, method="shapley", fragments=groups)
    found = im.faithfulness(EXPANSION, rows)
    assert found.players == "fragments"
    assert len(found.fractions) == 4
    assert value(im.infidelity(EXPANSION, rows), "relative infidelity").passed


def test_infidelity_of_pairs_on_a_force_is_nothing():
    target = im.Force(2)
    for method in ("mobius", "pair_force", "ablation"):  # the force of a pair potential is a sum
        checks = im.infidelity(PAIRS, im.explain(PAIRS, ETHANOL, target, method))
        assert value(checks, "infidelity").value < 1e-10
        assert value(checks, "relative infidelity").value < 1e-8
    rows = im.explain(PAIRS, ETHANOL, target, gauge="atoms")
    doubled, nothing = replace(rows, values=2 * rows.values), replace(rows, values=0 * rows.values)
    for other in (doubled, nothing):  # errors as large as the effects
        relative = value(im.infidelity(PAIRS, other), "relative infidelity")
        assert relative.value == pytest.approx(1)
    tripled = im.infidelity(PAIRS, replace(rows, values=3 * rows.values))
    assert value(tripled, "relative infidelity").passed is False


def test_infidelity_fails_what_says_less_than_nothing():
    for method, passed in (("shapley", True), ("mobius", True), ("ablation", False)):
        found = im.explain(EXPANSION, ETHANOL, method=method)
        check = value(im.infidelity(EXPANSION, found), "relative infidelity")
        assert check.passed is passed, check
        assert found.certificate().with_checks([check]).passed is passed


def test_infidelity_is_that_of_its_definition():
    rows = im.explain(PAIRS, ETHANOL[:3], gauge="atoms")
    value_of = {
        s: float(PAIRS.predict(ETHANOL[:3][list(s)]).energy) for s in ((0, 1), (0, 2), (1, 2))
    }
    shares = rows.by("atom").sort_index().to_numpy()
    whole = rows.total
    by_size = [  # of one atom, two atoms, all: each size as likely
        np.mean([(shares[i] - (whole - value_of[tuple({0, 1, 2} - {i})])) ** 2 for i in range(3)]),
        np.mean([(shares[i] + shares[j] - whole) ** 2 for i, j in ((0, 1), (0, 2), (1, 2))]),
        0.0,
    ]
    found = value(im.infidelity(PAIRS, rows, samples=20_000), "infidelity")
    assert found.value == pytest.approx(np.sqrt(np.mean(by_size)), rel=0.05)
    assert found.value == value(im.infidelity(PAIRS, rows, samples=20_000), "infidelity").value
    assert found.unit == "eV"


def test_energies_of_atoms_do_not_drown_interactions():
    rows = im.explain(EXPANSION, ETHANOL, gauge="atoms")
    alone = Potential({"expansion": EXPANSION.terms["expansion"]})
    bare = im.explain(alone, ETHANOL, gauge="atoms")
    for function in (im.infidelity, im.faithfulness):
        checks = function(EXPANSION, rows).checks(), function(alone, bare).checks()
        for a, b in zip(*checks, strict=True):
            assert a.value == pytest.approx(b.value, rel=1e-6)


def test_sensitivity_grows_with_the_displacement():
    rows = im.explain(EXPANSION, ETHANOL, im.Force(2), order=2)
    near, far = (
        im.sensitivity(EXPANSION, rows, radius=r, samples=4, order=2).largest for r in (1e-4, 1e-2)
    )
    assert 0 < near < far < 1
    assert far == pytest.approx(100 * near, rel=0.3)


def test_calculators_can_be_checked():
    calculator = PAIRS.calculator()
    rows = im.explain(calculator, ETHANOL[:5], method="shapley")
    own = im.faithfulness(calculator, rows).areas
    assert np.allclose(own, im.faithfulness(PAIRS, rows).areas, atol=1e-8)
    assert value(im.infidelity(calculator, rows), "relative infidelity").passed
    with pytest.raises(im.InterpmdError, match="gates on edges"):
        im.faithfulness(calculator, rows, "pairs")


def test_bad_questions(monkeypatch):
    rows = im.explain(PAIRS, ETHANOL, gauge="atoms")
    with pytest.raises(im.InterpmdError, match='"atoms" or "pairs"'):
        im.faithfulness(PAIRS, rows, "bonds")
    with pytest.raises(im.InterpmdError, match="dispersion depends on the whole"):
        im.faithfulness(PAIRS + Potential([D3.example()]), rows, "pairs")
    everyone = im.explain(PAIRS, ETHANOL, im.Force(list(range(9))), gauge="atoms")
    for function in (im.faithfulness, im.infidelity):
        with pytest.raises(im.InterpmdError, match="taken away"):
            function(PAIRS, everyone)
    monkeypatch.setitem(sys.modules, "captum.metrics", None)
    with pytest.raises(im.InterpmdError, match=r"interpmd\[explain\]"):
        im.infidelity(PAIRS, rows)


def test_the_picture_shows_every_ranking():
    axes = im.faithfulness(PAIRS, im.explain(PAIRS, ETHANOL, im.Force(2), gauge="atoms")).plot()
    for ax in axes:
        assert {line.get_label() for line in ax.lines} == {"explanation", "distance", "random"}
        assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert "eV/Å" in axes[0].get_ylabel()


def test_infidelity_keeps_what_it_compared():
    rows = im.explain(EXPANSION, ETHANOL, im.Force(2), gauge="atoms", order=2)
    found = im.infidelity(EXPANSION, rows, samples=50)
    assert found.changes.shape == found.predicted.shape == (50, 3)
    squares = ((found.changes - found.predicted) ** 2).sum(1)
    assert found.error == pytest.approx(np.sqrt(squares.mean()), rel=1e-9)
    nothing = np.sqrt((found.changes**2).sum(1).mean())
    assert found.relative == pytest.approx(found.error / nothing, rel=1e-9)
    ax = found.plot()
    assert ax.get_xlabel() == "model, change when players leave (eV/Å)"
    assert np.array_equal(ax.lines[1].get_ydata(), found.predicted.ravel())


def test_checks_say_what_they_found_in_words():
    rows = im.explain(PAIRS, ETHANOL, im.Energy(), gauge="atoms", order=2)
    infidelity = im.infidelity(PAIRS, rows, samples=20)
    assert f"{infidelity.error:.3g} eV" in infidelity._repr_html_()
    sensitivity = im.sensitivity(PAIRS, rows, samples=2, order=2)
    assert f"{sensitivity.largest:.2g}" in sensitivity._repr_html_()
    assert "0.01 Å" in str(sensitivity)


def test_players_leave_as_the_gauge_has_it():
    atoms, potential = ethanol(), im.load("malonaldehyde")
    rows = im.explain(potential, atoms, gauge="groups")
    found = im.infidelity(potential, rows, samples=30)
    # all but one group: that group is replaced by hydrogen, not torn out
    game = CappedGame(as_model(potential), atoms, im.Energy(), GroupsGauge.of([atoms]))
    count = len(rows.fragments)
    everyone, alone = np.ones((1, count), dtype=bool), np.eye(count, dtype=bool)
    whole, single = game(everyone)[0, 0], game(alone)[:, 0]
    without = {round(float(whole - game(~alone[[k]])[0, 0] - single[k]), 6) for k in range(count)}
    assert without <= {round(float(change), 6) for change in found.changes.ravel()}
    assert found.relative < 1
    tensions = im.explain(potential, atoms, im.Force(2))
    assert tensions.gauge == "internal"
    for function in (im.faithfulness, im.infidelity):
        with pytest.raises(im.GaugeError, match="coordinates are no players"):
            function(potential, tensions)
    certificate = im.certify_explanation(tensions, potential)
    assert not any(check.made for check in certificate.group("faithfulness"))
    assert certificate.exact
