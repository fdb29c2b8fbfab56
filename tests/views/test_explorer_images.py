"""The cell and its images in the explorer: drawn where they are, and named."""

from __future__ import annotations

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

import interpmd as im
from interpmd.potentials import StillingerWeber
from interpmd.structures.images import image_sign
from interpmd.views.explorer.picture import draw_answer
from interpmd.views.explorer.questions import Question
from interpmd.views.explorer.scene import scene_of
from interpmd.views.explorer.state import State

SIDE = 6.4
IMAGE = re.compile(r" \((?=\S*[+−])[+−0-9]+,[+−0-9]+,[+−0-9]+\)")


@pytest.fixture(scope="module")
def box():
    """Eight waters in a small box, some of them across its boundary."""
    rng, made = np.random.default_rng(1), Atoms(cell=[SIDE] * 3, pbc=True)
    for place in np.ndindex(2, 2, 2):
        water = molecule("H2O")
        water.rotate(float(rng.uniform(0, 360)), rng.normal(size=3))
        water.translate(0.5 * SIDE * np.array(place) + 0.2)
        made += water
    made.wrap()
    return made


@pytest.fixture(scope="module")
def water(box):
    return State(im.load("water"), box)


@pytest.fixture(scope="module")
def silicon():
    crystal = bulk("Si")
    crystal.rattle(0.05, seed=1)
    return State(im.Potential([StillingerWeber(elements=["Si"])]), crystal)


def ends(state, line):
    atoms = state.frames[0]
    return atoms.positions[list(line.atoms)] + np.reshape(line.offsets, (-1, 3))


def test_bonds_to_images_of_one_atom_are_bars_of_their_own(silicon):
    """The two atoms of the primitive cell have four bonds to each other."""
    found = silicon.answer(Question(atom=0), 0)
    bonds = [bar for bar in found.bars if bar.label.endswith("bond stretch")]
    assert len(bonds) == len({bar.label for bar in bonds}) == 4
    assert len({bar.key for bar in found.bars}) == len(found.bars)
    assert found.total == pytest.approx(found.predicted, abs=1e-8)
    wanted = im.explain(silicon.model.model, silicon.frames[0], im.Force(0)).to_frame()
    pairs = wanted[wanted.kind == "bond stretch"]
    assert len(pairs) == 4 and set(pairs.label) == {bar.label for bar in bonds}


@pytest.mark.parametrize("atom", [0, 1])
def test_lines_start_at_the_chosen_atom_and_reach_the_image_that_is_named(silicon, atom):
    found = silicon.answer(Question(atom=atom), 0)
    place = silicon.frames[0].positions[atom]
    for line in found.lines:
        label = found.bars[line.bar].label
        if not label.endswith("bond stretch"):
            continue
        reached = ends(silicon, line)
        assert np.linalg.norm(reached - place, axis=1).min() < 1e-3
        assert np.linalg.norm(reached[1] - reached[0]) < 2.7
        [*others] = [(a, image) for a, image in line.ghosts]
        for other, image in others:
            assert f"Si{other}{image_sign(image)}" in label
        assert ("(" in label) == bool(others)


def test_a_molecule_across_the_boundary_is_pushed_by_the_nearest_image(water, box):
    found = water.answer(Question(atom=0), 0)
    assert found.gauge == "molecules"
    pairs = [line for line in found.lines if found.bars[line.bar].label.count("···") == 1]
    assert any(line.ghosts for line in pairs)
    for line in pairs:
        a, b = ends(water, line)
        # half the diagonal of the box is the farthest that a nearest image can be
        assert np.linalg.norm(a - b) < 0.5 * np.sqrt(3) * SIDE + 0.2
        way = b - a
        assert np.abs(way).max() <= 0.5 * SIDE + 0.2


@pytest.mark.parametrize("gauge", ["internal", "atoms"])
def test_images_are_named_in_bars_headline_and_picture(water, gauge):
    question = Question(atom=0, gauge=gauge, order=2 if gauge == "atoms" else "auto")
    found = water.answer(question, 0)
    assert found.total == pytest.approx(found.predicted, abs=1e-8)
    named = {n: bar.label for n, bar in enumerate(found.bars) if IMAGE.search(bar.label)}
    assert named
    checked = 0
    for line in found.lines:
        if len(line.atoms) != 2 or line.bar not in named:
            continue
        for atom, image in line.ghosts:
            of = [n for n in (f"O{atom}", f"H{atom}", f"H2O({atom})") if n in named[line.bar]]
            if atom in line.atoms and of:
                assert f"{of[0]}{image_sign(image)}" in named[line.bar]
                checked += 1
        assert 0 not in {atom for atom, _ in line.ghosts} or "O0 (" in named[line.bar]
    assert checked
    lead = max(found.bars, key=lambda bar: abs(bar.value))
    assert lead.label in found.now


def test_the_browser_is_told_the_cell(water):
    scene = scene_of(water)
    [edges], [vectors] = scene["cells"], scene["cellVectors"]
    assert np.reshape(edges, (-1, 2, 3)).shape[0] == 12 and scene["cellOf"] == [0]
    assert np.linalg.norm(np.diff(np.reshape(edges, (-1, 2, 3)), axis=1), axis=-1) == (
        pytest.approx(SIDE)
    )
    assert np.reshape(vectors, (3, 3)) == pytest.approx(SIDE * np.eye(3))
    alone = scene_of(State(im.load("water"), molecule("H2O")))
    assert alone["cells"] == [[]]


def test_the_picture_on_paper_names_images_too(silicon):
    figure = draw_answer(silicon, Question(atom=0), 0)
    plt.close(figure)
    words = [text.get_text() for text in figure.axes[0].texts]
    listed = silicon.answer(Question(atom=0), 0).lines[:4]
    ghosts = {g for line in listed for g in line.ghosts}
    assert ghosts
    for atom, image in ghosts:
        assert f"Si{atom}{image_sign(image)}" in words
