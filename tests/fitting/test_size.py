"""The number of weights follows the number of labels."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

import interpmd as im
from interpmd.fitting.channels import first_channels
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.normal import NormalEquations, column_scales
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.size import MANY, TIMES, choose_size, label_count
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


def chosen(count: int, memory: float = 5.0, **spec) -> im.Spec:
    return choose_size(frames(count), NUMBERS, im.Spec(**spec), FitSettings(memory=memory))


def test_few_labels_have_several_times_as_many_weights():
    few = chosen(20)
    assert few.weights == TIMES * 20 * 10
    assert 0.8 * few.weights < few.expansion(NUMBERS, 0).readout.numel() <= few.weights
    assert choose_size(frames(160), (1, 8), im.Spec(), FitSettings()).weights == MANY


def test_weights_beyond_the_labels_fit_into_memory():
    assert chosen(20, memory=0.005).weights == int((0.005 * 2**30 / 16) ** 0.5)
    assert chosen(20, memory=1e-6).weights == 200  # as many as labels: the equations say no


def test_many_labels_leave_the_number_as_it_is():
    spec = im.Spec(channels=(4, 4), lmax=(0, 1))
    assert choose_size(frames(10), NUMBERS, spec, FitSettings()) is spec


def test_a_number_that_was_asked_for_is_kept():
    assert chosen(20, weights=700).weights == 700


def test_more_weights_than_labels_are_better_than_as_many():
    many = frames(60)

    def error(weights: int) -> float:
        spec, base = im.Spec(weights=weights, samples=2), unlearned({8: 0.0}, {})
        problem = Problem(spec.expansion(NUMBERS, 0), base, spec, FitSettings())
        solved = problem.solve(many[:6], many[6:], ridge=1e-7, samples=False)
        return float(solved.scan.validation_error.iloc[0])

    assert error(TIMES * 60) < 0.8 * error(60)


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
