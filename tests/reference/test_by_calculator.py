"""Labels and geometries by any ASE calculator, as by the name of a level."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.errors import LevelMismatchError
from interpmd.reference.calculator import as_calculator


def test_labels_by_a_potential_and_resuming(tmp_path):
    potential = im.load("malonaldehyde")
    frames = im.sample(MALONALDEHYDE, "rattle", n=3, seed=0)
    out = tmp_path / "labels.extxyz"
    labelled = im.label(frames, potential.calculator(), out=out, progress=False)
    for atoms, frame in zip(labelled, frames, strict=True):
        found = potential.predict(frame)
        assert atoms.get_potential_energy() == pytest.approx(float(found.energy))
        assert np.allclose(atoms.get_forces(), found.forces.numpy())
    assert labelled[0].info["code"].startswith("interpmd ")
    again = im.label(frames, potential.calculator(), out=out, progress=False)
    assert again[2].get_potential_energy() == pytest.approx(labelled[2].get_potential_energy())
    with pytest.raises(LevelMismatchError):
        im.label(frames, "gfn2-xtb", out=out, progress=False)
    other = im.load("malonaldehyde")
    other.terms["expansion"].readout.mul_(1.5)
    with pytest.raises(LevelMismatchError):
        im.label(frames, other.calculator(), out=out, progress=False)


def test_stress_and_odd_electrons():
    copper = bulk("Cu", a=3.7)  # an odd number of electrons, which a force field does not mind
    [found] = im.label(copper, EMT(), progress=False)
    copper.calc = EMT()
    assert np.allclose(found.get_stress(), copper.get_stress())
    assert found.info["level"].startswith("emt")


def test_charges_reach_calculators():
    from tblite.ase import TBLite

    ion = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]], info={"charge": -1})
    [expected] = im.label(ion, "gfn2-xtb", progress=False)
    for calculator in (
        TBLite(method="GFN2-xTB", verbosity=0),
        TBLite(method="GFN2-xTB", verbosity=0, charge=-1),
        as_calculator("gfn2-xtb"),
    ):
        [found] = im.label(ion, calculator, progress=False)
        assert found.get_potential_energy() == pytest.approx(
            expected.get_potential_energy(), abs=1e-4
        )
    with pytest.warns(UserWarning, match="made with charge=1, and the structure has -1"):
        assert not im.label(ion, TBLite(method="GFN2-xTB", verbosity=0, charge=1), progress=False)


def test_sampling_of_a_charged_molecule():
    """Ammonium at 300 K stays together; as a radical of charge 0 it was another molecule."""
    from tblite.ase import TBLite

    corners = 0.6 * np.array([[0, 0, 0], [1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    ion = Atoms("NH4", corners, info={"charge": 1})
    levels = ("gfn2-xtb", TBLite(method="GFN2-xTB", verbosity=0, accuracy=0.1))
    few = {"n": 2, "seed": 1, "interval": 2, "equilibration": 5}
    ways = [im.sample(ion, "md", level, **few) for level in levels]
    for first, second in zip(*ways, strict=True):
        assert np.abs(first.positions - second.positions).max() < 1e-6
        assert first.info["charge"] == 1
    modes = im.sample(molecule("H2O"), "normal_modes", im.load("water").calculator(), n=2)
    assert len(modes) == 2
