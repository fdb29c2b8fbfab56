"""Samples of the read-out that know the misfit of the form of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.fitting.grade import Spread, calibrate_grade, ranges_of_distances, usual_spread
from interpmd.fitting.judges import Judges
from interpmd.fitting.normal import NormalEquations, quick, weighted_rows
from interpmd.fitting.posterior import calibrated, misfit_samples
from interpmd.fitting.targets import Targets
from interpmd.potentials import ClusterExpansion
from interpmd.potentials.surroundings import nearest_distances, outside
from interpmd.potentials.uncertainty import posterior


@pytest.fixture(scope="module")
def problem():
    """Too few weights for methanol, so that the form is wrong."""
    term = ClusterExpansion(["H", "C", "O"], lmax=1, channels=(4, 2), functions=4)
    many = frames(40)
    targets = [Targets(a.calc.results["energy"], a.calc.results["forces"]) for a in many]
    scale = np.full(3 * term.n_features, 0.5)
    equations = NormalEquations(term, scale, memory=1.0)
    equations.add(many, targets)
    solution = equations.solve(np.full(len(scale), 1e-3))
    return quick(term), many, targets, scale, solution


def test_samples_are_sums_of_pointwise_optimal_changes(problem):
    """Their covariance is the sum over the rows of d d^T, d = H^-1 x r / h."""
    term, many, targets, scale, solution = problem
    made = [weighted_rows(term, a, t, scale) for a, t in zip(many, targets, strict=True)]
    x = np.concatenate([rows for rows, _ in made]).astype(float)
    r = np.concatenate([values for _, values in made]) - x @ solution.mean
    factor = np.tril(solution.factor)
    inverse = np.linalg.inv(factor @ factor.T)
    leverage = np.einsum("rw,wv,rv->r", x, inverse, x)
    kept = leverage > np.median(leverage[leverage > 1e-12])
    changes = (inverse @ x[kept].T) * (r[kept] / leverage[kept])
    # each makes the model right about its own row
    assert np.allclose(np.einsum("rw,wr->r", x[kept], changes), r[kept])
    samples = misfit_samples(term, many, targets, scale, solution, 4000, seed=0)
    expected = np.sqrt(np.square(x @ changes).sum(1))
    seen = np.sqrt(np.square(x @ samples).mean(1))
    large = expected > np.median(expected)
    assert np.allclose(seen[large], expected[large], rtol=0.2)


def test_the_bars_hold_the_errors_of_held_out_frames(problem):
    term, many, targets, scale, solution = problem
    fresh = frames(40, 1)
    judges = Judges(
        term, scale, fresh, [replace(t, **_labels(a)) for a, t in zip(fresh, targets, strict=True)]
    )
    kinds = (
        solution.samples(32, 0),
        misfit_samples(term, many, targets, scale, solution, 32, seed=0),
    )
    samples, size = calibrated(kinds, solution.mean, judges)
    ratios = [
        np.concatenate(e)
        for e in zip(*(f.ratios() for f in judges.judged(solution.mean, samples)), strict=True)
    ]
    within = [float((each <= 2).mean()) for each in ratios]
    assert min(within) == pytest.approx(0.95, abs=0.03)  # and the other has more
    bare = list(judges.judged(solution.mean, solution.samples(32, 0)))
    energies = np.concatenate([f.ratios()[0] for f in bare])
    assert (energies <= 2).mean() < 0.85 and size > 1.5


def _labels(atoms):
    return {"energy": atoms.calc.results["energy"], "forces": atoms.calc.results["forces"]}


def test_bars_of_a_fit_hold_the_errors_of_new_frames():
    report = im.fit(frames(80) + ISOLATED, spec=SMALL, progress=False)
    potential, inside = report.potential, []
    for atoms in frames(30, 2):
        predicted = potential.predict(atoms).forces.numpy() - atoms.calc.results["forces"]
        bars = posterior(potential, potential.batch(atoms)).forces_std.numpy()
        inside.append(np.abs(predicted) <= 2 * bars)
    assert np.mean(inside) > 0.9


def test_a_few_large_molecules_among_many_parts_are_judged_by_themselves():
    many = frames(80)
    potential = im.fit(many + ISOLATED, spec=SMALL, progress=False).potential
    term = potential.terms["expansion"]
    usual = usual_spread(potential, term, many)

    def held(formula: str, factors: np.ndarray) -> list[Spread]:
        return [Spread(f * usual.force, f * usual.energy, formula) for f in factors]

    large = np.linspace(2, 3, 50)
    parts, rare = held("CH4", np.linspace(0.1, 1, 900)), held("C6H6", np.array([9.0]))
    calibrate_grade(potential, term, many, [*parts, *held("C2H6O", large), *rare])
    expected = np.quantile(large, 0.98)
    assert np.allclose(term.grade_scale, expected * usual.force)
    assert float(term.energy_scale) == pytest.approx(expected * usual.energy)


def test_new_frames_lie_within_the_ranges_of_distances():
    term = ClusterExpansion(["H", "C", "O"], **SMALL)
    potential = im.Potential([term])
    ranges = ranges_of_distances(potential, term, frames(200))
    beyond = []
    for atoms in frames(200, 3):
        batch = potential.batch(atoms)
        found = nearest_distances(term, batch, potential.neighbours(batch))
        beyond.append(float(outside(found, ranges[term.species[batch.numbers]]).max()))
    assert np.mean(np.array(beyond) > 0) < 0.05
    assert torch.isfinite(ranges).all() and (ranges[..., 0] < ranges[..., 1]).all()
