"""A fit hands its normal equations over, and what grows from them is what grows from those made
anew."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from ase.build import molecule

import interpmd as im
from interpmd.fitting.active import growing
from interpmd.fitting.active.acquisition import _rows
from interpmd.fitting.normal import NormalEquations

SPEC = im.Spec(weights=300, samples=20)


@pytest.fixture(scope="module")
def frames():
    pool = im.sample(molecule("H2O"), "rattle", n=60, seed=0, stdev=0.06)
    for k, atoms in enumerate(pool):
        atoms.info["subset"] = ("near", "far")[k % 2]
    return [*im.label(pool, "gfn2-xtb", progress=False), *im.isolated_atoms("HO")]


def fitted(frames, count, **options) -> im.FitReport:
    options = {"spec": SPEC, "progress": False, "keep_equations": True} | options
    return im.fit([*frames[:count], *frames[-2:]], **options)


def assert_alike(one: im.GrowingFit, other: im.GrowingFit, frames) -> None:
    assert one.equations.rows == other.equations.rows
    lower = [np.tril(each.equations.matrix) for each in (one, other)]
    size = np.abs(lower[1]).max()
    assert np.abs(lower[0] - lower[1]).max() < 1e-10 * size
    assert one.equations.vector == pytest.approx(other.equations.vector, rel=1e-9, abs=1e-9)
    assert one.equations.square == pytest.approx(other.equations.square, rel=1e-10)
    assert one.solution.variance == pytest.approx(other.solution.variance, rel=1e-2)
    rows = np.concatenate([_rows(one, each) for each in frames])
    wanted = rows @ other.mean
    assert np.abs(rows @ one.mean - wanted).max() < 1e-6 * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("count", "held", "options"),
    [
        (16, 0, {}),  # all judge in turns
        (16, 0, {"soft_weight": 4.0}),
        (6, 1, {}),  # held out, joins by conjugate gradients
        (16, 6, {"validation": 0.4, "spec": im.Spec(weights=40, least_rows=1e-3)}),  # in the matrix
        (6, 1, {"ridge": 1e-6}),
        (16, 0, {"validation": 0.0, "ridge": 1e-6}),
        (16, 0, {"valid": True}),
        (16, 2, {"spec": im.Spec(weights=300, samples=20, least_rows=1e-3)}),
        (16, 0, {"subset_weights": {"near": 0.5}}),
        (16, 0, {"baseline": "gfn1-xtb", "members": 2, "ridge": 1e-8}),
    ],
)
def test_a_fit_grows_from_what_was_kept_as_from_what_is_made_anew(
    frames, count, held, options, monkeypatch
):
    if options.get("valid"):
        options = options | {"valid": frames[50:58]}
    report = fitted(frames, count, **options)
    weights = options.get("subset_weights")
    anew = im.GrowingFit(report.potential, frames[:count], weights)
    added = []
    with monkeypatch.context() as patch:
        plain = NormalEquations.add
        patch.setattr(growing, "column_scales", None)
        patch.setattr(
            NormalEquations,
            "add",
            lambda self, more, *args: (added.append(len(more)), plain(self, more, *args)),
        )
        kept = im.GrowingFit(report.potential, frames[:count], weights, equations=report.equations)
    assert added == [held] * len(kept._members) and not report.equations
    own = anew.own(frames[50:58])
    for one, other in zip(kept._members, anew._members, strict=True):
        assert_alike(one, other, own)
    potentials = [each.add(frames[40:44]) for each in (kept, anew)]
    for one, other in zip(kept._members, anew._members, strict=True):
        assert_alike(one, other, own)
    found, wanted = (p.predict(frames[50]).forces.numpy() for p in potentials)
    assert np.abs(found - wanted).max() < 1e-6 * np.abs(wanted).max()


def test_equations_are_handed_over_once_and_never_copied(frames, tmp_path):
    report = fitted(frames, 16)
    assert len(report.equations) == 1
    assert not copy.deepcopy(report).equations
    assert not pickle.loads(pickle.dumps(report)).equations
    report.save(tmp_path / "saved")
    assert sum(f.stat().st_size for f in (tmp_path / "saved").iterdir()) < 8 * 300**2
    first = im.GrowingFit(report.potential, frames[:16], equations=report.equations)
    assert not report.equations
    again = im.GrowingFit(report.potential, frames[:16], equations=report.equations)
    assert again.equations is not first.equations
    assert_alike(again, first, frames[50:58])


def test_a_report_keeps_none_unless_it_is_asked(frames):
    assert fitted(frames, 16, keep_equations=False).equations is None
    both = fitted(frames, 16, members=2, memory=0.14, spec=im.Spec(weights=300))
    assert len(both.equations) == 2
    corrected = {"baseline": "gfn1-xtb", "mean_weight": 10.0, "members": 1}
    assert fitted(frames, 16, **corrected).equations is None


def test_equations_of_other_frames_or_weights_are_left(frames):
    report = fitted(frames, 16, subset_weights={"near": 0.5})
    with pytest.raises(im.LabelError, match="not fitted to these frames"):
        im.GrowingFit(report.potential, frames[:15], {"near": 0.5}, equations=report.equations)
    for wrong in ({}, {"near": 0.4}):
        with pytest.raises(im.LabelError, match=r"fitted with subset_weights=\{'near': 0.5\}, not"):
            im.GrowingFit(report.potential, frames[:16], wrong, equations=report.equations)
    assert len(report.equations) == 1
    anew = im.GrowingFit(report.potential, frames[:16])
    assert anew.problem.settings.subset_weights == {"near": 0.5}
    kept = im.GrowingFit(report.potential, frames[:16], equations=report.equations)
    assert not report.equations and np.allclose(kept.mean, anew.mean, rtol=0, atol=5e-3)
    del report.potential.card.provenance["subset_weights"]  # of an earlier version
    told = im.GrowingFit(report.potential, frames[:16], {"near": 0.5})
    assert np.allclose(told.mean, anew.mean, rtol=1e-6, atol=1e-9)


def test_what_learns_begins_with_them(frames, monkeypatch):
    monkeypatch.setattr(growing, "column_scales", None)
    options = {"batch": 4, "budget": 16, "spec": SPEC, "compare": False, "progress": False}
    run = im.learn([*frames[:8], *frames[-2:]], frames[8:40], **options)
    assert run.history.fit.tolist() == ["anew", "anew", "updated"]
    report = fitted(frames, 16)
    calculator = im.on_the_fly(
        report.potential, frames[:16], "gfn2-xtb", equations=report.equations
    )
    assert len(calculator.fit.frames) == 16
