"""Two answers side by side: same rows, aligned, both sums and the differences."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import QuestionError
from interpmd.reference.calculator import as_calculator
from interpmd.views.explorer.questions import Question
from interpmd.views.explorer.state import State


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def xtb():
    """Another model of the same atoms."""
    pytest.importorskip("tblite")
    return as_calculator("gfn2-xtb")


@pytest.fixture(scope="module")
def frames():
    made = []
    for seed in range(3):
        made.append(MALONALDEHYDE.copy())
        made[-1].rattle(0.03, seed=seed)
    return made


@pytest.fixture(scope="module")
def state(potential, xtb, frames):
    return State(potential, frames, models={"xtb": xtb})


def sums(found):
    return [sum(getattr(p, side) or 0.0 for p in found.pairs) for side in ("first", "second")]


def test_two_frames_count_along_the_direction_of_the_first(state, potential, frames):
    found = state.comparison(Question(atom=8), 0, "frame 2")
    assert found.names == ("frame 0", "frame 2") and found.same_rows
    forces = [potential.predict(frames[f]).forces[8].numpy() for f in (0, 2)]
    direction = forces[0] / np.linalg.norm(forces[0])
    assert found.total == pytest.approx([f @ direction for f in forces], abs=1e-8)
    assert sums(found) == pytest.approx(found.total, abs=1e-9)
    other = im.explain(potential, frames[2], im.Force(8, along=tuple(direction))).scalars()
    for pair in found.pairs:
        assert (pair.second or 0.0) == pytest.approx(other[pair.label], abs=1e-9)
    table = found.to_frame()
    assert table["difference"].iloc[:-1].sum() == pytest.approx(table["difference"].iloc[-1])


def test_error_bars_of_both_sides_are_those_along_that_direction(state, potential, frames):
    found = state.comparison(Question(atom=8), 0, "frame 2", error_bars=True)
    force = potential.predict(frames[0]).forces[8].numpy()
    along = tuple((force / np.linalg.norm(force)).tolist())
    wanted = im.explain(potential, frames[2], im.Force(8, along=along))
    assert found.total_std[1] == pytest.approx(wanted.total_std)
    spread = wanted.spreads()
    for pair in found.pairs:
        if pair.second_std is not None:
            assert pair.second_std == pytest.approx(spread[pair.label])


def test_two_models_have_the_same_rows(state):
    found = state.comparison(Question(atom=8), 1, "model xtb")
    assert found.names[1] == "xtb" and found.same_rows
    assert sums(found) == pytest.approx(found.total, abs=1e-9)
    assert abs(found.total[0] - found.total[1]) > 0.1
    most = max(found.pairs, key=lambda p: abs(p.difference))
    assert most.label in found.headline


def test_two_gauges_and_two_methods_share_the_sum_and_match_by_atoms(state):
    found = state.comparison(Question(atom=8), 1, "gauge atoms")
    assert not found.same_rows and "do not mean the same" in found.headline
    assert found.total[0] == pytest.approx(found.total[1], abs=1e-8)
    assert sums(found) == pytest.approx(found.total, abs=1e-8)
    by_label = {pair.label: pair for pair in found.pairs}
    bond = by_label["bond O4–H8"]
    rows = state.answer(Question(atom=8, gauge="atoms"), 1)
    along = state.answer(Question(atom=8), 1).direction
    wanted = sum(np.dot(bar.vector, along) for bar in rows.bars if bar.key == "(4, 8)")
    assert bond.second == pytest.approx(wanted, abs=1e-9)
    shapley = state.comparison(Question(atom=8, gauge="atoms"), 1, "method shapley")
    assert shapley.total[0] == pytest.approx(shapley.total[1], abs=1e-8)


def test_a_row_that_only_one_side_has_is_no_zero(state):
    found = state.comparison(Question(atom=8), 1, "gauge atoms")
    assert any(p.first is None for p in found.pairs)
    json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("frame 9", "frames are 0 to 2"),
        ("gauge bonds", "no gauge is called 'bonds'"),
        ("model nobody", "known: xtb"),
        ("colour red", "'frame 3', 'gauge atoms'"),
    ],
)
def test_what_is_not_there_is_said(state, words, says):
    with pytest.raises(QuestionError, match=says):
        state.comparison(Question(atom=8), 0, words)


# --- the widget and its files ----------------------------------------------------------------


def data_of(path):
    text = path.read_text(encoding="utf-8")
    [found] = re.findall(r"^open\((.*)\);$", text, re.MULTILINE)
    return json.loads(found.replace("<\\/", "</"))


def test_a_page_has_error_bars_in_all_frames_and_the_comparison(potential, xtb, frames, tmp_path):
    pytest.importorskip("nglview")
    explorer = im.ForceExplorer(
        potential, frames, "atoms", {"xtb": xtb}, atom=8, order=2, beside="frame 1"
    )
    data = data_of(explorer.export_html(tmp_path / "page.html"))
    for answers in data["answers"].values():
        assert len(answers) == len(frames)
        assert all(answer["total_std"] > 0 for answer in answers)
        assert all(len(answer["rest_stds"]) == len(answer["bars"]) for answer in answers)
        assert all(answer["grade"] is not None for answer in answers)
    for found in data["comparisons"].values():
        assert [c["names"][1] for c in found] == ["frame 1"] * len(frames)
    assert data["state"]["beside"] == "frame 1"


def test_the_error_bar_of_the_others_is_that_of_their_sum(state, potential, frames):
    found = state.answer(Question(atom=8, gauge="atoms", order=2), 0, error_bars=True)
    force = potential.predict(frames[0]).forces[8].numpy()
    along = tuple((force / np.linalg.norm(force)).tolist())
    rows = im.explain(potential, frames[0], im.Force(8, along=along), order=2)
    largest = {bar.label for bar in found.bars[:3]}
    left = np.array([label not in largest for label in rows.labels])
    wanted = np.sqrt((rows.samples[left].sum(0) ** 2).mean())
    assert found.rest_stds[2] == pytest.approx(wanted)
    assert found.rest_stds[-1] == 0


def test_the_widget_checks_and_answers_what_is_put_beside(potential, frames, monkeypatch):
    pytest.importorskip("nglview")
    explorer = im.ForceExplorer(potential, frames, atom=8, frame=0)
    with pytest.raises(QuestionError, match="choose first"):
        _ = explorer.comparison
    with pytest.raises(QuestionError, match="frames are 0 to 2"):
        explorer.beside = "frame 7"
    explorer.beside = "frame 1"
    assert explorer.comparison.names == ("frame 0", "frame 1")
    sent = []
    monkeypatch.setattr(explorer, "send", lambda content, buffers=None: sent.append(content))
    asked = {"target": "force", "atom": 8, "grouping": "interaction"}
    message = {"ask": "comparison", "question": asked, "frame": 0, "mark": "m"}
    explorer._heard(None, {**message, "beside": "frame 2"}, [])
    assert sent[-1]["mark"] == "m" and sent[-1]["content"]["names"] == ["frame 0", "frame 2"]
    explorer._heard(None, {**message, "beside": "model nobody"}, [])
    assert "nobody" in sent[-1]["content"]["trouble"]
