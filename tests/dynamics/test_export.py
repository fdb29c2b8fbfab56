"""Trajectories for other programs, read again by them and by the gate."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import molecule
from ase.io import read

import interpmd as im
from interpmd.dynamics.into import simulate_into
from interpmd.potentials import Morse, Potential

SOFT = Potential([Morse(depth=0.5, width=1.0, distance=1.5, cutoff=6.0)])


@pytest.fixture(scope="module")
def run() -> im.Trajectory:
    """Two waters and a methanol in a skew cell."""
    atoms = molecule("H2O")
    for name, place in (("CH3OH", [4.0, 0, 0]), ("H2O", [0, 4.0, 0.5])):
        other = molecule(name)
        other.positions += place
        atoms += other
    atoms.set_cell([[12, 0, 0], [1, 11, 0], [0.5, 0.7, 10]])
    atoms.set_pbc(True)
    return im.simulate(SOFT, atoms, steps=30, interval=10, seed=1, progress=False)


@pytest.mark.parametrize("ending", ["dcd", "xtc", "trr"])
def test_positions_cells_times_and_topology_come_back(tmp_path, run, ending):
    path = tmp_path / f"run.{ending}"
    run.write(path)
    again = im.read_frames(path, topology=tmp_path / "run.pdb")
    accuracy = 0.006 if ending == "xtc" else 1e-5
    assert len(again) == len(run) == 4
    for a, b, time in zip(again, run, run.times, strict=True):
        assert str(a.symbols) == str(b.symbols)
        assert np.abs(a.get_all_distances(mic=True) - b.get_all_distances(mic=True)).max() < 0.02
        assert np.abs(a.cell.cellpar() - b.cell.cellpar()).max() < 1e-3
        assert np.abs(a.positions - b.positions).max() < accuracy
        assert a.info["time_fs"] == pytest.approx(time, abs=1e-3)
    assert again[0].arrays["residuenames"].tolist() == ["HOH"] * 3 + ["MOL"] * 6 + ["HOH"] * 3
    if ending == "trr":
        velocities = np.array([a.get_velocities() for a in again])
        expected = np.array([a.get_velocities() for a in run])
        assert np.abs(expected).max() > 1e-3
        assert np.abs(velocities - expected).max() < 1e-6


def test_mdtraj_and_mdanalysis_read_velocities_forces_and_bonds(tmp_path, run):
    import MDAnalysis
    import mdtraj

    run.write(tmp_path / "run.trr", topology=tmp_path / "top.pdb")
    loaded = mdtraj.load(str(tmp_path / "run.trr"), top=str(tmp_path / "top.pdb"))
    assert (loaded.n_frames, loaded.n_atoms, loaded.n_residues) == (4, 12, 3)
    assert np.abs(10 * loaded.xyz[-1] - run[-1].positions).max() < 1e-5
    assert loaded.topology.n_bonds == 9
    universe = MDAnalysis.Universe(str(tmp_path / "top.pdb"), str(tmp_path / "run.trr"))
    universe.trajectory[2]
    forces = universe.atoms.forces * units.kJ / units.mol
    assert np.abs(forces - run[2].get_forces()).max() < 1e-5
    assert np.abs(run[2].get_forces()).max() > 0.1
    assert len(universe.atoms.fragments) == 3


def test_text_has_velocities_and_nothing_is_overwritten(tmp_path, run):
    run.write(tmp_path / "run.extxyz")
    last = read(tmp_path / "run.extxyz", -1)
    assert np.abs(last.get_velocities() - run[-1].get_velocities()).max() < 1e-8
    assert last.get_potential_energy() == pytest.approx(run[-1].get_potential_energy(), abs=1e-7)
    (tmp_path / "run.pdb").write_text("mine")
    with pytest.raises(im.OutputError, match="run.pdb is there already"):
        run.write(tmp_path / "run.dcd")
    assert not (tmp_path / "run.dcd").exists()
    assert (tmp_path / "run.pdb").read_text() == "mine"
    with pytest.raises(im.ArgumentError, match="a topology is written as .pdb"):
        run.write(tmp_path / "other.dcd", topology=tmp_path / "top.gro")
    with pytest.raises(im.ArgumentError, match="structures are written as"):
        run.write(tmp_path / "run.lammpstrj")


def test_a_run_ends_in_the_format_of_its_name(tmp_path):
    out = tmp_path / "run.trr"
    whole = simulate_into(out, SOFT, molecule("C2H6"), steps=20, progress=False)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.pdb", "run.trr"]
    assert len(im.read_frames(out, topology=tmp_path / "run.pdb")) == len(whole) == 3
    with pytest.raises(im.OutputError, match="run.trr is there already"):
        simulate_into(out, SOFT, molecule("C2H6"), steps=20, progress=False)
