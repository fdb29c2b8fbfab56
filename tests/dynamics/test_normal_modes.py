"""Normal modes by a potential: orthogonal, and as stiff as their wave numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.dynamics.modes import normal_modes


def test_normal_modes_are_orthogonal_and_as_stiff_as_their_wave_numbers_say():
    potential, masses = im.load("malonaldehyde"), MALONALDEHYDE.get_masses()
    modes = normal_modes(potential, MALONALDEHYDE)
    assert len(modes) == 3 * 9 - 6
    weighted = np.array([mode.displacement.ravel() for mode in modes]) * np.repeat(masses, 3) ** 0.5
    weighted /= np.linalg.norm(weighted, axis=1)[:, None]
    assert np.abs(weighted @ weighted.T - np.eye(len(modes))).max() < 1e-9
    stiff = modes[0]
    assert 3000 < stiff.wave_number < 4200 and stiff.wave_number > modes[-1].wave_number
    assert MALONALDEHYDE.numbers[stiff.leader] == 1
    energy = [
        float(potential.predict(stiff.displaced(MALONALDEHYDE, amplitude)).energy[0])
        for amplitude in (-0.01, 0, 0.01)
    ]
    curvature = (energy[0] - 2 * energy[1] + energy[2]) / 0.01**2
    mass = (masses[:, None] * stiff.displacement**2).sum()
    quantum = np.sqrt(curvature / mass) * units._hbar * 1e10 / np.sqrt(units._e * units._amu)
    assert stiff.wave_number * units.invcm == pytest.approx(quantum, rel=0.01)  # both in eV


def test_a_crystal_has_all_modes_but_three():
    """At the wave vector zero of a cubic cell of four: the three branches of X, three times."""
    cell = bulk("Cu", cubic=True)
    modes = normal_modes(EMT(), cell, progress=False)
    assert len(modes) == 3 * 4 - 3 and modes.unstable == 0
    numbers = modes.wave_numbers
    assert np.ptp(numbers[:3]) < 1e-3 * numbers[0] and np.ptp(numbers[3:]) < 1e-3 * numbers[3]


def test_a_file_of_displaced_structures_is_gone_on_with(tmp_path):
    potential, out = im.load("malonaldehyde"), tmp_path / "modes.traj"
    asked = {"out": out, "progress": False}
    first, again = (normal_modes(potential, MALONALDEHYDE, **asked) for _ in "ab")
    assert len(im.read_frames(out)) == 6 * 9
    assert np.array_equal(first.wave_numbers, again.wave_numbers)
    direct = normal_modes(potential, MALONALDEHYDE)
    assert first.wave_numbers == pytest.approx(direct.wave_numbers, abs=0.01)
