"""The explorer on paper says in every panel what the answer says."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.units import number_sign
from interpmd.views.explorer.picture import draw_answer
from interpmd.views.explorer.questions import Question


@pytest.fixture(scope="module")
def explorer():
    frames = []
    for seed in range(3):
        frames.append(MALONALDEHYDE.copy())
        frames[-1].rattle(0.03, seed=seed)
    return im.ForceExplorer(
        im.load("malonaldehyde"), frames, atom=8, order=2, grouping="kind", frame=0
    )


def panels(explorer):
    figure = draw_answer(explorer.state, explorer.question, explorer.frame)
    plt.close(figure)
    return figure.axes


def test_one_frame_shows_molecule_budget_pairs_and_body_orders(explorer):
    molecule, budget, pairs, orders, *_ = panels(explorer)
    found = explorer.answer
    assert molecule.get_title() == "frame 0"
    assert number_sign(found.total) in budget.get_yticklabels()[-1].get_text()
    assert [label.get_text() for label in pairs.get_yticklabels()][8] == "H8"
    listed = [text.get_text() for text in molecule.texts if "bond" in text.get_text()]
    assert any("O4–H8 bond stretch" in words for words in listed)
    assert "in equal shares on each of their pairs" in pairs.get_title()
    cells = np.ma.filled(pairs.images[0].get_array(), 0.0)
    assert cells.sum() == pytest.approx(found.total, abs=1e-8)
    names = " ".join(label.get_text() for label in orders.get_yticklabels())
    assert number_sign(found.split["order"]["2-body"]) in names


def test_frames_that_were_looked_at_make_a_time_line(explorer):
    explorer.state.answers(explorer.question)
    explorer.frame = 1
    lines = panels(explorer)[3]
    assert "3 frames" in lines.get_title()
    total = next(line for line in lines.lines if line.get_label() == "sum")
    expected = [explorer.state.answer(explorer.question, f).total for f in range(3)]
    assert np.allclose(total.get_ydata(), expected)
    explorer.frame = 0


def test_what_is_listed_beside_the_molecule_adds_up_and_the_gauge_is_named(explorer):
    figure = draw_answer(explorer.state, Question(atom=8), 0)
    found = explorer.state.answer(Question(atom=8), 0)
    plt.close(figure)
    words = [text.get_text() for text in figure.axes[0].texts if text.get_text()[:1] in ("━", "╍")]
    assert len(words) == 5 and "all others" in words[-1]
    values = [float(line.rsplit(" ", 1)[1].replace("−", "-")) for line in words]
    assert sum(values) == pytest.approx(found.total, abs=0.03)
    assert "gauge internal: absent means that the coordinate does not move" in (
        figure.get_suptitle()
    )
    assert figure.get_suptitle().startswith(found.headline)
