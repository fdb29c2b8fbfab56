"""What is explained, in words: in titles, tables and sentences."""

from __future__ import annotations

import numpy as np
import pytest

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import TargetError


@pytest.mark.parametrize(
    ("target", "bare", "named"),
    [
        (im.Energy(), "energy", "energy"),
        (im.Force(8), "force on atom 8", "force on H8"),
        (im.Force(8, along=0), "force on atom 8 towards atom 0", "force on H8 towards O0"),
        (im.Force("H8", along="O0"), "force on atom 8 towards atom 0", "force on H8 towards O0"),
        (
            im.Force(8, along=[0, 0.5, 1]),
            "force on atom 8 along (0, 0.5, 1)",
            "force on H8 along (0, 0.5, 1)",
        ),
        (im.Force([0, 8]), "force on atoms 0, 8", "force on O0, H8"),
        (im.Torque([0, 1, 2, 3]), "torque about dihedral 0-1-2-3", "torque about O0–C1–C2–C3"),
        (im.Power([8]), "power on atom 8", "power on H8"),
        (im.Power(), "power on all atoms", "power on all atoms"),
    ],
)
def test_targets_name_atoms_by_symbol_where_the_structure_is_known(target, bare, named):
    assert str(target) == bare and target.named(MALONALDEHYDE) == named


def test_explanations_and_what_is_made_of_them_name_atoms(tmp_path):
    potential, proton = im.load("malonaldehyde"), im.Force(8, along=0)
    found = im.explain(potential, MALONALDEHYDE, proton)
    words = "force on H8 towards O0"
    assert repr(found).startswith(words) and f"<b>{words}</b>" in found._repr_html_()
    assert found.plot().get_title() == words
    by_atoms = im.explain(potential, MALONALDEHYDE, proton, gauge="atoms", order=2)
    curves = im.faithfulness(potential, by_atoms, points=3)
    assert words in repr(curves) and words in curves.plot()[0].get_ylabel()
    frames = [MALONALDEHYDE.copy() for _ in range(3)]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.02, seed=k)
    assert im.explain_trajectory(potential, frames, proton, progress=False).attrs["target"] == words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (im.Force(np.array([4, 8])), im.Force(["O4", "H8"])),
        (im.Force(8, along=np.array([0, 0, 1])), im.Force("H8", along=[0.0, 0.0, 1.0])),
        (im.Torque(np.arange(4), rotates=np.array([4])), im.Torque((0, 1, 2, 3), rotates=[4])),
        (im.Power(np.array([8])), im.Power(["H8"])),
    ],
)
def test_a_question_is_the_same_as_list_array_and_names(one, other, tmp_path):
    assert one == other and hash(one) == hash(other) and repr(one) == repr(other)
    potential = im.load("malonaldehyde")
    trajectory = im.simulate(potential, MALONALDEHYDE, steps=2, interval=1, progress=False)
    about = {"by": "kind", "out": tmp_path / "frames.jsonl", "progress": False}
    first = im.explain_trajectory(potential, trajectory, one, **about)
    again = im.explain_trajectory(potential, trajectory, other, **about)  # goes on from the file
    np.testing.assert_array_equal(first.value, again.value)


@pytest.mark.parametrize("target", [im.Force([4, 8, 8], along=0), im.Force(["H8", 8])])
def test_an_atom_that_is_named_again_is_refused(target):
    with pytest.raises(TargetError, match="H8 is named 2 times"):
        im.explain(im.load("malonaldehyde"), MALONALDEHYDE, target)


def test_no_kinetic_energy_is_counted_twice():
    potential = im.load("malonaldehyde")
    trajectory = im.simulate(potential, MALONALDEHYDE, steps=4, interval=1, progress=False)
    with pytest.raises(TargetError, match="H8 is named 2 times"):
        im.ledger(potential, trajectory, atoms=[8, 8], progress=False)


@pytest.mark.parametrize("along", [8, "H8", [1, 0], [0, 0, 0], [1, float("nan"), 0], [[1], 2, 3]])
def test_what_is_no_direction_is_told_what_is_one(along):
    with pytest.raises(TargetError, match="another atom.* vector"):
        im.explain(im.load("malonaldehyde"), MALONALDEHYDE, im.Force(8, along=along))
