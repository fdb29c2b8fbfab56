"""The explainers of captum and shap on games and gates, against exact values."""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np
import pytest
import torch
from ase import Atoms
from structures_of_tests import methanol, small_expansion

import interpmd as im
from interpmd.attribution.methods.registry import METHODS
from interpmd.decomposition.gated import GatedPotential
from interpmd.potentials import (
    D3,
    AxilrodTeller,
    LennardJones,
    Potential,
    StillingerWeber,
)
from interpmd.trust.benchmark import cluster

METHANOL = methanol()
EXPANSION = small_expansion()
PAIRS = Potential([LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.0)])
SILICON = Potential([StillingerWeber.example()])
FORCE = im.Force(1, along=4)


@pytest.mark.parametrize("method", ["shap_exact", "shap_kernel"])
@pytest.mark.parametrize("target", [im.Energy(), im.Force(2)])
def test_shap_agrees_with_exact_shapley_values(method, target):
    exact = im.explain(EXPANSION, METHANOL, target, method="shapley")
    found = im.explain(EXPANSION, METHANOL, target, method=method)  # 2^6 coalitions: all of them
    assert np.abs(found.values - np.array([exact[(i,)] for i in range(6)])).max() < 1e-8


@pytest.mark.parametrize(
    ("method", "worst"),
    [("shapley_sampling", 0.3), ("shap_permutation", 0.1), ("kernel_shap", 0.4)],
)
def test_samples_estimate_shapley_values(method, worst):
    atoms = cluster(7, 2, periodic=False)
    exact = im.explain(SILICON, atoms, method="shapley").by("atom").sort_index().to_numpy()
    found = im.explain(SILICON, atoms, method=method, samples=100, seed=1)
    error = np.abs(found.by("atom").sort_index().to_numpy() - exact).max()
    assert error < worst * np.ptp(exact)
    again = im.explain(SILICON, atoms, method=method, samples=100, seed=1)
    assert np.array_equal(found.values, again.values)
    if method != "shap_permutation":  # antithetic pairs are exact for pairs, nearly so here
        other = im.explain(SILICON, atoms, method=method, samples=100, seed=2)
        assert not np.array_equal(found.values, other.values)


def test_integrated_gradients_on_edges_are_the_pairs_of_a_pair_potential():
    for atoms in (METHANOL, cluster(6, 0, periodic=True)):
        for target in (im.Energy(), im.Force(2)):
            found = im.explain(PAIRS, atoms, target, method="integrated_gradients")
            rows = im.explain(PAIRS, atoms, target, order=2)
            assert found.residual < 1e-10
            for members in set(rows.clusters.tuples()):
                assert np.allclose(found[members], rows[members], atol=1e-10)


@pytest.mark.parametrize("players", ["edges", "atoms"])
@pytest.mark.parametrize("target", [im.Energy(), FORCE])
def test_integrated_gradients_are_complete(players, target):
    for potential in (EXPANSION, SILICON):
        found = im.explain(potential, METHANOL, target, "integrated_gradients", players=players)
        found.certificate().require("axioms")
    wrong = im.explain(EXPANSION, METHANOL, target, "input_x_gradient", players=players)
    assert wrong.residual > 1e-3  # interactions of many gates are counted many times
    assert wrong.certificate()["completeness"] == wrong.residual


def test_integrated_gradients_of_atoms_and_terms_of_whole_structures():
    potential = EXPANSION + Potential([D3.example()])
    with pytest.raises(im.InterpmdError, match=r'dispersion depends.*players="atoms"'):
        im.explain(potential, METHANOL, method="integrated_gradients")
    found = im.explain(potential, METHANOL, method="integrated_gradients", players="atoms")
    assert found.residual < 1e-8
    groups = [[0, 1], [2, 3], [4, 5]]
    found = im.explain(potential, METHANOL, method="integrated_gradients", fragments=groups)
    assert found.residual < 1e-8
    assert len(found) == 3


def test_integrated_gradients_on_atoms_are_shapley_values_where_atoms_enter_once():
    for potential in (PAIRS, SILICON, Potential([AxilrodTeller.example()])):
        atoms = cluster(7, 1, periodic=False)
        exact = im.explain(potential, atoms, method="shapley").by("atom")
        exact = exact.reindex(range(7), fill_value=0.0)
        found = im.explain(potential, atoms, method="integrated_gradients", players="atoms")
        assert np.allclose(found.values, exact, atol=1e-10)
        edges = im.explain(potential, atoms, method="integrated_gradients").by("atom")
        differs = np.abs(edges.reindex(range(7), fill_value=0.0) - exact).max() > 1e-5
        assert differs == (potential is SILICON)  # whose corners are not alike
    exact = im.explain(EXPANSION, METHANOL, method="shapley").by("atom").sort_index()
    found = im.explain(EXPANSION, METHANOL, method="integrated_gradients", players="atoms")
    assert np.abs(found.values - exact).max() > 1e-3  # neighbours enter more than once


def test_integrated_gradients_of_a_corner_give_its_edges_equal_parts():
    atoms = cluster(7, 2, periodic=False)
    term = SILICON.terms["stillinger_weber"]
    found = im.explain(SILICON, atoms, method="integrated_gradients")
    distances, expected = atoms.get_all_distances(), {}
    near = lambda i: [j for j in range(7) if j != i and distances[i, j] < term.cutoff]  # noqa: E731
    for (i, j), energy in ((c, e) for (c, _), e in term.known_rows(atoms).items() if len(c) == 2):
        expected[tuple(sorted((i, j)))] = energy
    for i in range(7):
        for j, k in combinations(near(i), 2):
            sides = torch.tensor([[distances[i, j]], [distances[i, k]]])
            cosine = torch.tensor([np.cos(np.radians(atoms.get_angle(j, i, k)))])
            corner = float(term.corner_energy(*sides, cosine))
            for other in (j, k):
                expected[tuple(sorted((i, other)))] += corner / 2
    assert len(expected) > 6
    for members, energy in expected.items():
        assert found[members] == pytest.approx(energy, abs=1e-10), members
    assert found.residual < 1e-8


def test_ablation_is_leaving_one_out():
    found = im.explain(EXPANSION, METHANOL, FORCE, method="ablation")
    whole = im.explain(EXPANSION, METHANOL, FORCE, gauge="atoms").total
    direction = FORCE.direction(METHANOL)
    for atom in range(6):
        keep = [i for i in range(6) if i != atom]
        expected = whole
        if atom != 1:
            forces = EXPANSION.predict(METHANOL[keep]).forces.numpy()
            expected = whole - forces[keep.index(1)] @ direction
        assert found[(atom,)] == pytest.approx(expected, abs=1e-9)
    situ = im.explain(EXPANSION, METHANOL, FORCE, context="in_situ", order=1)
    assert np.allclose(found.values, [situ[(i,)] for i in range(6)], atol=1e-9)


def test_pair_forces_are_antisymmetric_and_complete():
    for potential in (EXPANSION, SILICON, EXPANSION + Potential([D3.example()])):
        on = [im.explain(potential, METHANOL, im.Force(i), method="pair_force") for i in range(6)]
        forces = potential.predict(METHANOL).forces.numpy()
        assert np.allclose([e.total for e in on], forces, atol=1e-10)
        assert np.allclose(on[0][(0, 3)], -on[3][(0, 3)], atol=1e-12)
    rows = im.explain(PAIRS, METHANOL, im.Force(0), order=2)
    pairs = im.explain(PAIRS, METHANOL, im.Force(0), method="pair_force")
    assert np.allclose(pairs[(0, 2)], rows[(0, 2)], atol=1e-12)  # central for pair potentials
    bent = im.explain(SILICON, cluster(7, 2, False), im.Force(0), method="pair_force")
    distances = cluster(7, 2, False)
    off = 0.0
    for (i, j), value in zip(bent.clusters.tuples(), bent.values, strict=True):
        along = distances.get_distance(i, j, vector=True)
        off = max(off, np.linalg.norm(np.cross(along, value)))
    assert off > 1e-3  # ... and not central for many-body ones


def test_players_that_change_nothing_get_nothing():
    atoms = METHANOL + Atoms("H", [[40.0, 0, 0]])
    alone = float(EXPANSION.predict(Atoms("H")).energy)
    for name in METHODS:
        if "null player" in METHODS[name].guarantees and name != "mobius":
            found = im.explain(EXPANSION, atoms, method=name)
            assert found[(6,)] == pytest.approx(alone, abs=1e-8), name


def test_the_callers_random_numbers_stay_their_own():
    for name, about in METHODS.items():
        if about.needs:
            torch.manual_seed(3)
            np.random.seed(3)  # noqa: NPY002
            here = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
            im.explain(PAIRS, METHANOL, method=name)
            there = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
            assert torch.equal(here[0], there[0]), name
            assert np.array_equal(here[1], there[1]), name


def test_options_are_checked():
    for name, options in {
        "shapley_sampling": {"samples": 0},
        "kernel_shap": {"samples": 0},
        "shap_kernel": {"samples": -1},
        "integrated_gradients": {"steps": 0},
        "shapiq": {"index": "SHAP"},
        "pair_force": {"fragments": [[0, 1]]},
    }.items():
        with pytest.raises(im.InterpmdError, match=r"1 or more|index is one of|between atoms"):
            im.explain(PAIRS, METHANOL, im.Force(0, 1), method=name, **options)


@pytest.mark.parametrize("target", [im.Energy(), im.Force(2)])
def test_shapiq_estimates_interactions(target):
    exact = im.explain(EXPANSION, METHANOL, target, method="shapley_interaction", order=2)
    found = im.explain(EXPANSION, METHANOL, target, method="shapiq", order=2)  # all coalitions
    for players in exact.clusters.tuples():
        assert np.allclose(found[players], exact[players], atol=1e-5), players
    assert not found.complete
    coarse = [
        im.explain(EXPANSION, METHANOL, target, "shapiq", 2, samples=30, seed=s) for s in (1, 1, 2)
    ]
    assert np.array_equal(coarse[0].values, coarse[1].values)
    assert not np.array_equal(coarse[0].values, coarse[2].values)


def test_lopsided_hierarchies_are_not_cut_short():
    def chain(count):  # every next atom is far from all before it
        line = np.cumsum(1.2 * 2.2 ** np.arange(count))
        return Atoms(f"C{count}", np.c_[line, 0 * line, 0 * line])

    model = im.TorchModel(lambda numbers, places: torch.nn.functional.pdist(places).log().sum())
    found = im.explain(model, chain(9), method="shap_partition")
    exact = im.explain(model, chain(9), method="shapley").by("atom").sort_index()
    assert np.allclose(found.values, exact, atol=1e-8)  # pairs: halves, whoever enters together
    with pytest.raises(im.InterpmdError, match="lopsided"):
        im.explain(model, chain(20), method="shap_partition")


def test_a_partition_respects_distances():
    far = METHANOL + METHANOL
    far.positions[6:] += [6.0, 0, 0]
    found = im.explain(EXPANSION, far, method="shap_partition")
    assert found.residual < 1e-8
    exact = im.explain(EXPANSION, far, method="shapley", fragments=[range(6), range(6, 12)])
    assert found.values[:6].sum() == pytest.approx(exact.values[0], abs=1e-7)


def test_gates_are_batched_and_differentiable_twice():
    gated = GatedPotential(EXPANSION, METHANOL)
    generator = torch.Generator().manual_seed(0)
    gates = torch.rand(5, len(gated.edges), generator=generator, dtype=torch.float64)
    energy, forces = torch.ones(1).double(), torch.randn(1, 6, 3, generator=generator).double()
    together = gated.values(energy, forces, edge_gates=gates)
    single = torch.cat([gated.values(energy, forces, edge_gates=g[None]) for g in gates])
    assert torch.allclose(together, single, atol=1e-10)
    small = GatedPotential(SILICON, METHANOL[:3])
    inputs = torch.rand(2, len(small.edges), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda g: small.values(energy, forces[:, :3], edge_gates=g), inputs.requires_grad_(True)
    )


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(im.InterpmdError, match=r"interpmd\[explain\]"):
        im.explain(PAIRS, METHANOL, method="ablation")
