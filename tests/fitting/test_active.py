"""Fits that grow by their labels, what a label would tell, and runs of learning."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import torch
from ase.build import molecule
from ase.io import write

import interpmd as im
from interpmd.fitting.active.acquisition import _rows
from interpmd.fitting.grade import usual_spread
from interpmd.fitting.normal import NormalEquations, rows_of
from interpmd.potentials.uncertainty import uncertainty
from interpmd.reference.calculator import ReferenceCalculator
from interpmd.storage import locked

SPEC = im.Spec(weights=300, samples=200)


@pytest.fixture(scope="module")
def atoms():
    return im.isolated_atoms("HO")


@pytest.fixture(scope="module")
def frames():
    return im.label(
        im.sample(molecule("H2O"), "rattle", n=60, seed=0, stdev=0.06), "gfn2-xtb", progress=False
    )


@pytest.fixture(scope="module")
def report(frames, atoms):
    return im.fit([*frames[:16], *atoms], spec=SPEC, progress=False)


def grown(report, frames) -> im.GrowingFit:
    return im.GrowingFit(report.potential, frames[:16])


def equations_of(fit: im.GrowingFit, frames) -> NormalEquations:
    """Made anew of the same columns."""
    own = fit.own(frames)
    equations = NormalEquations(fit.term, fit.scale, 1.0)
    equations.add(own, fit.problem.targets(own))
    return equations


def test_an_update_is_the_fit_of_all_labels(report, frames, monkeypatch):
    fit = grown(report, frames)
    with monkeypatch.context() as patch:  # neither is the matrix read nor factorised anew
        for name in ("_flush", "solve"):
            patch.setattr(NormalEquations, name, None)
        for first in (16, 20, 22):
            fit.add(frames[first : first + 2])
    assert len(fit._more)
    exact = equations_of(fit, fit.frames)
    fresh = exact.solve(fit._prior)
    rows = np.concatenate([_rows(fit, each) for each in frames])
    size = np.abs(rows @ fresh.mean).max()
    assert np.abs(rows @ (fit.mean - fresh.mean)).max() < 1e-6 * size
    assert np.abs(rows @ (fit.mean - fit.solution.mean)).max() > 1e-4 * size
    fit.settle()
    assert np.abs(rows @ (fit.mean - fresh.mean)).max() < 1e-6 * size
    assert fit.equations.rows == exact.rows and not len(fit._more)
    assert fit.equations.square == pytest.approx(exact.square, rel=1e-12)
    assert fit.solution.variance == pytest.approx(fresh.variance, rel=1e-2)


def test_many_labels_are_factorised_anew(report, frames):
    fit = grown(report, frames)
    fit.add(frames[16:40])
    assert not len(fit._more)
    rows = np.concatenate([_rows(fit, each) for each in frames])
    fresh = equations_of(fit, frames[:40]).solve(fit._prior).mean
    assert np.abs(rows @ (fit.mean - fresh)).max() < 1e-6 * np.abs(rows @ fresh).max()


def test_the_potential_of_an_update_says_what_its_mean_says(report, frames):
    fit = grown(report, frames)
    potential = fit.add(frames[16:20])
    rows = _rows(fit, frames[50])[1:]
    base = fit.problem.base.predict_unwatched(frames[50]).forces.numpy()
    found = potential.predict_unwatched(frames[50]).forces.numpy()
    assert np.allclose(found - base, (rows @ fit.mean).reshape(-1, 3), atol=1e-7)


def test_samples_become_those_of_the_new_posterior(report, frames):
    fit = grown(report, frames)
    # samples of the bare posterior, whose covariance is known
    fit._deviations = fit.solution.samples(2000, 3)
    fit._noise = np.sqrt(fit.solution.variance)
    fit.add(frames[16:18])
    fit.add(frames[18:20])
    factor = equations_of(fit, fit.frames).solve(fit._prior).factor
    rows = np.concatenate([_rows(fit, each) for each in frames[40:44]])
    halves = scipy.linalg.solve_triangular(factor, rows.T, lower=True)
    exact = fit._noise * np.sqrt((halves**2).sum(0))
    drawn = np.sqrt(((rows @ fit._deviations) ** 2).mean(1))
    seen = exact > 1e-3 * exact.max()
    assert np.abs(drawn[seen] / exact[seen] - 1).max() < 0.1


def test_what_was_strange_is_known_once_it_is_learned(report, frames):
    far = frames[0].copy()
    far.positions[1] *= 1.45
    far = im.label([far], "gfn2-xtb", progress=False)[0]
    fit = grown(report, frames)

    def grade(potential):
        return float(uncertainty(potential, potential.batch(far)).extrapolation.max())

    assert grade(fit.potential) > 2
    assert grade(fit.add([far])) <= 1


def test_error_bars_by_rows_are_those_of_the_potential(report, frames):
    fit = grown(report, frames)
    potential, new = fit.add(frames[20:24]), frames[20:24]
    rows = fit._usual(new, [[rows_of(fit.equations.term, atoms) for atoms in new]])
    whole = usual_spread(potential, potential.terms["expansion"], new)
    # the potential keeps its samples in single precision
    assert rows.energy == pytest.approx(whole.energy, rel=1e-2)
    assert torch.allclose(rows.force, whole.force, rtol=1e-2)


def test_frames_of_another_fit_are_refused(report, frames):
    with pytest.raises(im.LabelError, match="not fitted to these frames"):
        im.GrowingFit(report.potential, frames[20:36])
    with pytest.raises(im.LabelError, match="how it was fitted"):
        im.GrowingFit(im.Potential(dict(report.potential.terms)), frames[:16])


def test_frames_of_the_fit_that_went_through_a_file_are_its_own(report, frames, tmp_path):
    write(tmp_path / "frames.xyz", frames[:16], format="extxyz")
    read = im.read_frames(tmp_path / "frames.xyz")
    assert any((a.positions != b.positions).any() for a, b in zip(read, frames, strict=False))
    assert len(im.GrowingFit(report.potential, read).frames) == 16
    read[3].positions[0, 0] += 1e-4
    with pytest.raises(im.LabelError, match="not fitted to these frames"):
        im.GrowingFit(report.potential, read)


def test_a_correction_grows_too(frames):
    fitted = im.fit(frames[:12], spec=SPEC, baseline="gfn1-xtb", progress=False)
    fit = im.GrowingFit(fitted.potential, frames[:12])
    potential = fit.add(frames[12:20])
    before = im.evaluate(fitted.potential, frames[30:]).summary()["force_rmse_meV/A"]
    assert im.evaluate(potential, frames[30:]).summary()["force_rmse_meV/A"] < 0.8 * before


def reduction(fit, goal, chosen) -> float:
    """Variance that labels of some frames take from a goal, from dense matrices."""
    precision = np.tril(fit.equations.matrix)
    precision = precision + np.tril(precision, -1).T + np.diag(fit._prior)
    more = np.concatenate([_rows(fit, each) for each in chosen])
    rows = goal.rows(fit)
    before, after = (
        np.trace(rows @ np.linalg.solve(p, rows.T)) for p in (precision, precision + more.T @ more)
    )
    return (before - after) / before


def test_the_gain_is_the_variance_that_a_label_takes(report, frames):
    fit, pool, goal = grown(report, frames), frames[16:40], im.Goal(frames[40:44], atoms=[1])
    found = im.choose(fit, pool, goal, 3, misfit=0.0)
    all_gains = [reduction(fit, goal, [each]) for each in pool]
    assert found[0].index == int(np.argmax(all_gains))
    assert found[0].gain == pytest.approx(max(all_gains), rel=1e-5)
    left, taken = 1.0, 0.0
    for choice in found:
        taken += choice.gain * left
        left = 1.0 - taken
    exact = reduction(fit, goal, [pool[c.index] for c in found])
    assert taken == pytest.approx(exact, rel=1e-5)


def test_a_batch_does_not_choose_the_same_twice(report, frames):
    pool = [each for each in frames[16:26] for _ in range(2)]
    found = im.choose(grown(report, frames), pool, count=5)
    assert len({choice.index // 2 for choice in found}) == 5


def test_a_goal_of_energies_looks_at_differences(report, frames):
    fit = grown(report, frames)
    rows = im.Goal(frames[40:42], of="energies").rows(fit)
    assert rows.shape == (1, len(fit.scale))
    assert not im.Goal([frames[40], frames[40]], of="energies").rows(fit).any()
    with pytest.raises(im.ArgumentError, match="no atom 3"):
        im.Goal(frames[:1], atoms=[3])
    with pytest.raises(im.ArgumentError, match="at least two"):
        im.Goal(frames[:1], of="energies")


class Counted(ReferenceCalculator):
    """A level that counts its calculations, and breaks off."""

    calls, most = 0, 10**6

    def calculate(self, *args, **kwargs):
        if self.calls >= self.most:
            raise KeyboardInterrupt
        type(self).calls += 1
        super().calculate(*args, **kwargs)


def test_learning_goes_on_where_it_was_interrupted(frames, atoms, tmp_path):
    bare = [each.copy() for each in frames]
    for each in bare:
        each.calc = None
        each.info = {}
    asked = {
        "spec": im.Spec(weights=200), "test": frames[50:], "batch": 4, "budget": 14,
        "progress": False,
    }  # fmt: skip
    start, pool = [*bare[:6], *atoms], bare[6:50]
    whole = im.learn(start, pool, Counted(), out=tmp_path / "whole", **asked)
    once = Counted.calls
    Counted.calls, Counted.most = 0, 15
    with pytest.raises(KeyboardInterrupt):
        im.learn(start, pool, Counted(), out=tmp_path / "again", **asked)
    Counted.most = 10**6
    again = im.learn(start, pool, Counted(), out=tmp_path / "again", **asked)
    assert Counted.calls == once  # no label was made twice
    drop = ["seconds"]
    # labels in files are rounded
    same = {"rtol": 0.01, "check_dtype": False}
    pd.testing.assert_frame_equal(
        again.history.drop(columns=drop), whole.history.drop(columns=drop), **same
    )
    pd.testing.assert_frame_equal(again.decisions, whole.decisions, **same)
    assert again.history[again.history.how == "active"].labels.tolist() == [6, 10, 14]
    assert len(again.decisions) == 16 and again.decisions.error_before.notna().all()
    found = im.load(tmp_path / "again" / "potential").predict(frames[-1])
    assert float(found.energy) == pytest.approx(float(whole.potential.predict(frames[-1]).energy))
    with pytest.raises(im.LevelMismatchError, match="another run"):
        im.learn(start, pool, Counted(), out=tmp_path / "again", **(asked | {"batch": 5}))
    lines = (tmp_path / "again" / "decisions.jsonl").read_text().splitlines()
    assert all(json.loads(line)["how"] in ("active", "random") for line in lines)


def test_a_folder_belongs_to_one_run_of_learning(frames, tmp_path):
    def asked():
        im.learn(frames[:6], frames[6:10], spec=SPEC, batch=2, budget=8, out=tmp_path / "one",
                 compare=False, progress=False)  # fmt: skip

    (tmp_path / "one").mkdir()
    with locked(tmp_path / "one" / "learn.json"), pytest.raises(im.OutputError, match="process"):
        asked()
    assert not (tmp_path / "one" / "decisions.jsonl").exists()
    asked()
    once = (tmp_path / "one" / "decisions.jsonl").read_text()
    asked()
    assert (tmp_path / "one" / "decisions.jsonl").read_text() == once


def test_learning_stops_at_the_error(frames, atoms):
    report = im.learn(
        [*frames[:6], *atoms], frames[6:50], test=frames[50:], batch=4, budget=40, error=40.0,
        compare=False, progress=False,
    )  # fmt: skip
    last = report.history.iloc[-1]
    assert last["force_rmse_meV/A"] <= 40 < report.history.iloc[0]["force_rmse_meV/A"]
    assert "below 40" in report.stopped and last.labels < 40


def test_learning_asks_for_what_it_needs(frames):
    bare = frames[0].copy()
    with pytest.raises(im.LabelError, match="pass level="):
        im.learn([bare] * 6, frames[6:], progress=False)
    with pytest.raises(
        im.LabelError, match="3 structures are too few to start with; a first fit needs 5"
    ):
        im.learn(frames[:3], frames[6:], progress=False)
    with pytest.raises(im.ArgumentError, match="pass test="):
        im.learn(frames[:6], frames[6:], error=1.0, progress=False)
    with pytest.raises(im.ArgumentError, match="leave mean_weight= to a last im.fit"):
        im.learn([bare] * 6, frames[6:], "gfn2-xtb", mean_weight=10.0, progress=False)
    fitted = im.fit(frames[:12], spec=SPEC, baseline="gfn1-xtb", mean_weight=10.0, progress=False)
    with pytest.raises(im.LabelError, match="with mean_weight=.*fit all frames again"):
        im.GrowingFit(fitted.potential, frames[:12])


def test_what_fit_does_not_know_is_refused_before_anything_is_labelled(report, frames):
    with pytest.raises(im.ArgumentError, match="learn has no option 'rigde'.*'ridge'"):
        im.learn(frames, frames, rigde=1e-3)
    with pytest.raises(im.ArgumentError, match="cure has no option 'rigde'"):
        im.cure(report, frames, rigde=1e-3)
    with pytest.raises(im.ArgumentError, match="goal is of the class Goal"):
        im.learn(frames, frames, goal="forces")
    with pytest.raises(im.ArgumentError, match="pass potential.potential"):
        im.on_the_fly(report, frames)
    with pytest.raises(im.ArgumentError, match=r"pass im.load\('water'\)"):
        im.corrections("water", frames[0])
    with pytest.raises(im.ArgumentError, match="fit is of the class GrowingFit"):
        im.choose(report, frames)
    for temperatures in ((), "300", (300.0, -1.0)):
        with pytest.raises(im.ArgumentError, match="temperatures"):
            im.candidates(frames[0], n=2, temperatures=temperatures)
