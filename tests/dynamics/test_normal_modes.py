"""Normal modes by a potential: orthogonal, and as stiff as their wave numbers say."""

from __future__ import annotations

import numpy as np
import pytest
from ase import units

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
