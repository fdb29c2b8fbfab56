"""Many weights solved together through the matrix of their rows: the numbers of one matrix."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from frames_of_methanol import ISOLATED, SMALL, frames

import interpmd as im
from interpmd.fitting.channels import columns_of_every, every, joined, member
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.joint import Joint
from interpmd.fitting.normal import NormalEquations, column_scales, weighted_rows
from interpmd.fitting.posterior import factor_of
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec
from interpmd.fitting.tiles import Tiles
from interpmd.fitting.turns import MOST
from interpmd.potentials.uncertainty import posterior
from interpmd.trust.conformance import check_potential

COUNT, MANY = 3, frames(MOST + 10)


def problem_of(**settings) -> Problem:
    """Of three members in one."""
    parts = settings.pop("parts", {"H": 0.3, "O": 0.7})
    spec = Spec(**SMALL, samples=settings.pop("samples", 8), channels_by_element=parts)
    first = spec.expansion([1, 6, 8], 0)
    whole = joined([member(first, number) for number in range(COUNT)])
    base = unlearned({1: 0.0, 6: 0.0, 8: 0.0}, {})
    return Problem(whole, base, spec, FitSettings(**settings))


def test_channels_of_an_expansion_taken_in_turn_are_all_of_them():
    arguments = {"cutoff": 4.0, "lmax": (0, 2, 2, 1), "functions": 4}
    arguments["channels"] = [(3, 3, 3, 3), (7, 6, 5, 4), (5, 4, 6, 3)]
    whole = im.potentials.ClusterExpansion(["H", "C", "O"], **arguments)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=len(whole.columns))
    whole.readout.copy_(whole.in_readout(weights))
    energies, seen = np.zeros(3), []
    for first in range(3):
        part, columns = every(whole, first, 3), columns_of_every(whole, first, 3)
        part.readout.copy_(part.in_readout(weights[columns]))
        potential = im.Potential({"expansion": part}, elements=[1, 6, 8])
        energies += [float(potential.predict(atoms).energy) for atoms in MANY[:3]]
        seen += columns.tolist()
    potential = im.Potential({"expansion": whole}, elements=[1, 6, 8])
    assert sorted(seen) == list(range(len(weights)))
    assert np.allclose(energies, [float(potential.predict(a).energy) for a in MANY[:3]])


def test_tiles_are_the_matrix():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(23, 40))
    matrix = Tiles(23, tile=6)
    matrix.add(rows[:, :15])
    matrix.add(rows[:, 15:])
    whole = rows @ rows.T
    assert np.allclose(matrix.part(slice(7, 20), slice(2, 7)), whole[7:20, 2:7])
    assert np.allclose(np.tril(matrix.part(slice(3, 14), slice(3, 14))), np.tril(whole[3:14, 3:14]))
    other = matrix.copy()
    other.factorise(0.5)
    factor = np.linalg.cholesky(whole + 0.5 * np.eye(23))
    right = rng.normal(size=(23, 2))
    assert np.allclose(other.times(right), factor @ right)
    assert np.allclose(other.forward(right), np.linalg.solve(factor, right))
    assert np.allclose(other.backward(right), np.linalg.solve(factor.T, right))
    assert np.allclose(matrix.part(slice(7, 20), slice(2, 7)), whole[7:20, 2:7])
    again = Tiles(23, tile=6)
    again.restore(matrix.state())
    assert all(np.array_equal(again.tiles[place], matrix.tiles[place]) for place in matrix.tiles)
    flat = Tiles(12, tile=5)
    flat.add(rng.normal(size=(12, 10)))
    with pytest.raises(im.SingularError, match="row 10.*stronger ridge"):
        flat.factorise(-1e-9)


@pytest.mark.parametrize("joins", [True, False])
def test_it_is_the_solution_of_one_matrix_of_all_weights(joins, monkeypatch):
    monkeypatch.setattr("interpmd.fitting.joint.COLUMNS", 150)
    problem, strength = problem_of(), 1e-4
    joint = Joint(problem, COUNT, MANY, None if joins else frames(8, 5), 0.2)
    assert joint.fits() and joint.units > 3
    solved = joint.solve(ridge=strength)
    scale = column_scales(problem.term, MANY, 0)
    equations = NormalEquations(problem.term, scale, 1.0)
    equations.add(joint.learned, problem.targets(joint.learned))
    assert equations.rows == joint.labels
    prior = problem.prior(equations, COUNT * strength)
    if joins:
        held = zip(joint.judging, problem.targets(joint.judging), strict=True)
        equations.add_rows([weighted_rows(equations.term, a, t, scale) for a, t in held])
    expected = equations.solve(prior).mean / scale
    found = solved.mean / solved.scale
    assert np.abs(found - expected).max() < 1e-8 * np.abs(expected).max()


def test_it_errs_and_doubts_as_one_matrix_of_all_weights(monkeypatch):
    """On the frames held out, with so many samples that chance matters little."""
    monkeypatch.setattr("interpmd.fitting.joint.COLUMNS", 150)
    problem, strength = problem_of(samples=400), 1e-4
    solved = Joint(problem, COUNT, MANY, None, 0.2).solve(ridge=strength)
    one = problem.solve(MANY, fraction=0.2, ridge=COUNT * strength)
    assert len(solved.held) == len(one.held) > 10
    for ours, other in zip(solved.held, one.held, strict=True):
        assert np.array_equal(ours.numbers, other.numbers)
        assert np.allclose(ours.forces, other.forces, rtol=0, atol=1e-4)
        assert ours.energy == pytest.approx(other.energy, abs=1e-4)
    sizes = [np.array([f.forces_std for f in s.held]) for s in (solved, one)]
    assert np.median(np.abs(sizes[0] / sizes[1] - 1)) < 0.08  # chance alone gives 0.05
    assert np.median(sizes[0] / sizes[1]) == pytest.approx(1.0, abs=0.06)
    energies = [np.array([f.energy_std for f in s.held]) for s in (solved, one)]
    assert np.median(energies[0] / energies[1]) == pytest.approx(1.0, abs=0.06)
    assert solved.calibration == pytest.approx(one.calibration, rel=0.1)
    assert factor_of(solved.held) == pytest.approx(1.0, rel=1e-3)


def test_all_frames_choose_a_ridge_no_stronger_than_some_do(monkeypatch):
    """And they choose it by the errors of the frames held out."""
    monkeypatch.setattr("interpmd.fitting.joint.FEW_ROWS", 300)
    problem = problem_of(parts={})
    seen: list[im.FitProgress] = []
    solved = Joint(problem, COUNT, MANY, None, 0.2).solve(watch=seen.append)
    *tried, end = [each for each in seen if each.stage == "ridge"]
    last = len(solved.scan)
    chosen = solved.scan.set_index("ridge").validation_error[solved.ridge]
    assert end.value == solved.ridge and end.error == pytest.approx(chosen, rel=1e-4)
    off = np.diff(end.evaluation.forces)[..., 0]
    assert np.allclose(off, np.concatenate([f.forces for f in solved.held]), rtol=0, atol=1e-9)
    assert len(tried) > last > 1 and seen[0].stage == "frames"
    assert [each.value for each in tried[-last:]] == solved.scan.ridge.tolist()
    strengths = {each.value: each.error for each in tried[:-last]}
    few = max(r for r, e in strengths.items() if e <= min(strengths.values()) * 1.03)
    assert solved.scan.ridge.max() == few
    for ridge, error in solved.scan.to_numpy():
        held = Joint(problem, COUNT, MANY, None, 0.2).solve(ridge=ridge).held
        square = sum((f.forces**2).sum() + (f.energy * 40.0) ** 2 / 6 for f in held)
        assert np.sqrt(square / (19 * len(held))) == pytest.approx(error, rel=1e-4)


def test_strengths_that_are_tried_are_shown(capsys):
    Joint(problem_of(), COUNT, MANY, None, 0.2).solve(progress=True)
    assert "ridge: " in capsys.readouterr().err


def test_what_does_not_fit_is_the_mean_of_several_fits():
    """For want of memory, with few frames, and where energies have zeros of their own."""
    problem = problem_of()
    assert Joint(problem, COUNT, MANY, None, 0.2).fits()
    assert not Joint(problem, COUNT, MANY[:MOST], None, 0.2).fits()
    for settings in ({"memory": 0.02}, {"mean_weight": 1.0}, {"device": "cuda"}):
        assert not Joint(problem_of(**settings), COUNT, MANY, None, 0.2).fits()


def test_rows_that_are_known_are_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr("interpmd.fitting.joint.COLUMNS", 150)
    add, added = Tiles.add, []

    def third_fails(matrix, rows):
        if len(added) == 2:
            raise KeyboardInterrupt
        added.append(rows.shape[1])
        add(matrix, rows)

    many = [*MANY, *ISOLATED]
    options = {"spec": SMALL, "members": COUNT, "progress": False}
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
    assert torch.allclose(one.readout, two.readout, rtol=1e-7, atol=1e-9)
    assert torch.allclose(one.samples, two.samples, rtol=1e-4, atol=1e-6)


def test_its_bars_hold_the_errors_of_new_frames_and_it_conforms():
    report = im.fit([*MANY, *ISOLATED], spec=SMALL, members=COUNT, progress=False)
    given = report.potential.card.provenance
    one = Spec(**SMALL).expansion([1, 6, 8], 0).readout.numel()
    assert (given["members"], given["weights"]) == (COUNT, COUNT * one)
    assert given["ridge"] == report.scan.attrs["ridge"]
    check_potential(report.potential, MANY[0])
    ratios = []
    for atoms in frames(40, 9):
        bars = posterior(report.potential, report.potential.batch(atoms)).forces_std.numpy()
        off = report.potential.predict(atoms).forces.numpy() - atoms.get_forces()
        ratios.append(np.abs(off / bars).ravel())
    assert 0.9 < (np.concatenate(ratios) <= 2).mean() < 0.99
