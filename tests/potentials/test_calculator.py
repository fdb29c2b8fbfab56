"""The ASE calculator and error bars."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.calculator import PropertyNotImplementedError

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials import Potential, StillingerWeber


@pytest.fixture(scope="module")
def potential():
    return im.load("malonaldehyde")


def test_forces_are_minus_the_gradient_of_the_energy(potential):
    atoms = MALONALDEHYDE.copy()
    atoms.calc = potential.calculator()
    forces = atoms.get_forces()
    for atom, axis in ((0, 0), (8, 1), (3, 2)):
        energies = []
        for sign in (1, -1):
            atoms.positions = MALONALDEHYDE.positions
            atoms.positions[atom, axis] += sign * 1e-4
            energies.append(atoms.get_potential_energy())
        assert forces[atom, axis] == pytest.approx((energies[1] - energies[0]) / 2e-4, abs=1e-4)


def test_site_energies_sum_to_the_energy(potential):
    atoms = MALONALDEHYDE.copy()
    atoms.calc = potential.calculator()
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())


def test_error_bars_are_those_of_the_samples(potential):
    calculator = potential.calculator()
    std = calculator.get_property("energy_std", MALONALDEHYDE)
    assert 1e-5 < std < 0.1
    assert calculator.get_property("forces_std", MALONALDEHYDE).shape == (9, 3)
    assert calculator.get_property("extrapolation", MALONALDEHYDE).shape == (9,)


def test_compile_retires_with_a_word(potential):
    with pytest.warns(FutureWarning, match="no longer needed"):
        old = potential.calculator(compile=True)
    new = potential.calculator()
    forces = old.get_property("forces", MALONALDEHYDE)
    assert np.array_equal(forces, new.get_property("forces", MALONALDEHYDE))
    assert np.abs(forces - potential.predict_by_torch(MALONALDEHYDE).forces.numpy()).max() < 5e-10
    broken = MALONALDEHYDE.copy()
    broken.positions[3] = broken.positions[2]
    with pytest.raises(im.StructureError, match="C2 and C3 are 0 Å apart"):
        new.get_property("forces", broken)
    broken.positions[3] = np.nan
    with pytest.raises(im.StructureError, match="atom 3"):
        new.get_property("forces", broken)


def test_stress_needs_a_cell(potential):
    with pytest.raises(PropertyNotImplementedError, match="three periodic"):
        potential.calculator().get_property("stress", MALONALDEHYDE)


def test_stress_has_the_sign_of_ase():
    from ase.build import bulk

    silicon = bulk("Si", a=5.2)
    silicon.calc = Potential([StillingerWeber()]).calculator()
    assert silicon.get_stress()[0] < -0.01  # compressed: negative, as with ASE's own calculators


def test_potentials_without_posterior_have_no_error_bars():
    calculator = Potential([StillingerWeber.example()]).calculator()
    assert calculator.get_property("energy_std", molecule("H2O")) == 0
    assert not calculator.get_property("extrapolation", molecule("H2O")).any()
