"""The neural cluster expansion: couplings, gradients, body order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.build import molecule
from scipy.special import sph_harm_y

from interpmd.potentials import ClusterExpansion, Potential
from interpmd.potentials.expansion.angular import harmonics, harmonics_of, monomial_coefficients
from interpmd.potentials.expansion.gradients import features_and_gradients
from interpmd.potentials.expansion.rotations import coupling, couplings
from interpmd.structures.edges import environments, neighbours


def directions(count, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_harmonics_are_those_of_scipy():
    unit = directions(20)
    theta, phi = np.arccos(unit[:, 2]), np.arctan2(unit[:, 1], unit[:, 0])
    found = harmonics(unit, 4)
    for l in range(5):
        for m in range(-l, l + 1):
            value = sph_harm_y(l, abs(m), theta, phi) * np.sqrt(4 * np.pi) * (-1) ** m
            part = value.real if m == 0 else np.sqrt(2) * (value.real if m > 0 else value.imag)
            assert np.allclose(found[:, l * l + l + m], part, atol=1e-12)


def test_harmonics_from_tensor_powers():
    unit = directions(20)
    found = harmonics_of(torch.as_tensor(unit), torch.as_tensor(monomial_coefficients(4)))
    assert np.abs(found.numpy() - harmonics(unit, 4)).max() < 1e-13


@pytest.mark.parametrize("degrees", [(1, 1, 2), (1, 2, 2), (2, 2, 2), (2, 3, 3), (1, 1, 1)])
def test_couplings_are_invariant_and_change_sign_under_inversion_if_odd(degrees):
    a, b, c = (harmonics(d, 3) for d in (directions(6, s) for s in range(3)))
    turn = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]

    def invariant(rotation):
        x, y, z = (
            harmonics(directions(6, s) @ rotation.T, 3)[:, l * l : (l + 1) ** 2]
            for s, l in enumerate(degrees)
        )
        return np.einsum("abc,na,nb,nc->n", coupling(*degrees), x, y, z)

    assert a.shape == b.shape == c.shape
    sign = np.linalg.det(turn) ** sum(degrees)
    assert np.allclose(invariant(turn), sign * invariant(np.eye(3)), atol=1e-12)
    assert np.abs(invariant(np.eye(3))).max() > 0.1


def test_every_independent_invariant_is_there():
    """Numbers of invariants of O(3) on the degrees 0..lmax, by averaging over the group."""

    def dimension(lmax, nu):
        angles, weights = np.polynomial.legendre.leggauss(200)
        angles, weights = np.pi * (angles + 1) / 2, weights * np.pi / 2
        measure = weights * (1 - np.cos(angles)) / np.pi
        total = 0.0
        for inversion in (1, -1):
            powers = [
                sum(
                    inversion ** (l * k) * sum(np.cos(m * k * angles) for m in range(-l, l + 1))
                    for l in range(lmax + 1)
                )
                for k in range(1, nu + 1)
            ]
            # Newton: characters of symmetric powers from power sums
            symmetric = [np.ones_like(angles)]
            for n in range(1, nu + 1):
                symmetric.append(sum(powers[k - 1] * symmetric[n - k] for k in range(1, n + 1)) / n)
            total += (symmetric[nu] * measure).sum() / 2
        return round(total)

    for lmax in (1, 2, 3):
        for nu in (2, 3, 4):
            assert len(couplings(lmax, (nu,)).degree) == dimension(lmax, nu), (lmax, nu)


@pytest.mark.parametrize("dense", [True, False])
def test_gradients_in_closed_form_are_those_of_autograd(dense):
    term = ClusterExpansion(["H", "C", "O"], cutoff=3.0, lmax=3, channels=(5, 4, 3, 2))
    batch = Potential([term]).batch(molecule("CH3CH2OH") if dense else [molecule("CH3OH")] * 2)
    env = environments(batch, neighbours(batch, 3.0))
    found = features_and_gradients(term, env)
    vectors = env.vectors.clone().requires_grad_(True)
    features = term.features(replace(env, vectors=vectors))
    assert torch.allclose(found.values, features, atol=1e-13)
    for index in range(0, features.shape[1], 7):
        (slope,) = torch.autograd.grad(features[:, index].sum(), vectors, retain_graph=True)
        assert torch.allclose(found.gradients[:, :, index], slope, atol=1e-12)


def test_energy_is_the_read_out_times_the_features():
    term = ClusterExpansion.example()
    batch = Potential([term]).batch(molecule("CH3CH2OH"))
    env = environments(batch, neighbours(batch, term.cutoff))
    weights = term.readout[term.species[batch.numbers]]
    assert torch.allclose(term(env), (term.features(env) * weights).sum(1), atol=1e-13)


def test_bad_arguments():
    with pytest.raises(ValueError, match="channels"):
        ClusterExpansion(["H"], channels=(1, 1, 1, 1, 1))
    with pytest.raises(ValueError, match="cutoff"):
        ClusterExpansion(["H"], cutoff=-1.0)
