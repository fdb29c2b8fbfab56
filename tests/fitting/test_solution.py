"""What more rows change about a solution, without a factorisation."""

from __future__ import annotations

import numpy as np
import pytest
from frames_of_methanol import SMALL, frames

from interpmd.fitting.normal import NormalEquations, Targets, weighted_rows
from interpmd.fitting.solution import Extended
from interpmd.potentials import ClusterExpansion

TERM = ClusterExpansion(["H", "C", "O"], **SMALL)
SIZE = 3 * TERM.n_features
PRIOR = np.random.default_rng(0).uniform(1e-3, 1e-2, SIZE)


def made(many):
    targets = [Targets(a.calc.results["energy"], a.calc.results["forces"]) for a in many]
    return [weighted_rows(TERM, a, t, np.ones(SIZE)) for a, t in zip(many, targets, strict=True)]


def equations_of(rows, penalty=0.0):
    equations = NormalEquations(TERM, np.ones(SIZE), memory=1.0)
    equations.add_rows(rows)
    if penalty:
        equations.penalise([np.random.default_rng(1).normal(size=(20, SIZE))], count=3)
        equations.penalty_weight = penalty
    return equations


@pytest.mark.parametrize("penalty", [0.0, 1e-3])
def test_the_last_rows_move_the_mean_without_a_factorisation(penalty, monkeypatch):
    first, last = made(frames(20)), made(frames(3, seed=1))
    equations = equations_of(first, penalty)
    near = equations.solve(0.9 * PRIOR)
    whole = equations_of(first + last, penalty)
    exact = whole.solve(PRIOR).mean
    assert np.abs(exact - near.mean).max() > 1e-2 * np.abs(exact).max()
    with monkeypatch.context() as patch:
        patch.setattr(NormalEquations, "solve", None)
        quick = equations.mean_with(last, PRIOR, near)
    assert np.abs(quick - exact).max() < 1e-7 * np.abs(exact).max()
    assert equations.rows < whole.rows  # they were not added
    # many rows, or no solution to begin from: they are
    many = made(frames(20, seed=1))
    expected = equations_of(first + many, penalty).solve(PRIOR).mean
    assert np.allclose(equations_of(first, penalty).mean_with(many, PRIOR, near), expected)
    assert np.allclose(equations_of(first, penalty).mean_with(many, PRIOR), expected)


def test_an_extended_solution_inverts_the_precision_of_all_rows():
    first, last = made(frames(20)), made(frames(4, seed=1))
    known = Extended(equations_of(first).solve(PRIOR), last[0][0])
    for rows, _ in last[1:]:
        known = known.extended(rows)
    x = np.concatenate([rows for rows, _ in first + last])
    vector = np.random.default_rng(2).normal(size=SIZE)
    found = known.inverse((x.T @ x + np.diag(PRIOR)) @ vector)
    assert np.abs(found - vector).max() < 1e-6
