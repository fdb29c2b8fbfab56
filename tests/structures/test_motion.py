"""Velocities and integrators that simulation, sampling and live pictures share."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms, FixBondLengths
from ase.md.velocitydistribution import Stationary, ZeroRotation

from interpmd.errors import SimulationError, StructureError
from interpmd.structures.motion import (
    advance,
    integrator,
    set_thermal_momenta,
    temperature_of,
    with_velocities,
)


class Free(Calculator):
    """No forces; atoms closer than 0.3 Å cannot be evaluated."""

    implemented_properties = ["energy", "forces"]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        if len(atoms) > 1 and atoms.get_distance(0, 1) < 0.3:
            raise StructureError("atoms 0 and 1 are too close; remove one")
        self.results = {"energy": 0.0, "forces": np.zeros((len(atoms), 3))}


def test_momenta_have_the_temperature():
    crystal = bulk("Ar", cubic=True).repeat(8)
    set_thermal_momenta(crystal, 120.0, np.random.default_rng(0))
    assert crystal.get_temperature() == pytest.approx(120.0, rel=0.05)


def test_velocities_are_drawn_once_and_kept():
    water = molecule("H2O")
    moving = with_velocities(water, 300.0, seed=1)
    assert not water.has("momenta")
    assert np.abs(moving.get_momenta().sum(0)).max() < 1e-12
    assert np.abs(moving.get_angular_momentum()).max() < 1e-10
    again = with_velocities(moving, 900.0, seed=2)
    np.testing.assert_array_equal(again.get_momenta(), moving.get_momenta())


def test_the_thermostat_takes_friction_and_temperature_in_the_units_it_names():
    argon = Atoms("Ar", calculator=Free())
    argon.set_velocities([[0.02, 0, 0]])
    # at a thousandth of a kelvin only friction is left: exp(-0.01 / fs * 100 fs)
    dynamics = integrator(argon, "nvt", 1e-3, 0.5, 0.01, np.random.default_rng(0))
    dynamics.run(200)
    assert argon.get_velocities()[0, 0] == pytest.approx(0.02 * np.exp(-1), rel=0.02)
    assert dynamics.dt == pytest.approx(0.5 * units.fs)


def test_an_accident_is_told_apart_from_an_explosion():
    pair = Atoms("H2", [(0, 0, 0), (0, 0, 1.0)], calculator=Free())
    pair.set_velocities([(0, 0, 0.05), (0, 0, -0.05)])
    with pytest.raises(SimulationError, match=r"broke after step \d+: atoms 0 and 1 .* too long"):
        advance(integrator(pair, "nve", 300.0, 0.5, 0.0), 400, 1e6)
    fast = Atoms("H", calculator=Free())
    fast.set_velocities([[3.0, 0, 0]])
    with pytest.raises(SimulationError, match="exploded at step 1"):
        advance(integrator(fast, "nve", 300.0, 0.5, 0.0), 1, 300.0)


@pytest.mark.parametrize("name", ["C2H6", "CO2", "H2", "crystal"])
@pytest.mark.parametrize("still", [True, False])
def test_the_temperature_is_that_of_the_motion_within(name, still):
    """Unbiased with and without motion of the whole: mean over draws of the canonical ensemble."""
    atoms = bulk("Ar", cubic=True) if name == "crystal" else molecule(name)
    rng = np.random.default_rng(0)
    if name == "CO2":
        atoms.rattle(0.05, seed=1)
    found, simple = [], []
    for _ in range(3000):
        set_thermal_momenta(atoms, 200.0, rng)
        if still:
            Stationary(atoms, preserve_temperature=False)
            if not atoms.pbc.any():
                ZeroRotation(atoms, preserve_temperature=False)
        found.append(temperature_of(atoms))
        simple.append(atoms.get_temperature())
    freedom = {"C2H6": 18, "CO2": 3, "H2": 1, "crystal": 9}[name]
    error = 200 * np.sqrt(2 / freedom / len(found))
    assert np.mean(found) == pytest.approx(200.0, abs=4 * error)
    assert np.var(found) == pytest.approx(2 * 200.0**2 / freedom, rel=0.2)
    if still:
        expected = 200 * freedom / (3 * len(atoms))
        assert np.mean(simple) == pytest.approx(expected, abs=4 * error)


def test_the_temperature_with_constraints_and_of_single_atoms():
    rng, found = np.random.default_rng(1), {"bond": [], "held": [], "one": []}
    for _ in range(3000):
        atoms = molecule("C2H6")
        set_thermal_momenta(atoms, 200.0, rng)
        one = atoms[:1]
        found["one"].append(temperature_of(one))
        momenta = atoms.get_momenta()
        atoms.set_constraint(FixAtoms([0, 3]))
        atoms.set_momenta(momenta)
        found["held"].append(temperature_of(atoms))
        atoms.set_constraint(FixBondLengths([(0, 1)], tolerance=1e-10))
        atoms.set_momenta(momenta)
        found["bond"].append(temperature_of(atoms))
    for temperatures, freedom in zip(found.values(), (17, 18, 3), strict=True):
        error = 200 * np.sqrt(2 / freedom / 3000)
        assert np.mean(temperatures) == pytest.approx(200.0, abs=4 * error)
    atoms.set_constraint(FixAtoms(range(8)))
    assert np.isnan(temperature_of(atoms))
