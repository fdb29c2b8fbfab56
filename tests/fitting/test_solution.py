"""What more rows change about a solution, without a factorisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from frames_of_methanol import SMALL, frames

from interpmd.fitting.normal import NormalEquations, weighted_rows
from interpmd.fitting.solution import Extended
from interpmd.fitting.targets import Targets
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
    known = Extended(equations_of(first).solve(PRIOR))
    for rows, _ in last:
        known = known.extended(rows)
    x = np.concatenate([rows for rows, _ in first + last])
    vector = np.random.default_rng(2).normal(size=SIZE)
    found = known.inverse((x.T @ x + np.diag(PRIOR)) @ vector)
    assert np.abs(found - vector).max() < 1e-6


@pytest.mark.parametrize("known", ["energies and forces", "forces alone", "not all forces"])
def test_rows_without_rigid_motions_have_the_same_sums(known):
    """3N - 6 directions of a molecule (3N - 5 of one in a line) hold all that its rows say."""
    many = [*frames(3), Atoms("HCO", [[0, 0, -1.1], [0, 0, 0], [0, 0, 1.2]])]
    rng = np.random.default_rng(0)
    targets = [Targets(rng.normal(), rng.normal(size=(len(a), 3)), None, 3.0, 2.0) for a in many]
    if known == "forces alone":
        targets = [replace(t, energy=np.nan) for t in targets]
    if known == "not all forces":
        targets[0].forces[1] = np.nan
    equations = NormalEquations(TERM, np.ones(SIZE), memory=1.0)
    seen = []
    flush = equations._flush
    equations._flush = lambda pending: (seen.append(pending), flush(pending))
    equations.add(many, targets)
    both = [weighted_rows(TERM, a, t, np.ones(SIZE)) for a, t in zip(many, targets, strict=True)]
    x, y = (np.concatenate(each) for each in zip(*both, strict=True))
    size = np.abs(x.T @ x).max()
    assert np.allclose(np.tril(equations.matrix), np.tril(x.T @ x), rtol=0, atol=1e-13 * size)
    assert np.allclose(equations.vector, x.T @ y, rtol=1e-10, atol=1e-10)
    assert equations.rows == len(y) and equations.square == pytest.approx(y @ y)
    [[made]] = [pending.values() for pending in seen]
    energy = known != "forces alone"
    first = 1 + 15 if known == "not all forces" else energy + 12
    assert [len(v) for _, v, *_ in made] == [first, energy + 12, energy + 12, energy + 4]
