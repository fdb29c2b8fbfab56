"""The inspector's curves and maps are rows of the table, and say where there were data."""

from __future__ import annotations

import base64

import matplotlib.pyplot as plt
import numpy as np
import pytest
from ase import Atoms

import interpmd as im
from interpmd.decomposition import pair_curve, triplet_map
from interpmd.decomposition.assemble import decompose
from interpmd.errors import UnknownElementError
from interpmd.potentials import Potential, StillingerWeber
from interpmd.potentials.repulsion import ZBL
from interpmd.structures.seen import SeenDistances
from interpmd.views.inspector import PotentialInspector

SILICON = StillingerWeber(elements=["Si"])


@pytest.fixture(scope="module")
def water():
    return im.load("water")


def test_curves_are_the_formula():
    r = np.linspace(1.8, 3.7, 9)
    curve = pair_curve(Potential([SILICON]), "Si", "Si", r)
    dimers = [Atoms("Si2", [[0, 0, 0], [x, 0, 0]]) for x in r]
    known = [sum(SILICON.known_rows(a).values()) for a in dimers]
    assert np.allclose(curve.energy, known, atol=1e-12)
    assert np.ptp(known) > 1.0 and not curve.std.any()


def test_curves_and_bands_are_rows_of_the_table(water):
    r = np.array([0.8, 1.0, 1.5, 3.0])
    curve = pair_curve(water, "O", "H", r)
    for place, x in enumerate(r):
        table = decompose(water, Atoms("OH", [[0, 0, 0], [x, 0, 0]]))
        mine = table.order == 2
        assert curve.energy[place] == pytest.approx(table.energies[mine].sum(), abs=1e-9)
        joint = table.radical_scale * table.samples[mine].sum(0)  # a row, not the whole
        assert curve.std[place] == pytest.approx(np.sqrt((joint**2).mean()), rel=0.1)
    assert set(curve.terms) == {"repulsion", "expansion"}


def test_maps_are_rows_of_the_table(water):
    found = triplet_map(water, ("H", "O", "H"), distance=1.0, points=5)
    row, column = 3, 1
    a, angle = found.first[column], np.radians(found.second[row])
    places = [[0, 0, 0], [a, 0, 0], [np.cos(angle), np.sin(angle), 0]]
    table = decompose(water, Atoms("OH2", places))
    expected = table.energies[table.order == 3].sum()
    assert found.energy[row, column] == pytest.approx(expected, abs=1e-9)
    with pytest.raises(ValueError, match="give the angle"):
        triplet_map(water, ("H", "O", "H"))


def test_no_data_is_said():
    frames = [Atoms("Si2", [[0, 0, 0], [x, 0, 0]]) for x in (2.2, 2.21, 3.0)]
    curve = pair_curve(Potential([SILICON]), "Si", "Si", [2.0, 2.2, 2.6, 3.0], frames)
    assert curve.count.tolist() == [0, 2, 0, 1]
    assert curve.seen.tolist() == [False, True, False, True]
    assert curve.to_frame().in_data.tolist() == [0, 2, 0, 1]
    unknown = pair_curve(Potential([SILICON]), "Si", "Si", [2.0])
    assert unknown.count is None and unknown.seen.all()


def test_hatching_and_bars_stay_whole_in_other_limits(water):
    frames = [Atoms("Si2", [[0, 0, 0], [x, 0, 0]]) for x in 3 * [2.2] + [2.6]]
    curve = pair_curve(Potential([SILICON]), "Si", "Si", [2.0, 2.2, 2.4, 2.6, 3.0], frames)
    ax = curve.plot()
    ax.set_ylim(-50, 80)
    ax.figure.canvas.draw()
    hatched = [patch.get_window_extent(ax.figure.canvas.get_renderer()) for patch in ax.patches]
    panel = ax.get_window_extent()
    assert [box.height for box in hatched] == pytest.approx(3 * [panel.height])
    edges = [ax.transData.inverted().transform(box)[:, 0] for box in hatched]
    assert np.allclose(edges, [[2.0, 2.1], [2.3, 2.5], [2.8, 3.0]])
    bars = next(c for c in ax.collections if c.get_label().startswith("data"))
    assert "tallest bar: 3 pairs" in bars.get_label() and "square roots" in bars.get_label()
    heights = {round(y, 9) for _, y in bars.get_paths()[0].vertices}
    assert heights == {0, round(0.22 / 3**0.5, 9), 0.22}
    plt.close(ax.figure)


def test_a_term_that_is_all_of_a_pair_is_seen_upon_it(water):
    ax = pair_curve(water, "O", "H").plot()
    lines = {drawn.get_label(): drawn for drawn in ax.get_lines()}
    above, below = lines["expansion"], lines["pair energy"]
    assert above.get_zorder() > below.get_zorder()
    assert above.get_linewidth() < below.get_linewidth() / 2 and above.get_linestyle() != "-"
    plt.close(ax.figure)


def test_colours_of_maps_cover_their_values_and_are_white_at_zero(water):
    found = triplet_map(water, ("H", "O", "H"), distance=0.97)
    assert np.nanmin(found.energy) > -0.1 and np.nanmax(found.energy) > 2
    ax = found.plot()
    mesh, contours = ax.collections[0], ax.collections[1]
    assert mesh.norm.vmin == pytest.approx(min(0.0, np.nanmin(found.energy)))
    assert np.allclose(mesh.cmap(mesh.norm(0.0)), [0.97, 0.97, 0.97, 1], atol=0.02)
    # the same step of energy is the same step of colour as on a bar of both signs
    both = plt.get_cmap("PuOr_r")(0.5 + 0.25)
    assert np.allclose(mesh.cmap(mesh.norm(mesh.norm.vmax / 2)), both, atol=0.02)
    assert np.allclose(contours.levels % 0.5, 0) and len(contours.levels) >= 4
    plt.close(ax.figure)


def test_distances_are_counted_once():
    chain = Atoms("Si3", [[0, 0, 0], [2, 0, 0], [4, 0, 0]])
    seen = SeenDistances.of([chain], 5.0)
    assert seen.count(14, 14, np.array([2.0, 3.0, 4.0])).tolist() == [2, 0, 1]


def test_the_panel_follows_its_controls(water):
    panel = PotentialInspector(water)
    assert panel.seen is not None  # the shipped data lie beside the package
    before = [picture.value for picture in panel._pictures]
    panel.pair.value, panel.triplet.value = "O-O", "H-O-O"
    assert panel.curve.elements == "O-O" and panel.map.elements == "H-O-O"
    panel.over.value = "distance"
    assert panel.distance.layout.display is None and panel.angle.layout.display == "none"
    assert panel.map.by_angle and panel.distance.value == pytest.approx(1.32)
    after = [picture.value for picture in panel._pictures]
    assert all(old != new for old, new in zip(before, after, strict=True))
    data, _ = panel._repr_mimebundle_()
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"
    assert 'alt="pair energy of O-O by distance"' in panel._pictures[0].value


def test_questions_that_make_no_sense(water):
    with pytest.raises(UnknownElementError, match="'Fe'"):
        pair_curve(water, "Fe", "H")
    with pytest.raises(ValueError, match="ascend"):
        pair_curve(water, "O", "H", [2.0, 1.0])
    with pytest.raises(UnknownElementError, match="elements="):
        PotentialInspector(Potential([ZBL()]))


def test_it_opens_on_the_most_frequent_bond(water):
    assert im.PotentialInspector(water).curve.elements == "H-O"
    assert im.PotentialInspector(water).map.elements == "H-O-H"
    panel = im.PotentialInspector(im.load("malonaldehyde"))
    counts = panel.seen.bonds()
    # of the whole molecule: three C–H, two C–C, two C–O, one O–H
    assert next(iter(counts)) == (1, 6) and counts[1, 6] > counts[6, 6] > counts[1, 8]
    assert set(panel.curve.elements.split("-")) == {"C", "H"}
    assert panel.map.elements.split("-")[1] == "C"
    silicon = im.PotentialInspector(Potential([SILICON]))
    assert silicon.seen is None and silicon.curve.elements == "Si-Si"


def test_a_fit_knows_its_training_data(tmp_path):
    truth = Potential([SILICON])
    frames = [Atoms("Si2", [[0, 0, 0], [x, 0, 0]]) for x in np.linspace(2.1, 2.9, 12)]
    for atoms in frames:
        atoms.calc = truth.calculator()
        atoms.get_forces()
    spec = im.Spec(cutoff=4.0, channels=(10,), lmax=0, basis=6)
    options = {"isolated_energies": {"Si": 0.0}, "progress": False}
    im.fit(frames, spec=spec, out=tmp_path / "si", **options)
    panel = im.PotentialInspector(im.load(tmp_path / "si"))
    assert panel.seen is not None
    curve = pair_curve(panel.potential, "Si", "Si", [1.5, 2.2, 2.6, 3.5])
    assert curve.seen.tolist() == [False, True, True, False]
    assert "grey" in panel._note.value
    exact = SeenDistances.of(frames, 4.0)
    again = SeenDistances.from_json(exact.to_json(), 4.0)
    r = np.linspace(1.5, 3.8, 24)
    assert again.count(14, 14, r).sum() == pytest.approx(exact.count(14, 14, r).sum(), abs=3)
    assert len(again.between(14, 14)) == 12
