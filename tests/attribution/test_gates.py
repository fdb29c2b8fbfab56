"""Gates scale interactions between absent and present, in every term that registers itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import molecule
from structures_of_tests import crystal, methanol

import interpmd as im
from interpmd.decomposition.gated import GatedPotential
from interpmd.potentials import D3, EEQ, ClusterExpansion, LennardJones, Potential, StillingerWeber
from interpmd.potentials.base import TERMS, GlobalTerm, LocalTerm
from interpmd.structures.edges import SITES_AT_ONCE, environments, site_groups, within

METHANOL = methanol()
CRYSTAL = crystal()
LOCAL = sorted(kind for kind, cls in TERMS.items() if issubclass(cls, LocalTerm))
GLOBAL = sorted(kind for kind, cls in TERMS.items() if issubclass(cls, GlobalTerm))
ENERGY = torch.ones(1).double()


def random_gates(*shape, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).random(shape))


def sites_of(potential, atoms):
    """Environments of all sites, edges listed one by one."""
    batch = potential.batch(atoms)
    env = environments(batch, potential.neighbours(batch))
    return replace(env, degree=None)


@pytest.fixture(params=LOCAL)
def potential(request):
    return Potential([TERMS[request.param].example()]).double()


@pytest.mark.parametrize("atoms", [METHANOL, CRYSTAL], ids=["molecule", "crystal"])
def test_a_closed_gate_is_an_absent_neighbour(potential, atoms):
    (term,) = potential.terms.values()
    env = sites_of(potential, atoms)
    keep = random_gates(len(env.centre)) < 0.6
    absent = replace(
        env,
        vectors=env.vectors[keep],
        centre=env.centre[keep],
        neighbour_numbers=env.neighbour_numbers[keep],
    )
    gated = replace(env, gates=keep.double())
    assert torch.allclose(term(gated), term(absent), atol=1e-10, rtol=1e-12)
    all_open = replace(env, gates=torch.ones(len(env.centre)).double())
    assert torch.allclose(term(all_open), term(env), atol=1e-12, rtol=1e-14)
    if term.body_order > 1:  # and all gates count
        half = replace(env, gates=torch.full_like(all_open.gates, 0.5))
        assert (term(half) - term(env)).abs().max() > 1e-6
        assert (term(absent) - term(env)).abs().max() > 1e-6


def test_site_energies_are_twice_differentiable_in_gates_and_positions(potential):
    (term,) = potential.terms.values()
    env = sites_of(potential, METHANOL[:4])

    def energy(gates, vectors):
        found = term(replace(env, gates=gates, vectors=vectors)).sum()
        return found + 0 * gates.sum() + 0 * vectors.sum()  # isolated atoms depend on neither

    gates = random_gates(len(env.centre)).requires_grad_(True)
    vectors = env.vectors.clone().requires_grad_(True)
    assert torch.autograd.gradcheck(energy, (gates, vectors))
    if term.body_order > 1:
        assert torch.autograd.gradgradcheck(energy, (gates, vectors), atol=1e-4)


def test_forces_belong_to_the_energies_at_all_gates(potential):
    gated = GatedPotential(potential, METHANOL)
    direction = np.random.default_rng(1).normal(size=METHANOL.positions.shape)
    zero, along = torch.zeros(1).double(), torch.as_tensor(direction)[None]
    for kind, count in (("edge_gates", len(gated.edges)), ("atom_gates", len(METHANOL))):
        gates = {kind: random_gates(1, count)}
        force = float(gated.values(zero, along, **gates))
        moved = []
        for step in (-2e-4, -1e-4, 1e-4, 2e-4):
            atoms = METHANOL.copy()
            atoms.positions += step * direction
            moved.append(float(GatedPotential(potential, atoms).values(ENERGY, 0 * along, **gates)))
        slope = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / 12e-4
        assert force == pytest.approx(-slope, abs=1e-6, rel=1e-6)


def test_expansions_have_gated_features():
    term = ClusterExpansion.example().double()
    env = sites_of(Potential([term]), METHANOL)
    env = replace(env, gates=random_gates(len(env.centre)))
    species = term.species[env.centre_numbers]
    energies = (term.features(env) * term.readout[species]).sum(1)
    assert torch.allclose(energies, term(env), atol=1e-10)
    assert torch.allclose(term.energies_and_samples(env)[0], term(env), atol=1e-10)
    by_degree = replace(env, degree=len(METHANOL) - 1)  # the path of dense lists
    assert torch.allclose(term(by_degree), term(env), atol=1e-10)


def test_gates_go_with_their_edges():
    potential = Potential([LennardJones.example(), StillingerWeber.example()])
    many = CRYSTAL.repeat((3, 3, 3))
    assert len(many) > SITES_AT_ONCE
    env = sites_of(potential, many)
    env = replace(env, gates=random_gates(len(env.centre)))
    short = within(env, 2.0, potential.cutoff)
    lengths = env.vectors.norm(dim=1)
    assert torch.equal(short.gates, env.gates[lengths < 2.0])
    for term in potential.terms.values():
        whole = term(env)
        parts = torch.cat([term(part) for part in site_groups(env)])
        assert torch.allclose(parts, whole, atol=1e-12)


def test_without_gates_nothing_is_computed():
    env = sites_of(Potential([LennardJones.example()]), METHANOL)
    values = torch.ones(len(env.centre), 3)
    assert env.gated(values) is values


def test_an_edge_gates_both_directions_and_every_image_has_its_own():
    potential = Potential([LennardJones.example()])
    pairs = {c: e for (c, _), e in potential.terms["lennard_jones"].known_rows(METHANOL).items()}
    gated = GatedPotential(potential, METHANOL)
    closing_one = 1 - torch.eye(len(gated.edges)).double()
    forces = torch.zeros(1, 6, 3).double()
    lost = potential.predict(METHANOL).energy - gated.values(ENERGY, forces, edge_gates=closing_one)
    for (i, j), energy in zip(gated.edges.tolist(), lost[:, 0].tolist(), strict=True):
        assert energy == pytest.approx(pairs.get((i, j), 0.0), abs=1e-12)
    wide = LennardJones(epsilon=0.05, sigma=1.4, cutoff=4.5)  # beyond the shortest cell vector
    periodic, known = GatedPotential(Potential([wide]), CRYSTAL), wide.known_rows(CRYSTAL)
    assert len(periodic.edges) == len(known)  # also those of an atom with its own image
    assert (periodic.edges[:, 0] == periodic.edges[:, 1]).any()


@pytest.mark.parametrize("kind", GLOBAL)
def test_terms_of_whole_structures_follow_the_multilinear_extension(kind):
    water = molecule("H2O")
    potential = Potential([TERMS[kind].example()]).double()
    gated = GatedPotential(potential, water)
    forces = torch.zeros(1, 3, 3).double()
    for present in ([0, 1], [1, 2], [0, 1, 2]):
        gates = torch.zeros(1, 3).double()
        gates[0, present] = 1
        expected = float(potential.predict(water[present]).energy)
        assert float(gated.values(ENERGY, forces, atom_gates=gates)) == pytest.approx(expected)
    ends = random_gates(2, 3).clone()
    ends[1, 1:] = ends[0, 1:]  # only one gate moves: a straight line
    middle = ends.mean(0, keepdim=True)
    found = gated.values(ENERGY, forces, atom_gates=torch.cat([ends, middle]))
    assert float(found[2]) == pytest.approx(float(found[:2].mean()), abs=1e-12)
    with pytest.raises(ValueError, match=kind):
        gated.values(ENERGY, forces, edge_gates=torch.ones(1, 0).double())
    with pytest.raises(im.InterpmdError, match=f"{kind} depends on the whole structure"):
        im.explain(
            potential + Potential([LennardJones.example()]), water, method="integrated_gradients"
        )


def test_either_edges_or_atoms():
    gated = GatedPotential(Potential([D3.example(), EEQ.example()]), METHANOL)
    forces = torch.zeros(1, 6, 3).double()
    with pytest.raises(ValueError, match="either"):
        gated.values(ENERGY, forces)
    both = {"edge_gates": torch.ones(1, 0).double(), "atom_gates": torch.ones(1, 6).double()}
    with pytest.raises(ValueError, match="either"):
        gated.values(ENERGY, forces, **both)
