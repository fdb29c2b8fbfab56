"""All engines: the same physics, and runs that go on as if they had never stopped."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, molecule
from ase.constraints import FixAtoms, FixBondLength, Hookean

import interpmd as im
from interpmd.dynamics.engines import ENGINES, Plan, engine_of
from interpmd.potentials import Isolated, LennardJones, Morse, Potential
from interpmd.structures.motion import moved_freedom

CHAIN = "nose_hoover"  #: of a frame's info

ETHANE = molecule("C2H6")
ETHANE.positions *= 1.1
SOFT = Potential([Morse(depth=0.5, width=1.0, distance=1.5, cutoff=6.0)])

#: As ASE's calculator of the same name, so that it is plain what the numbers should be.
ARGON = Potential([LennardJones(epsilon=0.0104, sigma=3.40, cutoff=8.0)])
CRYSTAL = bulk("Ar", cubic=True, a=5.35) * (2, 2, 2)

OTHERS = [name for name in ENGINES if name != "ase"]


def run(atoms=ETHANE, potential=SOFT, **arguments):
    defaults = {"steps": 60, "temperature": 100.0, "progress": False}
    return im.simulate(potential, atoms, **(defaults | arguments))


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("where", ["molecule", "crystal"])
def test_nve_is_the_velocity_verlet_of_ase(engine, where):
    given = (ETHANE, SOFT) if where == "molecule" else (CRYSTAL, ARGON)
    mine, theirs = (run(*given, engine=name) for name in (engine, "ase"))
    assert np.abs(mine.positions - theirs.positions).max() < 1e-11
    assert np.abs(mine.total_energies - theirs.total_energies).max() < 1e-11
    momenta = [np.stack([a.get_momenta() for a in found]) for found in (mine, theirs)]
    assert np.abs(momenta[0] - momenta[1]).max() < 1e-11
    assert theirs.potential_energies.std() > 1e-3


CHOICES = {
    "nve": {},
    "langevin": {"ensemble": "nvt", "friction": 0.05},
    "bussi": {"ensemble": "nvt", "thermostat": "bussi", "friction": 0.05},
    "nose_hoover": {"ensemble": "nvt", "thermostat": "nose_hoover", "friction": 0.05},
    "npt": {"ensemble": "npt", "friction": 0.05, "compressibility": 1e-4, "barostat_time": 100},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("choice", CHOICES)
def test_a_resumed_run_is_the_run_without_a_break(tmp_path, engine, choice):
    given = (CRYSTAL, ARGON) if choice == "npt" else (ETHANE, SOFT)
    settings = {"engine": engine, "interval": 4, **CHOICES[choice]}
    for steps in (9, 14, 33):
        resumed = run(*given, steps=steps, out=tmp_path / "run.traj", **settings)
    whole = run(*given, steps=33, **settings)
    for a, b in zip(resumed, whole, strict=True):
        assert np.array_equal(a.positions, b.positions)
        assert np.array_equal(a.get_momenta(), b.get_momenta())
        assert np.array_equal(a.cell.array, b.cell.array)
        assert np.array_equal(a.get_forces(), b.get_forces())
        assert a.get_potential_energy() == b.get_potential_energy()
        assert a.info.get(CHAIN) == b.info.get(CHAIN)
    assert (CHAIN in whole[-1].info) == (choice == "nose_hoover")
    assert np.ptp(whole.total_energies) > (0 if choice == "nve" else 1e-3)
    if choice == "npt":
        assert np.ptp([a.get_volume() for a in whole]) > 0.1
    settings["engine"] = next(name for name in ENGINES if name != engine)
    with pytest.raises(im.SimulationError, match=r"other settings \(engine\)"):
        run(*given, steps=33, out=tmp_path / "run.traj", **settings)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("thermostat", ["langevin", "bussi", "nose_hoover"])
def test_temperatures_are_those_of_the_canonical_ensemble(engine, thermostat):
    """Mean 3/2 kT and variance 3/2 (kT)^2 per atom of the kinetic energy."""
    found = run(
        CRYSTAL,
        ARGON,
        engine=engine,
        ensemble="nvt",
        thermostat=thermostat,
        friction=0.02,
        timestep=5.0,
        temperature=40.0,
        steps=3000,
        interval=20,
    )
    kinetic = np.array([a.get_kinetic_energy() for a in found[20:]]) / (units.kB * 40.0)
    freedom = 3 * len(CRYSTAL) - 3 * (thermostat != "langevin")
    assert kinetic.mean() == pytest.approx(freedom / 2, rel=0.04)
    assert 0.6 < kinetic.var() / (freedom / 2) < 1.6
    assert found.temperatures[20:].mean() == pytest.approx(40.0, rel=0.04)
    if engine == "ase":
        return
    # the same potential energy as by ASE's integrator: of a harmonic crystal about 3/2 kT per atom
    potential = found.potential_energies[20:].mean() - found.potential_energies[0]
    assert potential / (units.kB * 40.0) == pytest.approx(1.5 * (len(CRYSTAL) - 1), rel=0.12)


def test_velocities_of_middle_langevin_are_slow_and_its_structures_are_right():
    """Of a harmonic vibration by BAOAB: variance kT/k, temperature times 1 - (ωh)²/4."""
    pair = Atoms("H2", [(0, 0, 0), (0, 0, 0.8)])
    stiff = Potential([Morse(depth=4.0, width=2.0, distance=0.8, cutoff=6.0)])
    force_constant, temperature, step = 2 * 4.0 * 2.0**2, 50.0, 1.0
    square = force_constant / (pair.get_masses()[0] / 2) * (step * units.fs) ** 2
    found = run(
        pair,
        stiff,
        engine="openmm",
        ensemble="nvt",
        temperature=temperature,
        timestep=step,
        friction=0.1,
        steps=40_000,
        interval=10,
    )
    lengths = np.linalg.norm(found.positions[100:, 1] - found.positions[100:, 0], axis=1)
    expected = units.kB * temperature / force_constant
    assert lengths.var() == pytest.approx(expected, rel=0.1)
    shown = found.temperatures[100:].mean() / temperature
    assert square / 4 > 0.15
    assert shown == pytest.approx(1 - square / 4, abs=0.06)


@pytest.mark.parametrize("engine", ENGINES)
def test_nose_hoover_conserves_its_energy_and_is_the_same_by_all_engines(engine):
    options = {"ensemble": "nvt", "thermostat": "nose_hoover", "friction": 0.02, "steps": 400}
    found = run(engine=engine, temperature=300.0, **options)
    assert np.ptp(found.total_energies) > 0.1
    errors = [
        np.ptp(run(engine=engine, temperature=300.0, timestep=step, **options).conserved_energies)
        for step in (0.5, 0.25)
    ]
    assert errors[0] < 0.02 * np.ptp(found.total_energies)
    assert errors[1] < 0.4 * errors[0]  # second order
    theirs = run(engine="ase", temperature=300.0, **options)
    assert np.abs(found.positions - theirs.positions).max() < 1e-8
    assert np.abs(found.conserved_energies - theirs.conserved_energies).max() < 1e-9
    chain = np.array(found[-1].info[CHAIN])
    assert np.abs(chain).min() > 0 and CHAIN not in run(found[-1], steps=5)[-1].info


def test_the_volume_of_an_ideal_gas_is_that_of_its_pressure():
    """P V = (N + 1) kT at constant pressure, with a relative variance of 1/(N + 1)."""
    rng, n = np.random.default_rng(0), 40
    gas = Atoms(f"Ar{n}", rng.uniform(0, 20, (n, 3)), cell=[20] * 3, pbc=True)
    temperature, volume = 300.0, 8000.0
    pressure = (n + 1) * units.kB * temperature / volume / units.bar
    plan = Plan(
        "npt",
        temperature,
        20.0,
        pressure=pressure,
        friction=0.01,
        barostat_time=10000.0,
        compressibility=1 / pressure,
    )
    gas.set_momenta(rng.normal(size=(n, 3)) * np.sqrt(units.kB * temperature * gas.get_masses()[0]))
    gas.calc = _NoForces()
    engine = engine_of("openmm", gas, plan)
    volumes = []
    for _ in range(6000):
        engine.advance(10, [rng])
        volumes.append(gas.get_volume())
    volumes = np.array(volumes[200:])
    assert volumes.mean() == pytest.approx(volume, rel=0.03)
    assert 0.7 < volumes.var() / (volumes.mean() ** 2 / (n + 1)) < 1.4


@pytest.mark.parametrize("engine", ENGINES)
def test_a_crystal_under_pressure_has_the_volume_where_its_pressure_is_that(engine):
    pressure, temperature = 2000.0, 5.0
    found = run(
        CRYSTAL,
        ARGON,
        engine=engine,
        ensemble="npt",
        pressure=pressure,
        temperature=temperature,
        timestep=4.0,
        friction=0.02,
        steps=1500,
        interval=20,
        compressibility=3e-5,
        barostat_time=200.0,
    )
    mean = np.mean([a.get_volume() for a in found[35:]])
    cold = CRYSTAL.copy()
    cold.set_cell(CRYSTAL.cell * (mean / CRYSTAL.get_volume()) ** (1 / 3), scale_atoms=True)
    cold.calc = ARGON.calculator()
    static = -cold.get_stress()[:3].mean() / units.bar
    thermal = 3 * units.kB * temperature * len(cold) * 3.0 / mean / units.bar  # Grüneisen's 3
    assert static + thermal == pytest.approx(pressure, abs=250)
    assert mean < 0.95 * CRYSTAL.get_volume()


@pytest.mark.parametrize("engine", ["ase", "openmm"])
def test_constraints_and_masses(engine):
    held = ETHANE.copy()
    held.set_masses([12, 12, 2, 2, 2, 2, 2, 2])
    held.set_constraint([FixAtoms([2]), FixBondLength(0, 1)])
    length = held.get_distance(0, 1)
    for ensemble in ("nve", "nvt"):
        found = run(held, engine=engine, ensemble=ensemble, temperature=300, steps=100)
        assert np.abs(found.positions[:, 2] - held.positions[2]).max() == 0
        between = np.linalg.norm(found.positions[:, 0] - found.positions[:, 1], axis=1)
        assert np.abs(between - length).max() < 1e-7
        assert np.abs(found.positions[-1, 3:] - held.positions[3:]).max() > 0.02
        if ensemble == "nve":
            assert np.ptp(found.total_energies) < 5e-3
    light = run(engine=engine)
    heavy = ETHANE.copy()
    heavy.set_masses(100 * ETHANE.get_masses())
    moved = [np.ptp(found.positions, axis=0).max() for found in (light, run(heavy, engine=engine))]
    assert moved[1] < 0.2 * moved[0]


@pytest.mark.parametrize("engine", OTHERS)
def test_constraints_that_only_ase_knows_are_refused(engine):
    held = ETHANE.copy()
    held.set_constraint(Hookean(0, 1, k=5, rt=1.6))
    with pytest.raises(im.ArgumentError, match="does not know the constraint Hookean; take"):
        run(held, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_accidents_are_named(engine):
    pair = Atoms("H2", [(0, 0, 0), (0, 0, 1.0)])
    pair.set_velocities([(0, 0, 0.05), (0, 0, -0.05)])
    free = Potential([Isolated({1: 0.0})])
    with pytest.raises(im.SimulationError, match=r"broke after step \d+: atoms H0 and H1 .* far"):
        run(pair, free, steps=400, interval=1, engine=engine)
    stiff = Potential([Morse(depth=8.0, width=4.0, distance=1.2, cutoff=6.0)])
    with pytest.raises(im.SimulationError, match="exploded at step"):
        run(molecule("C2H6"), stiff, timestep=8.0, steps=400, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_any_calculator_of_ase_moves_the_atoms(engine):
    from ase.calculators.lj import LennardJones as ByASE

    given = {"atoms": CRYSTAL, "potential": ByASE(epsilon=0.0104, sigma=3.40, rc=8.0)}
    assert np.ptp(run(**given, engine=engine, steps=20).total_energies) < 1e-3


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_warns_of_what_the_data_never_showed(engine):
    water = im.load("water")
    torn = molecule("H2O")
    torn.positions[1] *= 2.0
    with pytest.warns(im.ExtrapolationWarning, match="unlike the training data"):
        run(torn, water, engine=engine, steps=5)


def test_bad_arguments():
    with pytest.raises(im.ArgumentError, match=r"ensemble='npt' needs a cell that is periodic"):
        run(ensemble="npt")
    with pytest.raises(im.ArgumentError, match=r"engine is .*, not 'opnmm' \(did you mean 'openmm"):
        run(engine="opnmm")
    with pytest.raises(
        im.ArgumentError, match="thermostat is 'langevin' or 'bussi' or 'nose_hoover'"
    ):
        run(thermostat="berendsen")
    with pytest.raises(im.ArgumentError, match="friction is .*above 0"):
        run(ensemble="nvt", thermostat="nose_hoover", friction=0)
    with pytest.raises(im.ArgumentError, match="pressure is a finite number, not inf"):
        run(CRYSTAL, ARGON, ensemble="npt", pressure=float("inf"))
    with pytest.raises(im.SimulationError, match="the volume changes by a factor .* at a pressure"):
        run(CRYSTAL, ARGON, ensemble="npt", pressure=1e6, compressibility=1.0)


def test_velocities_that_a_factor_cannot_move_do_not_count():
    moving = ETHANE.copy()
    rng = np.random.default_rng(0)
    moving.set_momenta(rng.normal(size=(8, 3)))
    assert moved_freedom(moving) == 24
    assert moved_freedom(run(steps=1)[0]) == 18
    assert moved_freedom(run(CRYSTAL, ARGON, steps=1)[0]) == 3 * len(CRYSTAL) - 3
    rounded = run(steps=1)[0]
    rounded.set_momenta(rounded.get_momenta() + 1e-4 * np.sqrt(units.kB * 100))
    assert moved_freedom(rounded) == 18
    held = ETHANE.copy()
    held.set_constraint(FixBondLength(0, 1))
    assert moved_freedom(run(held, engine="openmm", steps=1)[0]) == 17


class _NoForces:
    """A gas without interactions, at the cost of nothing."""

    def get_property(self, name, atoms, allow_calculation=True):
        return {"energy": 0.0, "stress": np.zeros(6)}.get(name, np.zeros((len(atoms), 3)))

    def get_potential_energy(self, atoms, force_consistent=False):
        return 0.0

    def get_forces(self, atoms):
        return np.zeros((len(atoms), 3))

    def get_stress(self, atoms):
        return np.zeros(6)


def test_the_usual_engine_is_openmm_for_molecules_and_a_file_goes_on_with_its_own(tmp_path):
    out = tmp_path / "run.traj"
    assert run().settings["engine"] == "openmm"
    assert "engine" not in run(CRYSTAL, ARGON, steps=5).settings
    held = ETHANE.copy()
    held.set_constraint(Hookean(0, 1, k=5, rt=1.6))
    assert "engine" not in run(held, steps=5).settings
    run(engine="ase", ensemble="nvt", steps=20, out=out)
    resumed = run(ensemble="nvt", steps=40, out=out)
    whole = run(engine="ase", ensemble="nvt", steps=40)
    assert np.array_equal(resumed.positions, whole.positions)
    assert np.abs(resumed.positions[-1] - run(ensemble="nvt", steps=40).positions[-1]).max() > 1e-3
