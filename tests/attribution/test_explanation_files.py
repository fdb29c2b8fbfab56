"""Explanations in files: sealed, resumed frame by frame, and nothing of others touched."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
import xarray as xr
from ase.build import molecule
from killed import killed_at
from small_disk import small_disk
from structures_of_tests import small_expansion

import interpmd as im
from interpmd.attribution import archive
from interpmd.attribution.over_time import asked as over_time_asked
from interpmd.potentials import Morse, Potential
from interpmd.storage import locked

FORCE = im.Force(0)
MODEL = Potential([Morse(depth=0.5, width=1.0, distance=1.2, cutoff=4.0)])


def frames(n=5):
    made = []
    for seed in range(n):
        atoms = molecule("CH3OH")
        atoms.rattle(0.05, seed=seed)
        made.append(atoms)
    return made


def explained(model=MODEL, target=FORCE, n=5, **options):
    return im.explain_trajectory(model, frames(n), target, progress=False, **options)


QUESTIONS = {
    "energy of atoms": {"target": im.Energy(), "gauge": "atoms"},
    "force": {"target": im.Force(0), "gauge": "atoms"},
    "force along": {"target": im.Force(4, along=1), "gauge": "internal"},
    "kinds": {"target": im.Force(0), "gauge": "atoms", "by": "kind"},
    "pairs": {"target": im.Force(0), "gauge": "atoms", "by": "pair"},
    "fragments": {"target": im.Energy(), "gauge": "atoms", "by": "fragment"},
    "from the mean": {"target": im.Force(0), "reference": "mean"},
    "from the first": {"target": im.Force(0), "reference": 0},
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("cut", [0.0, 0.3, 0.77])
def test_what_goes_on_is_what_was_never_broken_off(tmp_path, question, cut):
    out, options = tmp_path / "run.jsonl", QUESTIONS[question]
    whole = explained(**options)
    xr.testing.assert_identical(explained(out=out, **options), whole)
    data = out.read_bytes()
    out.write_bytes(data[: int(cut * len(data))])
    xr.testing.assert_identical(explained(out=out, **options), whole)
    assert out.read_bytes() == data


def test_joint_samples_are_kept_to_the_bit(tmp_path):
    model = small_expansion()
    drawn = torch.randn(*model.terms["expansion"].readout.shape, 4)
    model.terms["expansion"].samples = drawn
    options = {"target": im.Force(0), "error_bars": True, "gauge": "atoms", "n": 3}
    whole = explained(model, **options)
    out = tmp_path / "run.jsonl"
    explained(model, out=out, **options)
    again = explained(model, out=out, **options)
    assert "deviation" in whole
    xr.testing.assert_identical(again, whole)


def test_frames_that_are_kept_are_not_explained_again(tmp_path, monkeypatch):
    out, asked = tmp_path / "run.jsonl", []
    usual = over_time_asked.explain

    def counting(*arguments, **options):
        asked.append(arguments[1])
        if len(asked) == 4:
            raise KeyboardInterrupt
        return usual(*arguments, **options)

    monkeypatch.setattr(over_time_asked, "explain", counting)
    with pytest.warns(UserWarning, match="interrupted: 3 of 5"):
        assert len(explained(out=out).frame) == 3
    assert len(explained(out=out).frame) == 5
    assert len(asked) == 4 + 2


def test_a_file_torn_anywhere_goes_on(tmp_path):
    out = tmp_path / "run.jsonl"
    whole = explained(out=out, by="kind", gauge="atoms")
    data = out.read_bytes()
    for cut in range(0, len(data), len(data) // 40):
        out.write_bytes(data[:cut])
        xr.testing.assert_identical(explained(out=out, by="kind", gauge="atoms"), whole)
        assert out.read_bytes() == data


@pytest.mark.parametrize("text", ["12 things to do\n", '{"a": 1}\n', "x", "\n\n"])
def test_files_of_others_are_left_alone(tmp_path, text):
    out = tmp_path / "notes.md"
    out.write_text(text)
    with pytest.raises(im.ExplanationFileError, match="holds no explained frames"):
        explained(out=out)
    assert out.read_text() == text


def test_altered_lines_are_refused(tmp_path):
    out = tmp_path / "run.jsonl"
    explained(out=out)
    lines = out.read_text().splitlines(keepends=True)
    row = json.loads(lines[2])
    row["rows"][0][1]["label"] = "something else"
    for changed in (json.dumps(row) + "\n", lines[2][:-200] + "\n", "\n"):
        out.write_text("".join([*lines[:2], changed, *lines[3:]]))
        with pytest.raises(im.ExplanationSealError, match="line 3 is not what was written"):
            explained(out=out)
    out.write_text("".join([*lines[:2], *lines[3:]]))  # as the error says
    xr.testing.assert_identical(explained(out=out), explained())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"target": im.Force(1)}, "target"),
        ({"n": 4}, "frames"),
        ({"by": "kind"}, "by"),
        ({"gauge": "atoms"}, "gauge"),
        ({"model": Potential([Morse(depth=0.6, width=1.0, distance=1.2, cutoff=4.0)])}, "model"),
    ],
)
def test_other_explanations_do_not_mix(tmp_path, changes, word):
    out = tmp_path / "run.jsonl"
    explained(out=out, gauge="internal")
    before = out.read_bytes()
    with pytest.raises(im.ExplanationFileError, match=rf"with other settings \(.*{word}"):
        explained(out=out, **({"gauge": "internal"} | changes))
    assert out.read_bytes() == before


def test_two_calls_do_not_write_one_file(tmp_path):
    out = tmp_path / "run.jsonl"
    with locked(out), pytest.raises(im.OutputError, match="written by another call"):
        explained(out=out)


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_change_loses_no_frame(tmp_path, after):
    whole = explained(n=3)
    for step in count(1):
        out = tmp_path / f"{step}.jsonl"
        if not killed_at(step, lambda out=out: explained(out=out, n=3), after):
            break
        xr.testing.assert_identical(explained(out=out, n=3), whole)
    assert step > 5


def test_a_full_disk_keeps_what_is_explained(tmp_path):
    with small_disk(tmp_path / "disk", 32 * 1024) as disk:
        with pytest.raises(im.OutputError, match="cannot be written") as caught:
            explained(out=disk / "run.jsonl", n=30)
        shutil.copy(disk / "run.jsonl", tmp_path / "run.jsonl")
    assert 1 < len(caught.value.report.frame) < 30
    xr.testing.assert_identical(explained(out=tmp_path / "run.jsonl", n=30), explained(n=30))


@pytest.fixture
def saved(tmp_path):
    im.explain(MODEL, frames(1)[0], im.Force(0)).save(tmp_path / "one.npz")
    return tmp_path / "one.npz"


def parts(path):
    with np.load(path) as stored:
        return dict(stored)


@pytest.mark.parametrize("name", ["values", "positions", "predicted", "first"])
def test_altered_numbers_of_an_explanation_are_refused(saved, name):
    arrays = parts(saved)
    arrays[name] = arrays[name] + 1
    np.savez(saved, **arrays)
    with pytest.raises(im.ExplanationSealError, match="is not what was written"):
        im.load_explanation(saved)


@pytest.mark.parametrize(
    "changes", [{"gauge": "atoms"}, {"exact": False}, {"statement": "x"}, {"seal": None}]
)
def test_altered_words_of_an_explanation_are_refused(saved, changes):
    arrays = parts(saved)
    about = json.loads(str(arrays["about"])) | changes
    np.savez(saved, **arrays | {"about": np.array(json.dumps(about))})
    with pytest.raises(im.ExplanationSealError, match="is not what was written"):
        im.load_explanation(saved)


def test_an_explanation_of_the_release_before_loads_with_one_warning(saved):
    arrays = parts(saved)
    about = json.loads(str(arrays["about"])) | {"version": 3}
    del about["seal"]
    np.savez(saved, **arrays | {"about": np.array(json.dumps(about))})
    with pytest.warns(im.UnsealedWarning, match="carries no seal") as seen:
        old = im.load_explanation(saved)
    assert len(seen) == 1
    old.save(saved)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert im.load_explanation(saved).residual == old.residual


def test_a_full_disk_leaves_the_old_explanation(tmp_path, saved):
    explanation = im.load_explanation(saved)
    with small_disk(tmp_path / "disk", 8 * 1024) as disk:
        shutil.copy(saved, disk / "one.npz")
        large = replace(explanation, statement="".join(map(chr, range(300, 9000))))
        with pytest.raises(im.OutputError, match="cannot be written"):
            large.save(disk / "one.npz")
        assert im.load_explanation(disk / "one.npz").statement == explanation.statement
        assert archive.VERSION == 4
