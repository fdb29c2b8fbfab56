"""Terms that are learned, whatever their features: error bars, grades and rows follow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

import interpmd as im
from interpmd.potentials import ClusterExpansion, LennardJones
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.expansion.radial import envelope
from interpmd.potentials.uncertainty import uncertainty


class Bumps(LearnedTerm):
    """E_i = sum over widths p: w_{Z_i,p} 1/2 sum_j exp(-r^2 / width_p^2) f(r)."""

    kind, body_order, cutoff = "bumps", 2, 4.0
    widths = (1.0, 2.0)

    def __init__(self, elements=(1, 8)):
        super().__init__()
        self.elements = tuple(elements)
        species = torch.full((max(elements) + 1,), -1)
        species[list(elements)] = torch.arange(len(elements))
        self.register_buffer("species", species, persistent=False)
        self.register_readout(len(self.widths))

    @classmethod
    def example(cls):
        return cls()

    def config(self):
        return {"elements": list(self.elements)}

    def features(self, env):
        r = env.vectors.norm(dim=1)
        widths = torch.tensor(self.widths, dtype=r.dtype)
        each = 0.5 * torch.exp(-((r[:, None] / widths) ** 2)) * envelope(r, self.cutoff)[:, None]
        return r.new_zeros(env.n_sites, len(widths)).index_add(0, env.centre, env.gated(each))


@pytest.fixture
def bumps():
    """Two samples, one feature each; the second sample belongs to oxygen alone."""
    term = Bumps()
    term.readout.copy_(torch.tensor([[1.0, 0.5], [-2.0, 0.25]]))
    term.samples = torch.zeros(2, 2, 2)
    term.samples[0, 0, 0], term.samples[1, 1, 1] = 0.3, 0.4
    term.grade_scale.copy_(torch.tensor([0.1, 0.2]))
    return term


def bump(r: float, width: float) -> float:
    """One feature of a site with one neighbour."""
    return (
        0.5
        * np.exp(-((r / width) ** 2))
        * float(envelope(torch.tensor([r], dtype=torch.float64), 4.0))
    )


@pytest.fixture
def hydroxyl():
    return Atoms("OH", [[0, 0, 0], [0, 0, 1.1]])


def test_the_energy_is_linear_in_the_readout(bumps, hydroxyl):
    expected = (1.0 - 2.0) * bump(1.1, 1.0) + (0.5 + 0.25) * bump(1.1, 2.0)
    assert float(im.Potential([bumps]).predict(hydroxyl).energy) == pytest.approx(
        expected, abs=1e-12
    )


def test_error_bars_and_grades_follow_from_the_samples(bumps, hydroxyl):
    potential = im.Potential([bumps])
    assert potential.n_samples == 2
    found = uncertainty(potential, potential.batch(hydroxyl))
    deviations = np.array([0.3 * bump(1.1, 1.0), 0.4 * bump(1.1, 2.0)])
    assert float(found.energy_std[0]) == pytest.approx(np.sqrt((deviations**2).mean()), rel=1e-6)
    step = 1e-5
    slopes = [
        factor * (bump(1.1 + step, width) - bump(1.1 - step, width)) / (2 * step)
        for factor, width in ((0.3, 1.0), (0.4, 2.0))
    ]
    force_std = np.sqrt(np.square(slopes).mean())
    assert found.forces_std[:, 2].tolist() == pytest.approx([force_std] * 2, rel=1e-6)
    # oxygen comes first in the structure, hydrogen among the elements
    assert found.extrapolation.tolist() == pytest.approx(
        [force_std / 0.2, force_std / 0.1], rel=1e-6
    )


def test_rows_carry_the_samples(bumps, hydroxyl):
    table = im.decompose(im.Potential([bumps, LennardJones(0.05, 1.0, 4.0)]), hydroxyl)
    (learned,) = np.flatnonzero(table.samples.any(1))
    assert table.terms[table.term[learned]] == "bumps"
    assert table.samples[learned] == pytest.approx(
        [0.3 * bump(1.1, 1.0), 0.4 * bump(1.1, 2.0)], rel=1e-6
    )


def test_two_posteriors_are_paired_as_far_as_both_have_samples(bumps):
    expansion = ClusterExpansion.example()
    generator = torch.Generator().manual_seed(3)
    shape = (*expansion.readout.shape, 5)
    expansion.samples = 0.01 * torch.randn(shape, generator=generator)
    water = molecule("H2O")
    both = im.Potential([bumps, expansion, LennardJones(0.05, 1.0, 4.0)])
    assert both.n_samples == 2 and set(both.learned_terms) == {"bumps", "expansion"}
    assert im.decompose(both, water).samples.shape[1] == 2


def test_nothing_learned_means_no_samples():
    potential = im.Potential([LennardJones(0.05, 1.0, 4.0)])
    assert potential.n_samples == 0 and potential.learned_terms == {}
    assert im.decompose(potential, molecule("H2O")).samples.shape[1] == 0
