"""The explorer without a browser: questions, answers, files."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import FramesError, QuestionError, TargetError
from interpmd.potentials import StillingerWeber
from interpmd.units import DISPLAY
from interpmd.views.explorer import browser
from interpmd.views.explorer.bars import MOST
from interpmd.views.explorer.choices import dihedrals, fragment_around
from interpmd.views.explorer.questions import GROUPINGS, TARGETS, Question
from interpmd.views.explorer.scene import scene_of
from interpmd.views.explorer.state import State


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


@pytest.fixture(scope="module")
def frames():
    made = []
    for seed in range(3):
        atoms = MALONALDEHYDE.copy()
        atoms.rattle(0.05, seed=seed)
        made.append(atoms)
    return made


@pytest.fixture(scope="module")
def state(potential, frames):
    return State(potential, frames)


@given(
    target=st.sampled_from(list(TARGETS)),
    grouping=st.sampled_from(list(GROUPINGS)),
    atom=st.integers(0, 8),
    frame=st.integers(0, 2),
    method=st.sampled_from(["mobius", "shapley"]),
)
@settings(max_examples=40)
def test_bars_add_up_to_what_the_model_says(state, target, grouping, atom, frame, method):
    question = Question(target, atom, grouping=grouping, method=method, order=2)
    found = state.answer(question, frame)
    assert found.total == pytest.approx(found.predicted, abs=1e-8)
    assert sum(bar.value for bar in found.bars) == pytest.approx(found.total, abs=1e-12)
    assert found.badge == "EXACT"
    assert len({bar.key for bar in found.bars}) == len(found.bars)
    assert all(0 <= line.bar < len(found.bars) for line in found.lines)
    values = [abs(bar.value) for bar in found.bars]
    assert values == sorted(values, reverse=True)


def test_answers_agree_with_explain(state, potential, frames):
    question = Question("along", 8, other=0, order=3)
    found = state.answer(question, 1)
    wanted = im.explain(potential, frames[1], im.Force(8, along=0), order=3)
    assert found.total == pytest.approx(wanted.total, abs=1e-10)
    by_label = {bar.label: bar.value for bar in found.bars}
    for label, value in wanted.scalars("label").items():
        assert by_label.get(label, 0.0) == pytest.approx(value, abs=1e-10)
    assert found.forces == pytest.approx(potential.predict(frames[1]).forces.numpy().ravel())


def test_forces_of_vectors_count_along_the_force(state):
    found = state.answer(Question("force", 8), 0)
    force = np.reshape(found.forces, (-1, 3))[8]
    assert found.total == pytest.approx(np.linalg.norm(force), abs=1e-8)
    assert np.sum([bar.vector for bar in found.bars], axis=0) == pytest.approx(force, abs=1e-8)


def test_a_fragment_is_pushed_by_others_only(state, potential, frames):
    assert fragment_around(frames[0], 8) == (4, 8) == fragment_around(frames[0], 4)
    found = state.answer(Question(target="fragment", atom=8, order=2), 1)
    assert found.title == "Force on O4–H8" and found.target_atoms == (4, 8)
    forces = potential.predict(frames[1]).forces[[4, 8]].sum(0).numpy()
    assert found.total == pytest.approx(np.linalg.norm(forces), abs=1e-9)
    rows = [line.atoms for line in found.lines]
    assert rows and all(len({4, 8} & set(atoms)) == 1 for atoms in rows)


def test_fragments_are_molecules_then_residues_then_groups():
    other = molecule("H2O")
    other.translate((0, 0, 3))
    pair = molecule("H2O") + other
    assert fragment_around(pair, 4) == (3, 4, 5)
    alcohol = molecule("CH3OH")
    assert fragment_around(alcohol, 0) == tuple(
        i for i in range(6) if i == 0 or (alcohol.numbers[i] == 1 and i != 3)
    )
    alcohol.set_array("residuenumbers", np.array([1, 2, 1, 2, 1, 1]))
    assert fragment_around(alcohol, 3) == (1, 3)
    assert fragment_around(molecule("H2"), 1) == (0, 1)


def test_isolated_atoms_stand_apart(state):
    found = state.answer(Question("energy", gauge="atoms"), 0)
    assert found.apart + found.total == pytest.approx(found.energy, abs=1e-8)
    assert sum(found.split["term"].values()) == pytest.approx(found.total, abs=1e-8)
    assert sum(found.split["order"].values()) == pytest.approx(found.total, abs=1e-8)


def test_one_table_serves_all_questions_about_a_frame(state, monkeypatch):
    state = State(state.model.model, state.frames)
    made = []

    def counted(potential, atoms, order=None, forces=True):
        made.append((order, forces))
        return decompose(potential, atoms, order, forces)

    monkeypatch.setattr("interpmd.attribution.models.decompose", counted)
    state.model.model._tables.clear()
    state.answer(Question("force", 8, gauge="atoms"), 0)
    state.answer(Question("force", 3, grouping="pair", gauge="atoms"), 0)
    state.answer(Question("energy", gauge="atoms"), 0)
    assert made == [(3, True)]
    made.clear()
    for method in ("shapley", "owen", "shapley_interaction"):
        state.answer(Question("energy", method=method, order=3), 1)
        state.answer(Question("force", 8, method=method, order=3), 1)
    assert made == [(None, True)]


def test_lines_pass_through_bonds_in_order(state):
    found = state.answer(Question("force", 8, gauge="atoms"), 0)
    angle = next(line for line in found.lines if set(line.atoms) == {3, 4, 8})
    assert angle.atoms[1] == 4


def test_lines_reach_into_neighbouring_cells():
    from interpmd.potentials.analytic.pairs import LennardJones

    potential = im.Potential({"pair": LennardJones(0.01, 3.4, cutoff=6.0)})
    atoms = Atoms("Ar2", [[0, 0, 0], [3.5, 0, 0]], cell=[7.2, 20, 20], pbc=[True, False, False])
    found = State(potential, atoms).answer(Question("force", 0), 0)
    far = [line for line in found.lines if any(line.offsets)]
    assert far and all(abs(x) in (0.0, 7.2) for line in far for x in line.offsets)


def test_lines_of_shared_triplets_join_atoms_that_are_near():
    potential = im.Potential([StillingerWeber(elements=["Si"])])
    silicon = bulk("Si", cubic=True)
    silicon.rattle(0.01, seed=2)
    found = State(potential, silicon).answer(Question("force", 3, grouping="pair"), 0)
    assert max(len(line.atoms) for line in found.lines) == 2
    lengths = []
    for line in found.lines:
        ends = silicon.positions[list(line.atoms)] + np.reshape(line.offsets, (-1, 3))
        lengths.append(np.linalg.norm(ends[1] - ends[0]))
    # six triplets around the atom, twelve at whose end it stands: 16 bonds and 18 pairs of ends
    assert sum(length < 2.7 for length in lengths) == 16
    assert sum(3.3 < length < 4.4 for length in lengths) == len(lengths) - 16 == 18


def test_what_belongs_to_one_atom_is_a_rest_only_where_something_is_left_over(state):
    left = state.answer(Question("force", 8, grouping="pair", order=2), 0)
    assert "rest at H8" in {bar.label for bar in left.bars if bar.key.startswith("rest ")}
    own = state.answer(Question("force", 8, grouping="pair", method="shapley"), 0)
    assert {bar.label for bar in own.bars} == {f"{s}{i}" for i, s in enumerate("OCCCOHHHH")}


def test_large_structures_keep_the_largest_bars(potential):
    many = molecule("H2O").repeat(1)
    many.set_cell([3.0, 3.0, 3.0])
    many = many.repeat((14, 1, 1))
    found = State(potential, many).answer(Question("energy", order=2), 0)
    assert len(found.lines) <= MOST and len(found.bars) <= MOST + 1
    assert found.total == pytest.approx(found.predicted, abs=1e-8)
    if len(found.bars) > MOST:
        assert found.bars[-1].key == "others"


def test_calculators_have_answers_too(frames):
    from ase.calculators.lj import LennardJones

    atoms = Atoms("Ar3", [[0, 0, 0], [1.1, 0, 0], [0, 1.2, 0.1]])
    found = State(LennardJones(), atoms).answer(Question("force", 0), 0)
    assert found.total == pytest.approx(found.predicted, abs=1e-8)


def test_stored_forces_are_used_only_if_they_are_the_models_own(potential, frames):
    right, wrong = frames[0].copy(), frames[0].copy()
    forces = potential.predict(right).forces.numpy()
    right.calc = SinglePointCalculator(right, energy=0.0, forces=forces)
    wrong.calc = SinglePointCalculator(wrong, energy=0.0, forces=forces + 0.1)
    assert State(potential, right).stored_forces()[0] == pytest.approx(forces)
    assert np.isnan(State(potential, wrong).stored_forces()).all()
    assert np.isnan(State(potential, frames).stored_forces()).all()


def test_dihedrals_are_about_bonds_that_can_turn():
    assert {(d[1], d[2]) for d in dihedrals(molecule("C2H6"))} == {(0, 1)}
    assert dihedrals(molecule("C6H6")) == []
    assert dihedrals(molecule("H2O")) == []


def test_wrong_questions_say_what_is_wrong(state, potential):
    with pytest.raises(QuestionError, match="no grouping"):
        Question(grouping="colour")
    with pytest.raises(QuestionError, match="no method"):
        Question(method="magic")
    with pytest.raises(TargetError, match="atoms are 0 to 8"):
        state.answer(Question(atom=9), 0)
    with pytest.raises(TargetError, match="no bond"):
        State(potential, molecule("H2O")).answer(Question("torque"), 0)
    with pytest.raises(FramesError, match="no frame"):
        State(potential, [])
    with pytest.raises(FramesError, match="frame 1 has other atoms"):
        State(potential, [molecule("H2O"), molecule("CH4")])


def test_answers_are_json(state):
    text = json.dumps(state.answer(Question("force", 8), 0).to_json())
    assert json.loads(text)["title"] == "Force on H8"
    json.dumps(scene_of(state), allow_nan=False)


def test_python_and_browser_convert_alike():
    [listed] = re.findall(r"const UNITS = \{(.*)\};", browser.read("numbers.js"))
    factors = dict(re.findall(r'"?([\w/]+)"?: ([\d.]+)', listed))
    assert {name: float(factor) for name, factor in factors.items()} == pytest.approx(DISPLAY)


# --- the widget, without a browser --------------------------------------------------------


@pytest.fixture(scope="module")
def explorer(potential, frames):
    pytest.importorskip("nglview")
    return im.ForceExplorer(potential, frames, atom=8, order=2, frame=0)


def test_choices_are_checked(explorer, potential, frames):
    import traitlets

    with pytest.raises(traitlets.TraitError):
        explorer.grouping = "colour"
    for number in (3, 99, -1, 1.5, "1"):
        with pytest.raises(im.ArgumentError, match="frame"):
            explorer.frame = number
    with pytest.raises(im.ArgumentError, match="frame=3: frames are 0 to 2"):
        explorer.frame = 3
    for control in ("atom", "other"):
        with pytest.raises(im.TargetError, match="atoms 0 to 8"):
            setattr(explorer, control, 99)
        with pytest.raises(im.TargetError, match="atom 8 is H"):
            setattr(explorer, control, "C8")
    assert (explorer.frame, explorer.atom, explorer.other) == (0, 8, None)
    explorer.frame, explorer.atom, explorer.reference = np.int64(1), "O0", np.int64(2)
    assert (explorer.frame, explorer.atom, explorer.reference) == (1, 0, 2)
    assert type(explorer.frame) is type(explorer.reference) is int
    explorer.frame, explorer.atom, explorer.reference = 0, np.int64(8), None
    with pytest.raises(im.ArgumentError, match="frame=99: frames are 0 to 2"):
        im.ForceExplorer(potential, frames, frame=99)
    with pytest.raises(im.ArgumentError, match="frame is a whole number, 0 or more, not -1"):
        im.ForceExplorer(potential, frames, frame=-1)
    with pytest.raises(TypeError, match="has no option colour"):
        im.ForceExplorer(potential, frames, colour=1)
    with pytest.raises(TargetError):
        im.ForceExplorer(potential, frames, atom=44)


def test_a_saved_notebook_shows_a_picture(explorer):
    data, _ = explorer._repr_mimebundle_()
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.size[0] > 600
    assert np.asarray(picture.convert("L")).std() > 20
    assert "Force on H8" in data["text/plain"] and "EXACT" in data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_front_ends_agree(explorer):
    from interpmd.views.nglview_adapter import installed_front_end

    assert not explorer.scene["trouble"]
    assert explorer.view._view_module_version == installed_front_end()


def test_messages_of_the_browser_are_answered(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(explorer, "send", lambda content, buffers=None: sent.append(content))
    question = {"target": "force", "atom": 4, "grouping": "kind", "method": "mobius", "order": 2}
    explorer._heard(None, {"ask": "frame", "question": question, "frame": 1, "key": "k"}, [])
    assert sent[-1]["answer"] == "frame" and sent[-1]["key"] == "k"
    assert sent[-1]["content"]["title"] == "Force on O4"
    explorer._heard(
        None, {"ask": "frame", "question": {**question, "atom": 77}, "frame": 0, "key": "k"}, []
    )
    assert sent[-1]["answer"] == "error" and "no atom 77" in sent[-1]["words"]
    explorer._heard(None, {"ask": "frame", "question": {**question, "method": "x"}}, [])
    assert sent[-1]["answer"] == "error"


@pytest.mark.parametrize("kind", ["png", "svg", "csv", "gif", "html"])
def test_files(explorer, tmp_path, kind):
    path = explorer.save(tmp_path / f"view.{kind}")
    if kind in ("png", "gif"):
        assert getattr(Image.open(path), "n_frames", 1) == (3 if kind == "gif" else 1)
    elif kind == "html":
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(src|href)=[\"']https?:", text)
        assert "Force on H8" in text
    else:
        assert "H8" in path.read_text(encoding="utf-8") or kind == "svg"


def test_unknown_kinds_of_files(explorer, tmp_path):
    with pytest.raises(ValueError, match="save to"):
        explorer.save(tmp_path / "view.docx")


def test_table_adds_up(explorer):
    table = explorer.to_frame()
    one = table[table["frame"] == explorer.frame]
    assert one["value_eV/A"].sum() == pytest.approx(explorer.answer.total, abs=1e-9)


def test_without_nglview_the_explorer_says_so(potential, frames, monkeypatch):
    from interpmd.views import nglview_adapter

    monkeypatch.setattr(nglview_adapter, "installed_front_end", lambda: None)
    made = im.ForceExplorer(potential, frames, atom=8, order=2)
    assert made.view is None
    assert "browser part" in made.scene["trouble"]


def test_error_bars_of_forces_come_when_they_are_asked_for(potential, frames):
    state, question = State(potential, frames), Question("force", 8, order=3)
    quick = state.answer(question, 0)
    assert quick.total_std is None
    assert all(bar.std is None for bar in quick.bars)
    slow = state.answer(question, 0, error_bars=True)
    assert [bar.value for bar in slow.bars] == [bar.value for bar in quick.bars]
    full = im.explain(potential, frames[0], im.Force(8), order=question.order)
    direction = full.predicted / np.linalg.norm(full.predicted)
    expected = np.einsum("csn,s->cn", full.samples, direction)
    assert slow.total_std == pytest.approx(np.sqrt((expected.sum(0) ** 2).mean()))
    largest = np.abs(full.values @ direction).argmax()
    assert slow.bars[0].std == pytest.approx(np.sqrt((expected[largest] ** 2).mean()))
    assert state.answer(question, 0) is slow
    by_order = state.answer(Question("force", 8, grouping="order", order=3), 0, error_bars=True)
    for bar in by_order.bars:
        if bar.key.isdigit():
            mine = expected[full.orders == int(bar.key)].sum(0)
            assert bar.std == pytest.approx(np.sqrt((mine**2).mean()))
    energy = state.answer(Question("energy", gauge="atoms"), 0)
    assert energy.total_std > 0  # comes with the table
