"""Fits that are interrupted, killed, or find no place for their result, lose nothing."""

from __future__ import annotations

import signal

import pytest
import torch
from frames_of_methanol import ISOLATED, SMALL, frames
from small_disk import small_disk

import interpmd as im
from interpmd.fitting import checkpoint, normal
from interpmd.fitting import closed_form as fitting
from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.normal import NormalEquations
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec


def test_an_interrupted_fit_goes_on(tmp_path, monkeypatch, small_blocks):
    many, out = frames(40) + ISOLATED, tmp_path / "potential"
    arguments = {"spec": SMALL, "ridge": 1e-6, "progress": False}
    whole = im.fit(many, **arguments).potential
    flush, calls = NormalEquations._flush, []

    def stop(self, pending):
        calls.append(len(pending))
        if len(calls) == 5:
            raise KeyboardInterrupt
        flush(self, pending)

    monkeypatch.setattr(NormalEquations, "_flush", stop)
    with pytest.raises(KeyboardInterrupt):
        im.fit(many, out=out, **arguments)
    assert (tmp_path / "potential.partial").exists()
    assert not out.exists()
    calls.clear()
    calls.extend([0] * 5)
    resumed = im.fit(many, out=out, **arguments).potential
    assert sum(calls[5:]) < 40
    assert not (tmp_path / "potential.partial").exists()
    a, b = whole.predict(many[0]), resumed.predict(many[0])
    assert torch.allclose(a.forces, b.forces, atol=1e-6)


@pytest.fixture
def small_blocks(monkeypatch):
    fifty = property(lambda self: 50, lambda self, value: None)
    monkeypatch.setattr(NormalEquations, "block_rows", fifty, raising=False)


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_a_fit_that_ends_in_the_middle_of_a_block_goes_on(tmp_path, monkeypatch, small_blocks, how):
    """A Ctrl-C within the sum of squares must not count its frames twice."""
    many, out = frames(40) + ISOLATED, tmp_path / "potential"
    arguments = {"spec": SMALL, "ridge": 1e-6, "progress": False}
    square, calls, counts = normal.scipy.linalg.blas.dsyrk, [], []

    def end(*given, **options):
        found = square(*given, **options)  # in place
        calls.append(len(calls))
        if len(calls) == 5 and how == "interrupted":
            signal.raise_signal(signal.SIGINT)
        if len(calls) == 5 and how == "killed":
            raise SystemExit
        return found

    def counted(*given, **options):
        counts.append(len(counts))
        return square(*given, **options)

    monkeypatch.setattr(normal.scipy.linalg.blas, "dsyrk", counted)
    whole = im.fit(many, **arguments).potential
    monkeypatch.setattr(checkpoint, "EVERY", 0.0)
    monkeypatch.setattr(normal.scipy.linalg.blas, "dsyrk", end)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        im.fit(many, out=out, **arguments)
    assert (tmp_path / "potential.partial" / "frames.npz").exists()
    first, _ = len(calls), calls.clear()
    calls.extend([0] * 5)
    resumed = im.fit(many, out=out, **arguments).potential
    assert first == 5
    known = 5 if how == "interrupted" else 4  # blocks; the fifth was summed but not kept
    assert len(calls) - 5 == len(counts) - known
    a, b = whole.predict(many[0]), resumed.predict(many[0])
    assert torch.allclose(a.forces, b.forces, atol=1e-9)


def test_a_checkpoint_of_another_fit_is_not_taken(tmp_path):
    mine = Checkpoint(tmp_path / "out", "frames", "mine")
    mine.write(done=3)
    assert mine.read()["done"] == 3
    assert Checkpoint(tmp_path / "out", "frames", "yours").read() is None
    assert mine.read(["done"])["done"] == 3
    with pytest.warns(UserWarning, match="another version, without rows, vector; .* made again"):
        assert mine.read(["done", "vector", "rows"]) is None
    mine.path.write_bytes(mine.path.read_bytes()[:50])
    with pytest.warns(UserWarning, match="is damaged"):
        assert mine.read() is None
    problems = [
        Problem(Spec(**SMALL).expansion((1, 6, 8), seed), base, Spec(**SMALL), settings)
        for seed in (0, 1)
        for base in (fitting.unlearned({1: 0.0, 6: e, 8: 0.0}, {}) for e in (0.0, 1.0))
        for settings in (FitSettings(), FitSettings(subset_weights={"a": 2.0}))
    ]
    assert len({problem.key(frames(2)) for problem in problems}) == 8


def test_a_full_disk_costs_the_checkpoint_and_not_the_fit(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.np, "savez", full)
    with pytest.warns(UserWarning, match="no checkpoint of the fit: .*No space left"):
        Checkpoint(tmp_path / "out", "frames", "key").write(done=1)


@pytest.mark.parametrize("members", [1, 2])
def test_a_refinement_that_was_interrupted_goes_on(tmp_path, members):
    spec = SMALL | {"channels": (4, 4), "functions": 6}
    arguments = {"spec": spec, "refine": 3, "ridge": 1e-6, "members": members, "progress": False}
    many = frames(24) + ISOLATED
    whole = im.fit(many, **arguments)
    seen = []

    def stop(step):
        seen.append((step.stage, step.done))
        if seen.count(("refinement", 2)) == members:  # of the last member
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        im.fit(many, out=tmp_path / "out", watch=stop, **arguments)
    rounds = []
    resumed = im.fit(
        many,
        out=tmp_path / "out",
        watch=lambda step: rounds.append(step.done) if step.stage == "refinement" else None,
        **arguments,
    )
    assert rounds == [2]
    histories = [r.potential.card.provenance["refinement"] for r in (whole, resumed)]
    assert [len(each) for each in histories[0]] == [3] * members
    for one, other in zip(*histories, strict=True):
        assert one == pytest.approx(other)
    mixings = [r.potential.terms["expansion"].mixing for r in (whole, resumed)]
    assert mixings[0].numpy() == pytest.approx(mixings[1].numpy(), rel=1e-9)
    assert not (tmp_path / "out.partial").exists()


def test_places_that_cannot_be_written_are_found_before_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(NormalEquations, "add", None)  # nothing is computed
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(im.OutputError, match="cannot be written"):
        im.fit(frames(8) + ISOLATED, spec=SMALL, out=tmp_path / "file" / "potential")
    with pytest.raises(im.PotentialFileError, match="is not a potential"):
        im.fit(frames(8) + ISOLATED, spec=SMALL, out=tmp_path / "file")


@pytest.mark.parametrize("kibibytes", [8, 40, 100])
def test_a_disk_that_fills_up_loses_no_fit(tmp_path, monkeypatch, kibibytes):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with small_disk(tmp_path / "disk", kibibytes * 1024) as disk:
        with pytest.raises(im.OutputError, match="not saved.*the fit is in") as caught:
            im.fit(frames(20) + ISOLATED, spec=SMALL, ridge=1e-6, progress=False, out=disk / "mine")
        half = [f.name for f in (disk / "mine").iterdir()] if (disk / "mine").exists() else []
        assert set(half) <= {"potential.json", "weights.safetensors", "report.json"}
        if half:  # room for the potential, and none for its picture
            assert kibibytes == 100
            im.load(disk / "mine")
    atoms, report = frames(1, 5)[0], caught.value.report
    rescued = im.load(str(caught.value).rpartition(" and in ")[2])
    assert torch.equal(rescued.predict(atoms).forces, report.potential.predict(atoms).forces)
