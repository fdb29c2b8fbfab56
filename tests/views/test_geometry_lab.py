"""The geometry lab shows what the potential says at exactly the geometry that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk, molecule

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import StructureError
from interpmd.units import number_sign
from interpmd.views.geometry import proposals


@pytest.fixture(scope="module")
def lab():
    return im.GeometryLab(im.load("malonaldehyde"), MALONALDEHYDE, indices=(2, 6))


def test_proposals_are_bonds_angles_and_dihedrals_that_can_be_set():
    found = proposals(molecule("CH3OH"))
    sizes = [len(c.atoms) for c in found.values()]
    assert sizes.count(2) == 5 and sizes.count(3) == 7 and sizes.count(4) == 1
    assert len(proposals(molecule("C6H6"))) == 18  # C-H bonds and C-C-H angles, no ring bond


def test_energies_are_those_of_the_potential_there(lab):
    lab.slider.value = 1.3
    assert lab.atoms.get_distance(2, 6) == pytest.approx(1.3)
    others = [i for i in range(9) if i != 6]
    assert np.allclose(lab.atoms.positions[others], MALONALDEHYDE.positions[others])
    expected = float(lab.potential.predict(lab.atoms).energy[0])
    assert lab.table.energy == pytest.approx(expected, abs=1e-8)
    middle = lab.coordinate.at(MALONALDEHYDE, lab.scan.values[7])
    assert lab.scan.energies[7] == pytest.approx(float(lab.potential.predict(middle).energy[0]))
    assert number_sign(expected - lab.scan.lowest) in lab._words.value


def test_it_says_when_it_is_lost(lab):
    lab.slider.value = 1.08
    assert "inside the training data" in lab._words.value
    near, picture = lab.scan.stds[np.abs(lab.scan.values - 1.08).argmin()], lab._pictures[0].value
    lab.slider.value = lab.slider.max
    assert "beyond the training data" in lab._words.value
    assert lab.scan.stds[-1] > 5 * near
    assert lab._pictures[0].value != picture


def test_another_coordinate(lab):
    name = next(n for n, c in lab._choices.items() if len(c.atoms) == 3)
    lab.coordinate_name.value = name
    assert lab.slider.value == pytest.approx(lab.coordinate.value(MALONALDEHYDE))
    assert 179 < lab.slider.max <= 180
    data, _ = lab._repr_mimebundle_()
    assert "image/png" in data and name in data["text/plain"]


def test_the_split_adds_up_to_the_change(lab):
    lab.coordinate_name.value = "C2–H6"
    lab.slider.value = 1.25
    split = lab.split()
    first, now = (float(lab.potential.predict(a).energy[0]) for a in (lab.start, lab.atoms))
    assert split.energy_eV.sum() == pytest.approx(now, abs=1e-8)
    assert split.change_eV.sum() == pytest.approx(now - first, abs=1e-8)
    assert abs(now - first) > 0.1 and split.change_eV[1] == 0
    assert number_sign(split.change_eV[2], ".3f") in lab._table.value
    lab.slider.value = lab.coordinate.value(lab.start)
    assert lab.split().change_std_eV.max() < 1e-9 < split.change_std_eV.max()


def test_a_mode_is_dragged(lab):
    name = next(n for n in lab._choices if n.startswith("vibration"))
    lab.coordinate_name.value = name
    assert lab.slider.value == 0 and lab.slider.max == 0.5
    lab.slider.value = 0.2
    moved = np.linalg.norm(lab.atoms.positions - lab.start.positions, axis=1)
    assert moved.max() == pytest.approx(0.2)
    assert name in lab._words.value and "Å" in lab._words.value


def test_what_cannot_be_moved():
    potential = im.load("malonaldehyde")
    with pytest.raises(StructureError, match="periodic"):
        im.GeometryLab(potential, bulk("C"))
    with pytest.raises(StructureError, match="no atoms are bonded"):
        im.GeometryLab(potential, MALONALDEHYDE[:1])


def test_it_shows_the_structure_that_it_was_given(lab):
    """The first value lies on the grid of the slider, where browsers put it."""
    chosen_of_size = {len(getattr(c, "atoms", ())): (n, c) for n, c in lab._choices.items()}
    assert set(chosen_of_size) == {0, 2, 3, 4}  # a vibration, bond, angle, dihedral
    for name, chosen in chosen_of_size.values():
        lab.coordinate_name.value = name
        slider = lab.slider
        steps = (slider.value - slider.min) / slider.step
        assert steps == pytest.approx(round(steps), abs=1e-6), name
        low, high = chosen.limits(MALONALDEHYDE)
        assert slider.min <= low + 1e-9 and slider.min > low - slider.step
        assert high - slider.step < slider.max <= high + 1e-9
        slider.value = round(slider.min + round(steps) * slider.step, 7)  # as a browser rounds
        assert np.array_equal(lab.atoms.positions, MALONALDEHYDE.positions), name
        slider.value += slider.step
        assert np.abs(lab.atoms.positions - MALONALDEHYDE.positions).max() > 1e-3
