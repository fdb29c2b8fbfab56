"""Closed-shell parts: which there are, which are proposed first, and what their labels do."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from frames_of_methanol import ISOLATED, SMALL, TRUTH, frames

import interpmd as im
from interpmd.attribution.gauges.groups import group_game, group_rows, part_molecules
from interpmd.attribution.models import as_model
from interpmd.structures.groups import groups_of
from interpmd.trust.closed_parts import DIMERS, closed_parts
from interpmd.trust.treatment import label_proposal

TRAIN = frames(60) + ISOLATED


@pytest.fixture(scope="module")
def report():
    return im.fit(TRAIN, spec=SMALL, ridge=1e-8, progress=False)


@pytest.fixture(scope="module")
def diagnosis(report):
    return im.doctor(report.potential, TRAIN, angles=[])


def waters(count):
    drops = [molecule("H2O") for _ in range(count)]
    for index, water in enumerate(drops):
        water.positions += [0, 0, 3.0 * index]
    return sum(drops, Atoms())


def formulas(parts):
    return Counter(part.get_chemical_formula() for part in parts)


def test_parts_of_a_molecule_are_those_of_the_gauge():
    """Methanol is CH3 and OH: methane and water, and H2, half of which is paid for a cap."""
    [methanol] = frames(1)
    found = closed_parts([methanol])
    assert formulas(found) == {"CH4": 1, "H2O": 1, "H2": 1}
    for mine, gauge in zip(
        found, part_molecules(group_game(groups_of(methanol)), methanol), strict=False
    ):
        assert (mine.numbers == gauge.numbers).all()
        assert mine.positions == pytest.approx(gauge.positions, abs=1e-12)
        assert mine.info == {"subset": "part", "multiplicity": 1}


def test_of_several_molecules_single_ones_and_neighbours():
    found = closed_parts([waters(5)])
    assert formulas(found) == {"H2O": 4, "H4O2": DIMERS}
    apart = sorted(a.get_distance(0, 3) for a in found if len(a) == 6)
    assert apart == pytest.approx([3, 3, 3, 3, 6, 6])  # no pair three molecules apart
    assert formulas(closed_parts([waters(2)])) == {"H2O": 2}  # the pair is the frame


def test_molecules_are_in_one_piece_and_free_of_the_cell():
    box = waters(2)
    box.set_cell([9, 9, 9])
    box.pbc = True
    box.positions += [0, 8.9, 0]
    box.wrap()
    found = closed_parts([box])
    assert formulas(found) == {"H2O": 2}
    for water in found:
        assert not water.pbc.any()
        assert water.get_distance(0, 1) == pytest.approx(0.969, abs=1e-3)


def test_charges_go_with_the_parts():
    """Acetate: methane, and formate with the charge."""
    anion = molecule("CH3COOH")
    oxygens = [a.index for a in anion if a.symbol == "O"]
    acidic = min(
        (a.index for a in anion if a.symbol == "H"),
        key=lambda k: anion.get_distances(k, oxygens).min(),
    )
    del anion[acidic]
    anion.info["charge"] = -1
    charges = {p.get_chemical_formula(): p.info.get("charge", 0) for p in closed_parts([anion])}
    assert charges == {"CH4": 0, "CHO2": -1, "H2": 0}


def test_what_cannot_be_cut_gives_nothing():
    radical = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])
    assert closed_parts([radical, Atoms("Ar", [[0, 0, 0]])]) == []


def test_worst_first_and_every_composition_in_turn(diagnosis):
    parts = [
        Atoms(name, np.zeros((len(Atoms(name)), 3)) + index)
        for index, name in enumerate(["H2O", "H2O", "H2", "CH4", "H2O", "CH4"])
    ]
    known = replace(diagnosis, parts=parts, grades=np.array([2.0, 7.0, 0.9, 3.0, 5.0, 1.5]))
    places = [int(a.positions[0, 0]) for a in known.proposal()]
    assert places == [1, 3, 4, 5, 0]  # H2, which is known, is not proposed
    assert [int(a.positions[0, 0]) for a in known.proposal(2)] == [1, 3]
    both = known.proposal(12, "all")
    assert [a.info.get("subset") for a in both[5:8]] == ["isolated"] * 3
    assert len(both) == 12
    assert {a.info["subset"] for a in known.proposal(12, "radicals")} == {"isolated", "dimer"}


def test_without_closed_parts_radicals_are_proposed(report):
    found = im.doctor(report.potential, angles=[]).proposal(20)
    assert {a.info["subset"] for a in found} == {"isolated", "dimer"}


def test_the_doctor_sees_that_parts_are_not_on_the_data(diagnosis):
    table = diagnosis.closed_parts()
    assert set(table.index) == {"CH4", "H2O", "H2"}
    assert table.parts["CH4"] == table.parts["H2O"] == 12
    assert table.largest_grade["CH4"] > 1
    assert "closed parts" in str(diagnosis)


def test_the_cure_puts_parts_on_the_data_and_rows_right(report, diagnosis):
    """Rows of groups against those of the truth itself, on frames that the fit has not seen."""
    cured = im.cure(report, TRAIN, TRUTH.calculator(), diagnosis=diagnosis, progress=False)
    game = group_game(groups_of(TRAIN[0]))
    unseen = frames(10, seed=5)
    true = group_rows(unseen, game, as_model(TRUTH).evaluate)
    errors, grades = [], []
    for potential in (report.potential, cured.potential):
        model = as_model(potential)
        rows = group_rows(unseen, game, model.evaluate)
        off = [a.energies - b.energies for a, b in zip(rows, true, strict=True)]
        errors.append(np.sqrt(np.mean(np.square(off))))
        parts = [part for atoms in unseen for part in part_molecules(game, atoms)]
        grades.append(np.median(model.posterior(parts).grades))
    assert errors[1] < 0.2 * errors[0]
    assert grades[1] < 1 < grades[0]
    known = replace(diagnosis, grades=np.zeros(len(diagnosis.parts)))
    with pytest.raises(im.InterpmdError, match="nothing to label"):
        im.cure(report, TRAIN, TRUTH.calculator(), diagnosis=known, progress=False)


def test_parts_are_labelled_once_and_with_their_charge(tmp_path):
    pytest.importorskip("tblite")
    hydroxide = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])
    hydroxide.info = {"subset": "part", "multiplicity": 1, "charge": -1}
    [found] = label_proposal([hydroxide], "gfn2-xtb", tmp_path / "labels.extxyz", progress=False)
    assert found.info["charge"] == -1
    [alone] = im.label([hydroxide], "gfn2-xtb", charge=-1, progress=False)
    assert found.get_potential_energy() == pytest.approx(alone.get_potential_energy(), abs=1e-6)


def test_unknown_parts_are_named(diagnosis):
    with pytest.raises(im.ArgumentError, match="parts are 'closed', 'radicals', 'all'"):
        diagnosis.proposal(parts="open")
