"""The explorer in every gauge: what is absent is chosen by the system, named, and never jumps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk, molecule

import interpmd as im
from interpmd.attribution.over_time.drivers import Drivers
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import FramesError, MethodError, QuestionError
from interpmd.potentials import StillingerWeber
from interpmd.structures.fragments import fragments_of
from interpmd.views.explorer.headline import of_changes
from interpmd.views.explorer.questions import Question
from interpmd.views.explorer.scene import scene_of
from interpmd.views.explorer.state import State


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def frames():
    """The proton on its way from one oxygen to the other."""
    made = []
    for seed, step in enumerate(np.linspace(0.0, 1.0, 5)):
        atoms = MALONALDEHYDE.copy()
        atoms.rattle(0.03, seed=seed)
        way = atoms.positions[0] - atoms.positions[4]
        length = np.linalg.norm(way)
        atoms.positions[8] = atoms.positions[4] + way / length * (1.0 + step * (length - 2.0))
        made.append(atoms)
    return made


@pytest.fixture(scope="module")
def state(potential, frames):
    return State(potential, frames)


@pytest.fixture(scope="module")
def still(potential):
    """Frames between which no bond changes."""
    made = []
    for seed in range(4):
        made.append(MALONALDEHYDE.copy())
        made[-1].rattle(0.03, seed=seed)
    return State(potential, made)


def waters(count: int = 2):
    cluster = molecule("H2O")
    for number in range(1, count):
        other = molecule("H2O")
        other.translate((0.3 * number, 0.1, 2.9 * number))
        cluster += other
    return cluster


def test_the_gauge_is_that_of_explain_and_named(state, potential, frames):
    for question, target in ((Question(atom=8), im.Force(8)), (Question("energy"), im.Energy())):
        found, wanted = state.answer(question, 1), im.explain(potential, frames[1], target)
        assert (found.gauge, found.method) == (wanted.gauge, wanted.method)
        assert found.total == pytest.approx(found.predicted, abs=1e-8)
    assert state.answer(Question(atom=8), 0).absent == "the coordinate does not move"
    silicon = bulk("Si", cubic=True)
    solid = State(im.Potential([StillingerWeber(elements=["Si"])]), silicon)
    assert solid.answer(Question(atom=1), 0).gauge == "atoms"


def test_a_question_settles_method_and_order_by_its_gauge(state):
    settled = state.settled(Question(atom=8))
    assert (settled.gauge, settled.method, settled.order) == ("internal", "tensions", "auto")
    assert state.settled(settled) == settled
    atoms = state.settled(Question(atom=8, gauge="atoms"))
    assert (atoms.method, atoms.order) == ("mobius", 3)
    assert state.settled(Question(atom=8, method="shapley")).gauge == "atoms"
    assert state.settled(Question(atom=8, method="tensions")).gauge == "internal"
    with pytest.raises(QuestionError, match="no gauge is called 'bonds'"):
        Question(gauge="bonds")


@pytest.mark.parametrize("gauge", ["internal", "atoms"])
def test_names_are_the_same_in_all_frames_though_the_proton_jumps(state, gauge):
    named: dict[str, set[str]] = {}
    for frame in range(len(state)):
        for bar in state.answer(Question(atom=8, gauge=gauge), frame).bars:
            named.setdefault(bar.key, set()).add(bar.label)
    assert all(len(labels) == 1 for labels in named.values())
    if gauge == "atoms":
        assert named["(4, 8)"] == {"O4–H8 shared proton"}


def test_coordinates_of_the_same_atoms_keep_their_bars():
    state, question = State(im.load("water"), waters()), Question(gauge="internal")
    found, explanation = state.answer(question, 0), state.explanation(question, 0)
    assert len(set(explanation.members)) < len(explanation)
    direction = explanation.predicted / np.linalg.norm(explanation.predicted)
    wanted = dict(zip(explanation.labels, explanation.values @ direction, strict=True))
    assert {bar.label for bar in found.bars} == {k for k, v in wanted.items() if abs(v) > 1e-12}
    for bar in found.bars:
        assert bar.value == pytest.approx(wanted[bar.label], abs=1e-12)


def test_lines_of_groups_run_through_their_centres(still):
    found, frames = still.answer(Question("energy"), 1), still.frames
    groups = still.explanation(Question("energy"), 1).fragments
    assert found.gauge == "groups"
    centres = [frames[1].positions[list(group)].mean(0) for group in groups]
    assert found.lines
    for line in found.lines:
        ends = frames[1].positions[list(line.atoms)] + np.reshape(line.offsets, (-1, 3))
        distances = np.linalg.norm(ends[:, None] - np.array(centres), axis=-1)
        assert distances.min(1).max() < 1e-3


def test_lines_of_coordinates_run_through_their_atoms(still):
    lines = still.answer(Question(atom=8), 1)
    bars = {lines.bars[line.bar].label: line.atoms for line in lines.lines}
    assert set(bars["bond O4–H8"]) == {4, 8}
    assert bars["angle C3–O4–H8"][1] == 4


def test_molecules_are_joined_at_their_centres():
    pair = waters()
    found = State(im.load("water"), pair).answer(Question(atom=0), 0)
    assert found.gauge == "molecules"
    assert found.total == pytest.approx(found.predicted, abs=1e-8)
    centres = [pair.positions[list(m)].mean(0) for m in fragments_of(pair, "molecules")]
    between = [line for line in found.lines if any(line.offsets)]
    assert len(between) == 1
    ends = pair.positions[list(between[0].atoms)] + np.reshape(between[0].offsets, (-1, 3))
    assert {tuple(np.round(e, 2)) for e in ends} == {tuple(np.round(c, 2)) for c in centres}


def test_only_what_the_structure_has_is_offered(still):
    scene = scene_of(still)
    assert [g["name"] for g in scene["gauges"]] == ["internal", "groups", "atoms"]
    assert scene["suited"]["force"] == "internal" and scene["suited"]["energy"] == "groups"
    assert next(m for m in scene["methods"] if m["name"] == "tensions")["gauges"] == ("internal",)


def test_the_headline_says_what_drives_the_changes(potential, frames):
    state = State(potential, frames)
    quick = state.answer(Question(atom=8), 0)
    assert quick.headline.startswith(f"largest: {quick.bars[0].label}, ")
    slow = state.answer(Question(atom=8), 0, error_bars=True)
    table = im.explain_trajectory(potential, frames, im.Force(8), progress=False)
    share, name = table.drivers().shares.iloc[0], table.drivers().shares.index[0]
    assert name == "shared proton O4–H8" and slow.headline.endswith(name)
    assert f"{100 * share:.0f} % of" in slow.headline
    one = State(potential, frames[0]).answer(Question(atom=8), 0, error_bars=True)
    assert one.headline == quick.headline


def test_a_driver_is_said_as_seen_from_the_atom():
    shares = pd.Series({"shared proton O4–H8": 0.8, "angle C3–O4–H8": 0.2})
    found = Drivers(shares, shares, shares, "force", "internal", 9)
    words = of_changes(found, "Force on H8 towards O0")
    assert words == "80 % of the changing force on H8 towards O0 comes from the shared proton O4–H8"
    bond = replace(found, shares=pd.Series({"bond O4–H8": 0.8, "angle C3–O4–H8": 0.2}))
    assert of_changes(bond, "Force on H8").endswith("comes from its bond to O4")
    assert of_changes(bond, "Force on C3").endswith("comes from the bond O4–H8")
    large = replace(found, shares=pd.Series({"angle C3–O4–H8": 1.3, "bond O4–H8": -0.3}))
    assert "130 % of its changes, others against it" in of_changes(large, "Force on H8")


def test_the_verdict_says_whether_the_data_determine_the_rows(still):
    internal = still.answer(Question(atom=8), 0, error_bars=True)
    assert internal.determined and "determined by the data" in internal.verdict
    atoms = still.answer(Question(atom=8, gauge="atoms"), 0, error_bars=True)
    assert atoms.determined is False and "NOT determined" in atoms.verdict
    assert atoms.badge == "EXACT"


def test_it_opens_where_the_force_is_largest(potential, frames):
    forces = np.stack([potential.predict(a).forces.numpy() for a in frames])
    sizes = np.linalg.norm(forces, axis=-1)
    state = State(potential, frames)
    assert state.opened(8)[0] == sizes[:, 8].argmax()
    ways = np.stack([a.positions[0] - a.positions[8] for a in frames])
    along = np.abs(np.einsum("fx,fx->f", forces[:, 8], ways) / np.linalg.norm(ways, axis=1))
    assert state.opened(8, 0)[0] == along.argmax()
    frame, atom = state.opened()
    assert sizes[frame, atom] == pytest.approx(sizes.max())


def test_differences_from_another_frame(state, potential, frames):
    found = state.answer(Question(atom=8, reference=0), 3)
    force = [potential.predict(frames[f]).forces[8].numpy() for f in (0, 3)]
    assert found.total == pytest.approx(np.linalg.norm(force[1] - force[0]), abs=1e-8)
    assert found.title == "Force on H8, less frame 0"
    assert state.answer(Question(atom=8, reference=3), 3).bars == ()
    with pytest.raises(FramesError, match="no frame 9"):
        state.answer(Question(reference=9), 0)


def test_a_gauge_that_is_ready_goes_by_its_name(potential, frames):
    groups = im.groups_of(frames[0])
    state = State(potential, frames, groups)
    found = state.explanation(Question(atom=8, gauge="groups"), 0)
    assert len(found.fragments) == len(groups)
    with pytest.raises(MethodError, match="shapley does not suit the gauge .internal."):
        state.answer(Question(atom=8, gauge="internal", method="shapley"), 0)


# --- the widget, without a browser ---------------------------------------------------------


def test_the_widget_opens_at_the_largest_force_and_takes_a_gauge(potential, frames):
    pytest.importorskip("nglview")
    state = State(potential, frames)
    explorer = im.ForceExplorer(potential, frames)
    assert (explorer.frame, explorer.atom) == state.opened()
    assert explorer.shown == 5 and explorer.answer.gauge == "internal"
    assert im.ForceExplorer(potential, frames, atom=8).frame == state.opened(8)[0]
    assert im.ForceExplorer(potential, frames, frame=2).frame == 2
    assert im.ForceExplorer(potential, frames, gauge="atoms").answer.gauge == "atoms"
    ready = im.ForceExplorer(potential, frames[:2], im.groups_of(frames[0]), atom=8)
    assert ready.gauge == "groups" and ready.answer.gauge == "groups"


def test_what_the_browser_asks_is_what_it_gets(potential, frames, monkeypatch):
    pytest.importorskip("nglview")
    explorer, sent = im.ForceExplorer(potential, frames, atom=8, frame=1), []
    monkeypatch.setattr(explorer, "send", lambda content, buffers=None: sent.append(content))
    asked = {
        "target": "force", "atom": 8, "grouping": "interaction", "gauge": None, "method": None,
        "order": "auto", "reference": 0,
    }  # fmt: skip
    explorer._heard(None, {"ask": "frame", "question": asked, "frame": 2, "key": "k"}, [])
    found = sent[-1]["content"]
    assert found["gauge"] == "internal" and found["title"] == "Force on H8, less frame 0"
    # what the kernel sends by itself must have the choices of the browser, which files it by them
    explorer._send_answer(explorer.question, 1, None, error_bars=True)
    assert sent[-1]["question"]["gauge"] is None and sent[-1]["question"]["order"] == "auto"
    assert "H8" in sent[-1]["content"]["headline"]
