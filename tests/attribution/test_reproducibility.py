"""Rows of two fits to halves of the data: alike where the data determine them, told where not."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from structures_of_tests import water_hexamer

import interpmd as im
from interpmd.attribution.certificate import Certificate
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import ArgumentError
from interpmd.fitting import labels
from interpmd.trust.reproducibility import halves

DATA = Path(__file__).parents[2] / "data"
SHIPPED = im.load("malonaldehyde")
SPEC = {
    "channels": (16, 24, 16),
    "lmax": (0, 3, 2),
    "basis": 6,
    "weights": 2500,
    "terms": {"repulsion": {}},
}


@pytest.fixture(scope="module")
def data():
    frames = im.read_frames(DATA / "malonaldehyde" / "train.extxyz.gz")
    rng = np.random.default_rng(0)
    molecules = [a for a in frames if len(a) == 9]
    chosen = [molecules[k] for k in rng.permutation(len(molecules))[:160]]
    return [*chosen, *(a for a in frames if labels.is_isolated(a))]


def other(potential, size=1.0):
    """The potential with one draw of its posterior in the place of the mean."""
    drawn = copy.deepcopy(potential)
    term = drawn.terms["expansion"]
    term.readout.add_(size * term.samples[..., 5].double())
    return drawn


def test_halves_are_disjoint_and_even(data):
    first, second = halves(data, seed=1)
    isolated = [a for a in data if labels.is_isolated(a)]
    shared = {id(a) for a in first} & {id(a) for a in second}
    assert shared == {id(a) for a in isolated} and isolated
    assert {id(a) for a in first} | {id(a) for a in second} == {id(a) for a in data}
    assert len(first) == len(second) == 80 + len(isolated)
    again = halves(data, seed=1)
    assert [id(a) for a in again[0]] == [id(a) for a in first]
    assert [id(a) for a in halves(data, seed=2)[0]] != [id(a) for a in first]
    mixed = [water_hexamer()[:3], water_hexamer()[:3], water_hexamer()[:6], water_hexamer()[:6]]
    for part in halves(mixed):
        assert sorted(map(len, part)) == [3, 6]  # of each composition
    with pytest.raises(ArgumentError, match="no halves"):
        halves([MALONALDEHYDE])


def test_a_model_agrees_with_itself_and_less_with_a_draw():
    atoms = MALONALDEHYDE.copy()
    atoms.rattle(0.03, seed=1)
    same = im.reproducibility(SHIPPED, SHIPPED, [atoms], progress=False)
    assert same.gauge == "internal" and same.frames == 1 and same.unit == "eV/A"
    assert same.relative_difference == 0 and same.correlation == pytest.approx(1)
    near, far = (
        im.reproducibility(SHIPPED, other(SHIPPED, size), atoms, progress=False)
        for size in (1.0, 2.0)
    )
    assert 0 < near.relative_difference < 0.05
    assert far.relative_difference == pytest.approx(2 * near.relative_difference, rel=0.1)


def test_figures_are_those_of_the_rows():
    atoms = MALONALDEHYDE.copy()
    atoms.rattle(0.03, seed=1)
    drawn = other(SHIPPED)
    for target, gauge in ((im.Force(8), "internal"), (im.Energy(), "groups")):
        found = im.reproducibility(SHIPPED, drawn, atoms, target, gauge, progress=False)
        pair = [im.explain(p, atoms, target, gauge=gauge) for p in (SHIPPED, drawn)]
        if gauge == "groups":
            pair = [e[e.orders > 1] for e in pair]
        first, second = (e.values[np.abs(pair[0].values) > 0] for e in pair)
        size = np.sqrt((np.sum(first**2) + np.sum(second**2)) / 2)
        assert found.relative_difference == pytest.approx(np.linalg.norm(first - second) / size)
        assert found.correlation == pytest.approx(np.corrcoef(first, second)[0, 1])
        assert found.gauge == gauge and found.unit == target.unit


def test_two_fits_agree_on_tensions_more_than_on_rows_of_atoms(data):
    options = {"spec": SPEC, "progress": False, "energy_weight": 20.0}
    first, second = (im.fit(half, **options).potential for half in halves(data))
    frames = [a for a in data if len(a) == 9][:4]
    targets = [im.Force(k) for k in (0, 3, 8)]
    tensions, atoms = (
        im.reproducibility(first, second, frames, targets, gauge, progress=False)
        for gauge in ("internal", "atoms")
    )
    assert tensions.target_difference == pytest.approx(atoms.target_difference, rel=1e-6)
    assert 0 < tensions.target_difference < 0.4
    assert tensions.relative_difference < 1.2 * tensions.target_difference
    assert tensions.correlation > 0.95
    assert atoms.relative_difference > 2 * tensions.relative_difference
    by_call = im.reproduce(data, frames, targets, "internal", **options)
    assert by_call.relative_difference == pytest.approx(tensions.relative_difference, rel=1e-6)
    assert "gauge internal, 4 frames" in repr(by_call)
    assert f"r = {by_call.correlation:.3f}" in repr(by_call)
    ax = by_call.plot()
    assert np.array_equal(ax.lines[-1].get_xdata(), by_call.first)
    assert np.array_equal(ax.lines[-1].get_ydata(), by_call.second)


def test_checks_stand_in_the_certificates_of_their_gauge(tmp_path):
    atoms = MALONALDEHYDE.copy()
    atoms.rattle(0.03, seed=1)
    potential = im.load("malonaldehyde")
    stored = potential.card.certificate  # of the shipped one, which has such lines of its own
    stored[:] = [check for check in stored if check["group"] != "reproducibility"]
    for gauge, size in (("internal", 1.0), ("atoms", 40.0)):
        found = im.reproducibility(
            SHIPPED, other(SHIPPED, size), atoms, im.Force(8), gauge, progress=False
        )
        potential.card.certificate.extend(Certificate(found.checks()).to_json())
    potential.save(tmp_path / "known")
    known = im.load(tmp_path / "known")
    tensions = im.explain(known, atoms, im.Force(8)).certificate()
    assert tensions.group("reproducibility") and tensions.determined is True
    assert tensions["relative difference"] < 0.05 and tensions["correlation"] > 0.99
    rows = im.explain(known, atoms, im.Force(8), gauge="atoms").certificate()
    assert rows["relative difference"] > 0.5 and rows.determined is False
    groups = im.explain(known, atoms, im.Force(8), gauge="groups").certificate()
    assert not groups.group("reproducibility")


def test_nothing_to_compare_is_said():
    with pytest.raises(ArgumentError, match="none are given"):
        im.reproducibility(SHIPPED, SHIPPED, [])
