"""Every registered method keeps what it guarantees, on every registered term."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from structures_of_tests import small_expansion

import interpmd as im
from interpmd.attribution.methods.registry import METHODS, Method
from interpmd.potentials import Potential
from interpmd.potentials.base import TERMS
from interpmd.structures.edges import CLOSEST_APPROACH
from interpmd.trust.axioms import check_explainer

POTENTIALS = {kind: Potential([cls.example()]) for kind, cls in TERMS.items()}
POTENTIALS["sum"] = small_expansion()


@st.composite
def structures(draw, periodic):
    """Clusters of H, C and O, some with an isolated atom; small cells, so that atoms meet
    their own images."""
    count = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    positions = [np.zeros(3)]
    while len(positions) < count:
        new = positions[rng.integers(len(positions))] + rng.normal(size=3) * 1.2
        if min(np.linalg.norm(new - p) for p in positions) > 0.9:
            positions.append(new)
    if count > 1 and draw(st.booleans()):
        positions[-1] = positions[-1] + 40.0
    atoms = Atoms(rng.choice(["H", "C", "O"], count), positions)
    if periodic and draw(st.booleans()):
        atoms.set_cell(np.diag([3.6, 5.0, 6.0]) + rng.normal(size=(3, 3)) * 0.3)
        atoms.pbc = draw(st.sampled_from([(True, True, True), (True, False, False)]))
        atoms.wrap()
    return atoms


@pytest.mark.parametrize("kind", POTENTIALS)
@pytest.mark.parametrize("method", METHODS)
def test_methods_keep_what_they_guarantee(method, kind):
    potential = POTENTIALS[kind]
    options = {}
    if potential.global_terms and method in ("integrated_gradients", "input_x_gradient"):
        options["players"] = "atoms"  # whole structures have no edges
    few = 3 if METHODS[method].exact else 2
    answered = []

    @settings(
        max_examples=few,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(atoms=structures(periodic=not potential.global_terms), seed=st.integers(0, 99))
    def run(atoms, seed):
        if not _apart(atoms):
            return
        answered.append(check_explainer(method, potential, atoms, seed=seed, **options))

    run()
    if not sum(answered):  # hierarchies begin with three players, and what is drawn may have fewer
        answered.append(check_explainer(method, potential, molecule("H2O"), seed=0, **options))
    assert sum(answered) > 0


@st.composite
def closed_shells(draw, several):
    """A small molecule of H, C and O, shaken; if asked for, half of the time beside a water."""
    names = ["H2O", "CH3OH", "CH3CHO", "CH3CH2OH", "HCOOH"]
    atoms = molecule(draw(st.sampled_from(names)))
    if several and draw(st.booleans()):
        water = molecule("H2O")
        water.positions[:, 0] += atoms.positions[:, 0].max() - water.positions[:, 0].min() + 2.2
        atoms += water
    atoms.rattle(0.04, seed=draw(st.integers(0, 10_000)))
    return atoms


ELSEWHERE = [
    (method, gauge, kind)
    for method, about in METHODS.items()
    for gauge in about.gauges
    if gauge != "atoms"
    for kind in (POTENTIALS if gauge == "internal" else ("sum", "electrostatics"))
]


@pytest.mark.parametrize(("method", "gauge", "kind"), ELSEWHERE)
def test_methods_keep_it_in_every_gauge(method, gauge, kind):
    potential, answered = POTENTIALS[kind], []
    options = {}
    if potential.global_terms and method in ("integrated_gradients", "input_x_gradient"):
        options["players"] = "atoms"

    @settings(
        max_examples=3 if METHODS[method].exact else 2,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(atoms=closed_shells(several=gauge != "groups"), seed=st.integers(0, 99))
    def run(atoms, seed):
        if method == "shap_partition" and len(im.fragments_of(atoms)) < 3:
            return  # hierarchies begin with three players
        answered.append(
            check_explainer(method, potential, atoms, seed=seed, gauge=gauge, **options)
        )

    run()
    assert sum(answered) > 0 or method == "shap_partition"


def _apart(atoms):
    """Whether no atom lies upon an image of another."""
    distances = atoms.get_all_distances(mic=True) + 9 * np.eye(len(atoms))
    return distances.min() > 1.5 * CLOSEST_APPROACH


BROKEN = {
    "complete": lambda e: replace(e, values=e.values * 1.001),
    "finite": lambda e: replace(e, values=e.values * np.nan),
}


@pytest.mark.parametrize("word", BROKEN)
def test_a_method_that_breaks_its_word_is_caught(word, monkeypatch):
    good = METHODS["shapley"]
    about = {k: v for k, v in vars(good).items() if k != "run"}
    bad = Method(run=lambda request: BROKEN[word](good.run(request)), **about)
    monkeypatch.setitem(METHODS, "bad", bad)
    with pytest.raises(AssertionError, match=f"bad of .*not {word}"):
        check_explainer("bad", POTENTIALS["sum"], Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1, 0]]))


def test_claims_that_do_not_hold_are_caught(monkeypatch):
    """Leave-one-out is not complete, and an order of arrival is not symmetric."""
    water = Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1.1, 0]])
    for method, claim in {"ablation": "complete", "shapley_sampling": "symmetric"}.items():
        about = {**vars(METHODS[method]), "guarantees": (claim,)}
        monkeypatch.setitem(METHODS, "bold", Method(**about))
        with pytest.raises(AssertionError, match=f"bold of .*not {claim}"):
            check_explainer("bold", POTENTIALS["sum"], water)


def test_the_number_of_targets_is_told():
    water = Atoms("OH2", [[0, 0, 0], [1, 0, 0], [0, 1.1, 0]])
    assert check_explainer("mobius", POTENTIALS["sum"], water) == 2
    assert check_explainer("pair_force", POTENTIALS["sum"], water) == 1
    with pytest.raises(im.InterpmdError, match="Fe"):
        check_explainer("mobius", POTENTIALS["sum"], Atoms("Fe"))
