"""More weights than one matrix holds, a part of them eliminated: the numbers of one matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.fitting import schur
from interpmd.fitting.channels import joined, member
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.normal import NormalEquations, column_scales, weighted_rows
from interpmd.fitting.posterior import factor_of
from interpmd.fitting.problem import Problem
from interpmd.fitting.schur import PARTS, Schur
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.single import SingleRows
from interpmd.fitting.spec import Spec
from interpmd.fitting.tiles import Tiles
from interpmd.fitting.turns import MOST
from interpmd.potentials import fast
from interpmd.potentials.uncertainty import posterior

ELEMENTS, COUNT, MANY = [1, 6, 8], 2, frames(MOST + 10)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(schur, "FEWEST", 100)


def problem_of(**settings) -> Problem:
    parts, samples = settings.pop("parts", {"H": 0.5, "O": 0.7}), settings.pop("samples", 8)
    spec = Spec(**SMALL, samples=samples, channels_by_element=parts)
    first = spec.expansion(ELEMENTS, 0)
    whole = joined([member(first, number) for number in range(COUNT)])
    base = unlearned(dict.fromkeys(ELEMENTS, 0.0), {})
    return Problem(whole, base, spec, FitSettings(**settings))


@pytest.mark.parametrize("joins", [True, False])
def test_it_is_the_solution_of_one_matrix_of_all_weights(joins, monkeypatch):
    monkeypatch.setattr(schur, "DONE", 1e-12)
    monkeypatch.setattr(schur, "ROWS", 300)
    problem, strength = problem_of(), 1e-4
    solution = Schur(problem, COUNT, MANY, None if joins else frames(8, 5), 0.2)
    assert solution.fits() and len({len(c) for c in solution.columns}) > 1
    solved = solution.solve(ridge=strength)
    scale = column_scales(problem.term, MANY, 0)
    equations = NormalEquations(problem.term, scale, 1.0)
    equations.add(solution.learned, problem.targets(solution.learned))
    assert equations.rows == solution.labels
    prior = problem.prior(equations, COUNT * strength)
    if joins:
        held = zip(solution.judging, problem.targets(solution.judging), strict=True)
        equations.add_rows([weighted_rows(equations.term, a, t, scale) for a, t in held])
    expected = equations.solve(prior).mean / scale
    found = solved.mean / solved.scale
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()  # rows are rounded


def test_it_ends_where_more_steps_change_nothing(monkeypatch):
    problem = problem_of()
    usual = Schur(problem, COUNT, MANY, None, 0.2).solve(ridge=1e-5)
    monkeypatch.setattr(schur, "DONE", 1e-12)
    exact = Schur(problem, COUNT, MANY, None, 0.2).solve(ridge=1e-5)
    off = [
        np.array([problem.finish(s, MANY).predict(a).forces.numpy() for a in MANY[:5]])
        for s in (usual, exact)
    ]
    labels = np.array([a.get_forces() for a in MANY[:5]])
    missed = np.sqrt(np.mean((off[1] - labels) ** 2))
    assert np.sqrt(np.mean((off[0] - off[1]) ** 2)) < 0.1 * missed


def test_held_out_frames_size_its_bars_as_they_do_those_of_one_matrix(monkeypatch):
    monkeypatch.setattr(schur, "GLANCE", 1e-6)
    problem, strength = problem_of(samples=100), 1e-4
    solved = Schur(problem, COUNT, MANY, None, 0.2).solve(ridge=strength)
    one = problem.solve(MANY, fraction=0.2, ridge=COUNT * strength)
    assert len(solved.held) == len(one.held) > 10
    for ours, other in zip(solved.held, one.held, strict=True):
        assert np.array_equal(ours.numbers, other.numbers)
    errors = [np.concatenate([f.forces.ravel() for f in s.held]) for s in (solved, one)]
    assert np.sqrt(np.mean((errors[0] - errors[1]) ** 2)) < 0.05 * np.std(errors[1])
    sizes = [np.array([f.forces_std for f in s.held]) for s in (solved, one)]
    assert np.median(sizes[0] / sizes[1]) == pytest.approx(1.0, abs=0.15)
    assert factor_of(solved.held) == pytest.approx(1.0, rel=1e-3)
    samples = solved.samples[np.sort(np.concatenate(Schur(problem, COUNT, MANY).columns[1:]))]
    assert not samples.any() and solved.samples.any()


def test_frames_held_out_choose_the_ridge():
    seen: list[im.FitProgress] = []
    solved = Schur(problem_of(), COUNT, MANY, None, 0.2).solve(watch=seen.append)
    *tried, end = [each for each in seen if each.stage == "ridge"]
    assert [each.value for each in tried] == solved.scan.ridge.tolist()
    assert end.value == solved.ridge == solved.scan.attrs["ridge"]
    assert seen[0].stage == "frames" and end.evaluation is not None
    good = solved.scan[solved.scan.validation_error <= solved.scan.validation_error.min() * 1.03]
    assert solved.ridge == good.ridge.max() and len(solved.scan) > 1


def test_what_it_does_not_serve():
    """Few frames, little memory, zeros of their own, a GPU, and few weights."""
    problem = problem_of()
    assert Schur(problem, COUNT, MANY, None, 0.2).fits()
    assert not Schur(problem, COUNT, MANY[:MOST], None, 0.2).fits()
    for settings in ({"memory": 0.001}, {"mean_weight": 1.0}, {"device": "cuda"}):
        assert not Schur(problem_of(**settings), COUNT, MANY, None, 0.2).fits()


def test_few_weights_have_one_matrix(monkeypatch):
    monkeypatch.setattr(schur, "FEWEST", 10_000)
    assert not Schur(problem_of(), COUNT, MANY, None, 0.2).fits()


def test_rows_that_are_summed_are_not_summed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(schur, "ROWS", 300)
    add, added = Tiles.add, []

    def third_fails(matrix, rows):
        if len(added) == 2:
            raise KeyboardInterrupt
        added.append(rows.shape[1])
        add(matrix, rows)

    many, options = [*MANY, *ISOLATED], {"spec": SMALL, "members": COUNT, "progress": False}
    monkeypatch.setattr(Tiles, "add", third_fails)
    with pytest.raises(KeyboardInterrupt):
        im.fit(many, out=tmp_path / "out", **options)
    resumed = []

    def count(matrix, rows):
        resumed.append(rows.shape[1])
        add(matrix, rows)

    monkeypatch.setattr(Tiles, "add", count)
    again = im.fit(many, out=tmp_path / "out", **options).potential
    assert not (tmp_path / "out.partial").exists()
    first = len(resumed)
    whole = im.fit(many, **options).potential
    assert len(resumed) - first == first + len(added) > 4
    one, two = (p.terms["expansion"] for p in (again, whole))
    assert torch.allclose(one.readout, two.readout, rtol=1e-5, atol=1e-7)


def test_its_bars_hold_the_errors_of_new_frames():
    report = im.fit([*MANY, *ISOLATED], spec=SMALL, members=COUNT, progress=False)
    assert report.potential.card.provenance["ridge"] == report.scan.attrs["ridge"]
    with pytest.raises(im.LabelError, match="solved together.*members=1"):
        im.GrowingFit(report.potential, MANY)
    ratios = []
    for atoms in frames(40, 9):
        bars = posterior(report.potential, report.potential.batch(atoms)).forces_std.numpy()
        off = report.potential.predict(atoms).forces.numpy() - atoms.get_forces()
        ratios.append(np.abs(off / bars).ravel())
    assert 0.9 < (np.concatenate(ratios) <= 2).mean() < 0.99


@pytest.mark.parametrize("generated", [True, False])
def test_rows_in_single_precision_are_summed_in_double(generated, monkeypatch):
    monkeypatch.setattr(fast, "available", lambda: generated)
    rng = np.random.default_rng(0)
    for count, columns in ((1, 3), (7, 5), (600, 40)):
        rows = SingleRows(count, columns)
        rows.values[...] = rng.normal(size=(count, columns))
        exact = rows.values.astype(float)
        for some, part in ((count, slice(0, columns)), (count // 2, slice(1, columns - 1))):
            right, left = rng.normal(size=part.stop - part.start), rng.normal(size=some)
            expected = exact[:some, part] @ right, exact[:some, part].T @ left
            assert np.allclose(rows.times(right, part, some), expected[0], rtol=0, atol=1e-12)
            assert np.allclose(rows.back(left, part), expected[1], rtol=0, atol=1e-12)


def test_some_rows_of_tiles_are_those_of_the_matrix():
    rows = np.random.default_rng(0).normal(size=(23, 40))
    matrix = Tiles(23, tile=6)
    matrix.add(rows)
    some = np.array([0, 4, 5, 6, 11, 12, 19, 22])
    expected = (rows @ rows.T)[np.ix_(some, some)]
    assert np.allclose(np.tril(matrix.of(some)), np.tril(expected))


def test_parts_are_all_channels():
    solution = Schur(problem_of(), COUNT, MANY[:5])
    assert len(solution.columns) == PARTS and solution.where[-1].stop == solution.others.stop
    weights = np.sort(np.concatenate(solution.columns))
    assert np.array_equal(weights, np.arange(len(solution.problem.term.columns)))


def test_where_nothing_is_left_no_step_is_made():
    """As of labels that are all zero."""
    found = schur.conjugate_gradients(lambda w: 2.0 * w, np.zeros(3), 0.0, 1e-3)
    assert np.array_equal(found, np.zeros(3))
    matrix, right = np.diag([1.0, 2.0, 5.0]), np.array([1.0, -1.0, 2.0])
    exact = np.linalg.solve(matrix, right)
    square = float(right @ exact) + 1.0
    found = schur.conjugate_gradients(lambda w: matrix @ w, right, square, 1e-12)
    assert np.allclose(found, exact, rtol=0, atol=1e-12)
