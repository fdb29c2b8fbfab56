"""The map of all frames: which coordinates it offers, and whose values they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.views.explorer.frame_map import frame_map
from interpmd.views.explorer.state import State


def asymmetry(atoms):
    """How much nearer the proton is to O4 than to O0, in Å."""
    return atoms.get_distance(0, 8) - atoms.get_distance(4, 8)


@pytest.fixture(scope="module")
def run():
    return im.simulate(
        im.load("malonaldehyde"), MALONALDEHYDE, steps=120, interval=10, seed=2, progress=False
    )


@pytest.fixture(scope="module")
def found(run):
    return frame_map(State(im.load("malonaldehyde"), run))


def test_what_a_molecule_offers(found, run):
    table = found.to_frame()
    assert list(table)[:2] == ["O0–H8", "O4–H8"] == [found.x, found.y]
    assert table["O0–H8"].tolist() == [atoms.get_distance(0, 8) for atoms in run]
    energies = run.potential_energies
    assert table["energy"].tolist() == pytest.approx((energies - energies.min()).tolist())
    assert found.colour == "energy" and table["time"].tolist() == run.times.tolist()
    dihedrals = [name for name, unit in found.units.items() if unit == "°"]
    assert len(dihedrals) == 3 and "slow motion 2" in table
    for name in dihedrals:
        chain = [int(part.lstrip("OCH")) for part in name.split("–")]
        angles = [(a.get_dihedral(*chain) + 180) % 360 - 180 for a in run]
        assert table[name].tolist() == pytest.approx(angles)


def test_what_a_user_names_comes_first(run):
    potential = im.load("malonaldehyde")
    explorer = im.ForceExplorer(
        potential,
        run,
        atom=8,
        coordinates={
            "donor": (4, 8),
            "asymmetry": lambda a: a.get_distance(0, 8) - a.get_distance(4, 8),
        },
    )
    found = explorer.frame_map
    assert (found.x, found.y) == ("donor", "asymmetry")
    assert found.values["asymmetry"] == pytest.approx([asymmetry(atoms) for atoms in run])
    one = frame_map(State(potential, run), {"O–O": (0, 4)})
    assert (one.x, one.y) == ("O–O", "O0–H8")
    with pytest.raises(im.ArgumentError, match="one number for each frame: of 13, not 3"):
        im.ForceExplorer(potential, run, coordinates={"wrong": np.ones(3)})


def test_the_browser_gets_the_same_numbers(found):
    some = json.loads(json.dumps(found.to_json([0, 5])))
    axes = {axis["name"]: axis for axis in some["axes"]}
    assert axes["O0–H8"]["values"] == pytest.approx(found.values["O0–H8"][[0, 5]], rel=1e-5)
    assert (some["x"], some["colour"]) == (found.x, "energy")


def test_a_page_holds_the_map(run, tmp_path):
    explorer = im.ForceExplorer(im.load("malonaldehyde"), run[:4], atom=8)
    text = explorer.export_html(tmp_path / "page.html").read_text()
    assert '"map": {"axes": [{"name": "O0\\u2013H8"' in text


def test_frames_without_cheap_energies_have_none():
    frames = [MALONALDEHYDE.copy() for _ in range(3)]
    found = frame_map(State(LennardJones(), frames))
    assert "energy" not in found.values and found.colour == "frame"
