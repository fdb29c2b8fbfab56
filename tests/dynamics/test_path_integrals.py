"""Quantum nuclei by i-PI: known quantum statistics, going on after a kill, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.dynamics import path_integrals
from interpmd.dynamics.path_integrals import read_beads

TRANSFER = im.proton_transfer(8, 4, 0)

#: kT at 300 K in eV.
KT = 300 * units.kB


class Spring(Calculator):
    """Two atoms on a spring of 30 eV/Å², 1 Å long."""

    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        way = self.atoms.positions[1] - self.atoms.positions[0]
        length = np.linalg.norm(way)
        force = 30.0 * (length - 1.0) * way / length
        self.results = {"energy": 15.0 * (length - 1.0) ** 2, "forces": np.array([force, -force])}


def ring_variance(beads: int, mass: float = 1.008) -> float:
    """Variance in Å² of a bead of a harmonic oscillator, with as many beads."""
    mass *= units._amu / 2
    omega = np.sqrt(30.0 * units._e * 1e20 / mass)
    k = np.arange(beads)
    springs = 4 * (beads * KT * units._e / units._hbar) ** 2 * np.sin(np.pi * k / beads) ** 2
    return float((KT * units._e / (mass * (omega**2 + springs))).sum() * 1e20)


@pytest.mark.parametrize(
    ("beads", "steps", "mass"), [(1, 6000, 1.008), (6, 1200, 1.008), (6, 1200, 4.0)]
)
def test_the_spread_of_an_oscillator_is_that_of_its_ring(beads, steps, mass):
    pair = Atoms("H2", [(0, 0, 0), (0, 0, 1.0)], masses=[mass, mass])
    found = im.path_integrals(
        Spring(), pair, beads, steps, friction=10.0, interval=2, seed=1, progress=False
    )
    assert found.beads == beads and len(found) > 0.4 * steps
    lengths = found.values((0, 1))
    assert lengths.var() == pytest.approx(ring_variance(beads, mass), rel=0.2)
    assert np.ptp(found.conserved) < 0.03
    if beads == 6:
        assert ring_variance(6) > 1.3 * ring_variance(6, 4.0) > 3 * ring_variance(1)


@pytest.fixture(scope="module")
def easy():
    return im.lowered(im.load("malonaldehyde"), TRANSFER, 0.1)


def test_the_bias_is_told_and_its_forces_are_its_slopes(easy):
    places = MALONALDEHYDE.copy()
    places.positions[8] = 0.5 * (places.positions[0] + places.positions[4])
    q = TRANSFER(places)
    assert easy.bias([places])[0] == pytest.approx(-0.1 * np.exp(-0.5 * (q / 0.25) ** 2))
    places.calc = easy
    forces = places.get_forces()
    for atom, axis in ((8, 0), (0, 1), (4, 0)):
        ends = []
        for sign in (1, -1):
            moved = places.copy()
            moved.positions[atom, axis] += sign * 1e-4
            moved.calc = easy
            ends.append(moved.get_potential_energy())
        assert forces[atom, axis] == pytest.approx((ends[1] - ends[0]) / 2e-4, abs=1e-5)


def test_quantum_nuclei_lower_the_barrier_of_a_proton(easy):
    curve = {"bins": 7, "range": (-0.9, 0.9), "symmetric": True}
    found = {}
    for beads, steps in ((1, 4000), (8, 500)):
        run = im.path_integrals(easy, MALONALDEHYDE, beads, steps, seed=1, progress=False)
        assert "a bias is taken out" in repr(run)
        free = run.free_energy(TRANSFER, **curve)
        assert free.energies == pytest.approx(free.energies[::-1])  # asked to be
        found[beads] = free.energies[3]
        assert run.spread(8)[0] == pytest.approx(0.0 if beads == 1 else 0.17, abs=0.03)
    assert found[1] > 0.1 and found[8] < found[1] - 0.03


def test_a_killed_run_goes_on_from_its_checkpoint(easy, tmp_path):
    how = {"beads": 2, "seed": 3, "interval": 2, "out": tmp_path / "run", "progress": False}
    whole = im.path_integrals(easy, MALONALDEHYDE, steps=60, **(how | {"out": tmp_path / "whole"}))

    class Dies(type(easy)):
        asked = 0

        def calculate(self, *args, **kwargs):
            Dies.asked += 1
            if Dies.asked == 80:
                raise KeyboardInterrupt
            super().calculate(*args, **kwargs)

    dies = Dies(im.load("malonaldehyde"), easy.restraints)
    dies.__class__.__name__ = type(easy).__name__
    half = im.path_integrals(dies, MALONALDEHYDE, steps=60, **how)
    assert 5 < len(half) < len(whole)
    with (tmp_path / "run" / "run.beads_0.xyz").open("a") as file:
        file.write("9\n# CELL torn Step: 60\nO 1.0 2.0 3.0\n")  # a frame that was cut off
    (tmp_path / "run" / "run.checkpoint_99").write_text("<simulation><step>58</step>")
    again = im.path_integrals(easy, MALONALDEHYDE, steps=60, **how)
    assert np.array_equal(again.times, whole.times)
    assert again.positions == pytest.approx(whole.positions, abs=1e-6)
    done = im.path_integrals(dies, MALONALDEHYDE, steps=60, **how)  # nothing is asked any more
    assert np.array_equal(done.positions, again.positions)
    longer = im.path_integrals(easy, MALONALDEHYDE, steps=80, **how)
    assert longer.times[-1] == 40.0
    with pytest.raises(im.SimulationError, match=r"other settings \(temperature\)"):
        im.path_integrals(easy, MALONALDEHYDE, steps=60, temperature=200, **how)
    read = read_beads(tmp_path / "run", MALONALDEHYDE, 0.5)
    assert len(set(read.times)) == len(read)


def test_what_is_refused(easy, tmp_path):
    box = molecule("H2O", cell=[9, 9, 9], pbc=True)
    with pytest.raises(im.StructureError, match="im.drive"):
        im.path_integrals(im.load("water"), box, progress=False)
    with pytest.raises(im.ArgumentError, match="beads"):
        im.path_integrals(easy, MALONALDEHYDE, 0, progress=False)
    with pytest.raises(im.ArgumentError, match="depth"):
        im.lowered(easy, TRANSFER, -0.1)
    (tmp_path / "input.xml").write_text("mine")
    with pytest.raises(im.SimulationError, match="choose another folder"):
        im.path_integrals(easy, MALONALDEHYDE, out=tmp_path, progress=False)
    assert (tmp_path / "input.xml").read_text() == "mine"

    class Broken(Calculator):
        implemented_properties = ["energy", "forces"]

        def calculate(self, *_, **__):
            raise RuntimeError("no forces today")

    with pytest.raises(RuntimeError, match="no forces today"):
        im.path_integrals(Broken(), MALONALDEHYDE, progress=False)


def test_words_of_an_i_pi_that_ends_at_once_are_told(easy, monkeypatch, tmp_path):
    words = path_integrals.INPUT.replace("<total_steps>", "<total_stops>")
    monkeypatch.setattr(path_integrals, "INPUT", words.replace("</total_steps>", "</total_stops>"))
    monkeypatch.setattr(path_integrals, "PATIENCE", 1e9)  # who is gone is not waited for
    with pytest.raises(im.SimulationError, match="i-PI ended with an error: .*total_stops"):
        im.path_integrals(easy, MALONALDEHYDE, out=tmp_path / "run", progress=False)
