"""Potentials and force fields beside a reference: forces, conformers, a torsion profile."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

pytest.importorskip("rdkit", reason="force fields by RDKit")

import interpmd as im
from interpmd.errors import ArgumentError, CalculationError, LabelError, StructureError
from interpmd.levels.classical import KCAL
from interpmd.reference.calculator import ReferenceCalculator, as_calculator

#: C C O H of ethanol, whose OH turns.
DIHEDRAL = (0, 1, 2, 3)


def ethanol() -> Atoms:
    """C C O H in a row, then the other hydrogens."""
    atoms = molecule("CH3CH2OH")
    near = atoms.get_all_distances()[2]
    hydrogen = min((a for a in range(9) if atoms.numbers[a] == 1), key=lambda a: near[a])
    carbon = min((0, 1), key=lambda a: near[a])
    order = [1 - carbon, carbon, 2, hydrogen]
    return atoms[order + [a for a in range(9) if a not in order]]


class Shifted(ReferenceCalculator):
    """MMFF94 with another zero, and forces scaled as its energy is."""

    def calculate(self, atoms, properties=("energy",), system_changes=()):
        super().calculate(atoms, properties, system_changes)
        energy = 1.5 * self.results["energy"] + 7.0
        self.results = {"energy": energy, "forces": 1.5 * self.results["forces"]}


@pytest.fixture(scope="module")
def comparison():
    frames = [ethanol() for _ in range(4)]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.04, seed=seed)
    anti, gauche = ethanol(), ethanol()
    gauche.set_dihedral(*DIHEDRAL, 60, indices=[3])
    models = {"same": as_calculator("mmff94"), "half more": Shifted("mmff94")}
    return im.compare_force_fields(
        frames, models, as_calculator("mmff94"), minima=[anti, gauche], dihedral=DIHEDRAL, angles=6
    )


def test_the_reference_agrees_with_itself(comparison):
    errors = comparison.to_frame().loc["same"]
    assert errors.force_rmse_eV_A == pytest.approx(0.0, abs=1e-12)
    assert errors.conformers_mae_kcal < 0.01
    assert errors.torsion_mae_kcal < 0.01


def test_errors_are_those_of_a_model_that_exaggerates(comparison):
    errors = comparison.to_frame().loc["half more"]
    rms = np.sqrt((comparison.true_forces**2).mean())
    assert errors.force_rmse_eV_A == pytest.approx(0.5 * rms, rel=1e-9)
    true = comparison.profile[comparison.reference]
    assert errors.torsion_mae_kcal == pytest.approx(0.5 * true.abs().mean(), rel=0.02)
    assert comparison.profile["half more"].mean() == pytest.approx(0.0, abs=1e-9)  # its own zero


def test_a_model_has_one_mark_in_all_pictures(comparison):
    _, minima, along = comparison.plot()
    marks = {
        line.get_label(): line.get_marker() for line in minima.lines if line.get_marker() != ""
    }
    named = {line.get_label(): line.get_marker() for line in along.lines}
    models = list(comparison.to_frame().index)
    assert len({named[name] for name in models}) == len(models)
    assert all(marks[name] == named[name] for name in models)
    legend = along.get_legend().get_window_extent()
    for line in along.lines:  # no curve runs behind the words
        points = along.transData.transform(line.get_xydata())
        assert not legend.count_contains(points)


def test_profile_and_minima_are_the_molecules(comparison):
    assert comparison.formula == "C2H6O"
    angles = comparison.profile.index.to_numpy()
    assert len(angles) == 6
    assert np.allclose(np.diff(angles), 60.0)
    height = np.ptp(comparison.profile[comparison.reference])
    assert 0.8 < height < 2.5  # kcal/mol: hydroxyl barriers of ethanol are 1.2 and 0.9
    assert len(comparison.conformers) == 2
    assert {"uff"} <= set(comparison.to_frame().index)  # force fields join unasked


def test_energies_can_be_compared_at_the_geometries_of_the_reference():
    anti, gauche = ethanol(), ethanol()
    gauche.set_dihedral(*DIHEDRAL, 60, indices=[3])
    found = im.compare_force_fields(
        [anti, gauche], {"half more": Shifted("mmff94")}, as_calculator("mmff94"), relax=False
    )
    true, other = found.conformers.iloc[:, 0], found.conformers["half more"]
    assert np.allclose(other, 1.5 * true, atol=1e-9)
    assert len(found.conformers) == 2


def test_forces_of_another_model_in_the_frames_are_no_reference():
    """Frames of a run hold the forces of what moved them."""
    frames = [ethanol(), ethanol()]
    for seed, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=seed)
    moved = im.label(frames, "uff", progress=False)
    unnamed = [a.copy() for a in moved]
    for atoms, other in zip(unnamed, moved, strict=True):
        atoms.calc, atoms.info = other.calc, {}
    asked = {"minima": [ethanol()], "relax": False, "beside": ("uff",)}
    errors = [
        im.compare_force_fields(some, (), "mmff94", **asked).to_frame().force_rmse_eV_A["uff"]
        for some in (frames, moved, unnamed)
    ]
    assert errors[0] > 0.1 and errors[1:] == pytest.approx([errors[0]] * 2, abs=1e-12)
    assert "no dihedral" in found_words(im.compare_force_fields(moved, (), "mmff94", **asked))


def found_words(comparison) -> str:
    return " ".join(text.get_text() for ax in comparison.plot() for text in ax.texts)


def test_a_comparison_is_told_and_drawn(comparison):
    assert "half more" in repr(comparison)
    assert "<table" in comparison._repr_html_()
    bars, minima, along = comparison.plot()
    assert [label.get_text() for label in bars.get_yticklabels()] == [*comparison.to_frame().index]
    assert len(along.lines) == 1 + len(comparison.to_frame())
    assert minima.get_title() == "conformers"


def test_what_cannot_be_compared_is_said():
    frames = [ethanol()]
    with pytest.raises(ArgumentError, match="one molecule"):
        im.compare_force_fields([ethanol(), molecule("CH4")], (), as_calculator("uff"))
    with pytest.raises(ArgumentError, match="dihedral"):
        im.compare_force_fields(frames, (), as_calculator("uff"), profile=frames)
    with pytest.raises(LabelError, match="angle"):
        im.compare_force_fields(
            frames, (), as_calculator("uff"), dihedral=DIHEDRAL, profile=frames
        )  # fmt: skip
    with pytest.raises(ArgumentError, match="two models"):
        im.compare_force_fields(frames, ["uff", as_calculator("uff")], as_calculator("uff"))
    strange = molecule("BF3")
    with pytest.raises(CalculationError, match="parameters"):
        im.compare_force_fields(strange, "mmff94", as_calculator("uff"), minima=[strange])


@pytest.mark.parametrize(
    ("dihedral", "message"),
    [
        ((0, 1, 2), "four different"),
        ((0, 1, 2, 99), "four different"),
        ((1, 0, 2, 3), "not bonded"),
        ((2, 1, 0, 3), "two ends"),
    ],
)
def test_a_dihedral_that_does_not_turn_is_refused(dihedral, message):
    with pytest.raises(StructureError, match=message):
        im.torsion_profile(ethanol(), dihedral, as_calculator("uff"), angles=3)


def test_a_profile_holds_its_angle():
    frames = im.torsion_profile(ethanol(), DIHEDRAL, as_calculator("mmff94"), angles=[0, 60, -60])
    assert [atoms.info["angle"] for atoms in frames] == [0, 60, -60]
    for atoms in frames:
        away = (atoms.get_dihedral(*DIHEDRAL) - atoms.info["angle"] + 180) % 360 - 180
        assert abs(away) < 0.5
    energies = np.array([atoms.get_potential_energy() for atoms in frames]) / KCAL
    assert energies[0] == max(energies)  # eclipsed


def test_force_fields_beside_are_those_that_are_wanted():
    frames = im.sample(molecule("CH3OH"), "rattle", n=2, stdev=0.04, seed=1)
    given = {"reference": "mmff94", "relax": False}
    alone = im.compare_force_fields(frames, {"again": "mmff94"}, beside=(), **given)
    assert list(alone.forces) == ["again"]
    both = im.compare_force_fields(frames, {"again": "mmff94"}, beside=("uff",), **given)
    assert list(both.forces) == ["again", "uff"]
    assert np.abs(both.forces["again"]).max() < 1e-9 < np.abs(both.forces["uff"]).max()
    with pytest.raises(ArgumentError, match="beside"):
        im.compare_force_fields(frames, beside=("amber",), **given)
