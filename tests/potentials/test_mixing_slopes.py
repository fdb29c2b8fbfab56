"""How energies change with the mixing: the numbers of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule

from interpmd.potentials import ClusterExpansion
from interpmd.potentials.fast.mixing import MixingSlopes
from interpmd.potentials.fast.neighbours import given_edges
from interpmd.structures.edges import environments, neighbours
from interpmd.structures.systems import Batch

SHAPES = {
    "usual": {"channels": (20, 18, 12, 5), "lmax": (0, 4, 4, 3)},
    "by element": {"channels": [[7, 5], [3, 2], [9, 9]], "lmax": 2},
    "degree 2 beyond the others": {"channels": (70, 70, 8, 3), "lmax": (0, 5, 2, 1)},
    "pairs": {"channels": (4,)},
}


def case(shape):
    term = ClusterExpansion(["H", "C", "O"], cutoff=4.0, functions=5, **SHAPES[shape])
    rng = np.random.default_rng(0)
    term.readout.copy_(term.in_readout(rng.normal(size=len(term.columns))))
    far = molecule("CH3OH")
    far.positions[0] += 30.0  # a site without neighbours
    batch = Batch.from_ase([molecule("CH3CH2OH"), far, bulk("C", cubic=True)])
    pairs = neighbours(batch, term.cutoff)
    return term, environments(batch, pairs), given_edges(batch, pairs).sites(batch.numbers.numpy())


@pytest.mark.parametrize("shape", SHAPES)
def test_slopes_by_the_mixing_are_those_of_torch(shape):
    term, env, sites = case(shape)
    factors = np.random.default_rng(1).normal(size=len(sites.centre))
    found = MixingSlopes(term).by_mixing(sites, factors)
    term.mixing.requires_grad_(True)
    (expected,) = torch.autograd.grad((term(env) * torch.from_numpy(factors)).sum(), term.mixing)
    size = float(expected.abs().max())
    assert found == pytest.approx(expected.numpy(), rel=1e-10, abs=1e-12 * size)


@pytest.mark.parametrize("shape", SHAPES)
def test_energies_with_another_mixing_are_those_of_torch(shape):
    term, env, sites = case(shape)
    slopes = MixingSlopes(term)
    other = np.random.default_rng(2).normal(size=tuple(term.mixing.shape))
    energies, gradients = np.zeros((1, len(sites.centre))), np.zeros((1, len(sites.vectors), 3))
    species = slopes.tables.recipe.species
    around = species[sites.centre], species[sites.other]
    slopes.with_mixing(other).add_many(sites, *around, energies, gradients)
    term.mixing.copy_(torch.from_numpy(other))
    vectors = env.vectors.requires_grad_(True)
    expected = term(env)
    (by_vector,) = torch.autograd.grad(expected.sum(), vectors)
    size = by_vector.abs().max()
    assert energies[0] == pytest.approx(expected.detach().numpy(), rel=1e-9)
    assert gradients[0] == pytest.approx(by_vector.numpy(), abs=float(1e-10 * size))
