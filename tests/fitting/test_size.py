"""The number of weights follows the number of labels."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import interpmd as im
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.normal import NormalEquations, column_scales, first_channels
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.size import choose_size, label_count
from interpmd.potentials import MW, Potential

NUMBERS = (8,)


def frames(count: int) -> list[Atoms]:
    """Trimers of mW's water with energies and forces."""
    rng, potential, many = np.random.default_rng(0), Potential([MW.example()]), []
    for _ in range(count):
        corners = np.array([[0, 0, 0], [2.8, 0, 0], [1.2, 2.6, 0]])
        atoms = Atoms("O3", corners + rng.normal(0, 0.15, (3, 3)))
        found = potential.predict(atoms)
        atoms.calc = SinglePointCalculator(
            atoms, energy=float(found.energy), forces=found.forces.numpy()
        )
        many.append(atoms)
    return many


def chosen(count: int, **spec) -> im.Spec:
    many, base = frames(count), unlearned({8: 0.0}, {})
    return choose_size(many, NUMBERS, base, im.Spec(**spec), FitSettings())


def test_fewer_labels_than_weights_make_fewer_weights():
    few = chosen(20)
    assert few.weights is not None
    assert few.weights <= 20 * 10
    assert few.expansion(NUMBERS, 0).readout.numel() <= 200


def test_many_labels_leave_the_number_as_it_is():
    spec = im.Spec(channels=(4, 4), lmax=(0, 1))
    many = frames(10)
    assert choose_size(many, NUMBERS, unlearned({8: 0.0}, {}), spec, FitSettings()) is spec


def test_a_number_that_was_asked_for_is_kept_with_a_warning():
    with pytest.warns(im.LabelWarning, match=r"\d+ weights for 200 labels"):
        assert chosen(20, weights=700).weights == 700


def test_labels_are_counted_as_they_are():
    [atoms] = frames(1)
    assert label_count(atoms) == 10
    atoms.calc.results["forces"][1] = np.nan
    assert label_count(atoms) == 7


def test_a_part_of_the_equations_is_that_of_fewer_channels():
    many, spec = frames(12), im.Spec(channels=(6, 4, 4), lmax=(0, 2, 1))
    base = unlearned({8: 0.0}, {})
    problem = Problem(spec.expansion(NUMBERS, 0), base, spec, FitSettings())
    scale = column_scales(problem.term, many, 0)
    whole = NormalEquations(problem.term, scale, memory=1.0)
    whole.add(many, problem.targets(many))
    columns = first_channels(problem.term, 0.5)
    assert len(columns) == 3 + 2 * 3 + 2 * 2
    prior = problem.prior(whole, 1e-6)
    # columns that a strong prior leaves out are those of the other channels
    without = np.full(len(scale), 1e12 * prior.max())
    without[columns] = prior[columns]
    expected = whole.solve(without).mean
    found = whole.part(columns).solve(prior[columns]).mean
    assert np.allclose(found, expected[columns], rtol=1e-4, atol=1e-6)
