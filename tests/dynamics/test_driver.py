"""i-PI asks a driver: it gets the energies and forces of the potential."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk, molecule
from ase.io import write

import interpmd as im
from interpmd.potentials import LennardJones, Potential

INPUT = """
<simulation verbosity="low">
  <output prefix="sim">
    <properties filename="out" stride="1">
      [step, potential{{electronvolt}}, conserved{{electronvolt}}, pressure_md{{bar}}]
    </properties>
    <trajectory filename="force" stride="1" format="xyz"> forces{{ev/ang}} </trajectory>
  </output>
  <total_steps>{steps}</total_steps>
  <prng><seed>1</seed></prng>
  <ffsocket name="driver" mode="unix" pbc="false"><address>{address}</address></ffsocket>
  <system>
    <initialize nbeads="{beads}">
      <file mode="ase">start.xyz</file>{cell}
      <velocities mode="thermal" units="kelvin">{temperature}</velocities>
    </initialize>
    <forces><force forcefield="driver"/></forces>
    <motion mode="dynamics">
      <dynamics mode="nve"><timestep units="femtosecond">0.25</timestep></dynamics>
    </motion>
    <ensemble><temperature units="kelvin">{temperature}</temperature></ensemble>
  </system>
</simulation>
"""


def answered(folder: Path, potential: str, atoms, **settings) -> np.ndarray:
    """Step, potential and conserved energy (eV) and pressure (bar) of a run of i-PI."""
    write(folder / "start.xyz", atoms, format="extxyz")
    address = f"interpmd-{folder.name}-{os.getpid()}"
    settings = {"beads": 1, "steps": 10, "temperature": 100, "cell": ""} | settings
    (folder / "input.xml").write_text(INPUT.format(address=address, **settings))
    program = Path(sys.executable).parent / "i-pi"
    place = Path(f"/tmp/ipi_{address}")
    with (folder / "said").open("w") as said:
        server = subprocess.Popen([program, "input.xml"], cwd=folder, stdout=said, stderr=said)
        try:
            command = ["drive", potential, "start.xyz", "--unix", address, "--wait", "300"]
            driver = subprocess.run(
                [sys.executable, "-m", "interpmd", *command],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=500,
            )
            server.wait(300)
        finally:
            server.kill()
            place.unlink(missing_ok=True)
    assert driver.returncode == 0, driver.stderr + (folder / "said").read_text()
    evaluated = int(driver.stdout.split()[0])
    assert evaluated >= settings["beads"] * (settings["steps"] + 1) - 1
    return np.loadtxt(folder / "sim.out")


def test_path_integrals_of_water_conserve_their_energy(tmp_path):
    cell = '<cell mode="abc" units="angstrom"> [30, 30, 30] </cell>'  # which i-PI wants
    rows = answered(tmp_path, "water", molecule("H2O"), beads=4, temperature=300, cell=cell)
    assert len(rows) == 11
    assert np.ptp(rows[:, 1]) > 0.03
    assert np.ptp(rows[:, 2]) < 0.02 * np.ptp(rows[:, 1])
    still = im.load("water").predict(molecule("H2O"))
    assert rows[0, 1] == pytest.approx(float(still.energy[0]), abs=2e-4)


def test_forces_and_pressure_of_a_crystal(tmp_path):
    argon = Potential([LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.0)])
    argon.save(tmp_path / "argon")
    atoms = bulk("Ar", cubic=True, a=5.1) * (2, 2, 2)
    atoms.rattle(0.1, seed=0)
    rows = answered(tmp_path, "argon", atoms, steps=1, temperature=1e-6)
    atoms.calc = argon.calculator()
    assert rows[0, 1] == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
    pressure = -atoms.get_stress()[:3].mean() / units.bar
    assert rows[0, 3] == pytest.approx(pressure, rel=1e-4)
    frame = (tmp_path / "sim.force_0.xyz").read_text().splitlines()[2 : 2 + len(atoms)]
    forces = np.array([line.split()[1:] for line in frame], float)
    assert np.abs(forces).max() > 0.1
    assert np.abs(forces - atoms.get_forces()).max() < 1e-5


def test_nobody_listens():
    with pytest.raises(im.SimulationError, match="nobody listens at /tmp/ipi_nobody .*start the"):
        im.drive(im.load("water"), molecule("H2O"), unix="nobody")
    with pytest.raises(im.SimulationError, match="nobody listens at localhost:1 "):
        im.drive(im.load("water"), molecule("H2O"), port=1)


def listens_later(server: socket.socket) -> None:
    """And says goodbye to who comes."""
    time.sleep(0.3)
    server.listen()
    server.accept()[0].sendall(b"EXIT".ljust(12))


def test_a_server_that_is_only_starting_is_waited_for():
    """The file of a socket is there before anybody listens: i-PI binds first."""
    address = f"interpmd-late-{os.getpid()}"
    place = Path(f"/tmp/ipi_{address}")
    with socket.socket(socket.AF_UNIX) as late:
        try:
            late.bind(str(place))
            with pytest.raises(im.SimulationError, match="Connection refused"):
                im.drive(im.load("water"), molecule("H2O"), unix=address)
            answering = threading.Thread(target=listens_later, args=(late,))
            answering.start()
            assert im.drive(im.load("water"), molecule("H2O"), unix=address, wait=300) == 0
        finally:
            place.unlink()
        answering.join()
