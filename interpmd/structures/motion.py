"""Structures in motion: velocities, ASE's integrators, and runs that explode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from ase import Atoms, units
from ase.constraints import FixBondLengths
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet

from interpmd.errors import SimulationError, StructureError

Ensemble = Literal["nve", "nvt"]

#: Motion of the whole with less energy than this part of kT for each degree of freedom is none: in
#: single precision some comes by rounding, and of thermal motion one draw in 100,000 is so slow.
AT_REST = 1e-3


def set_thermal_momenta(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Draw momenta from the Maxwell-Boltzmann distribution at a temperature in K."""
    widths = np.sqrt(atoms.get_masses() * (units.kB * temperature))
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * widths[:, None])


def with_velocities(
    atoms: Atoms, temperature: float, seed: int | Sequence[int], preserve: bool = True
) -> Atoms:
    """A copy with the velocities that it has, or drawn at a temperature in K, without drift and
    (molecules) rotation.

    Args:
        preserve: whether the motion within keeps the energy that these had, as ASE's functions do
            by themselves, and is hotter for it; else it is that of the temperature.
    """
    moving = atoms.copy()
    if not moving.has("momenta") or not moving.get_momenta().any():
        set_thermal_momenta(moving, temperature, np.random.default_rng(seed))
        if len(moving) > 1:
            Stationary(moving, preserve)
            if not moving.pbc.any() and len(moving) > 2:
                ZeroRotation(moving, preserve)
    return moving


def temperature_of(atoms: Atoms) -> float:
    """Instantaneous temperature in K, of the motion within the structure.

    Twice the kinetic energy in the frame of the centre of mass, in molecules without that of the
    rotation of the whole, over k times the degrees of freedom that are left: 3N − 3, in molecules
    3N − 6 (two atoms: 1), less fixed distances. So it is unbiased whether a thermostat moves the
    whole too (Langevin) or the whole stands still (nve, and thermostats that rescale velocities).
    With constraints to places in space, as `FixAtoms`, whatever moves counts; and so it is for a
    single atom. NaN if nothing can move.
    """
    kinetic, freedom = atoms.get_kinetic_energy(), atoms.get_number_of_degrees_of_freedom()
    for part, of_part in _of_the_whole(atoms):
        kinetic, freedom = kinetic - part, freedom - of_part
    return float(2 * kinetic / (freedom * units.kB)) if freedom > 0 else float("nan")


def moved_freedom(atoms: Atoms) -> int:
    """Degrees of freedom that a factor on all velocities moves: where the whole stands still, or a
    molecule does not turn, it goes on so."""
    kinetic, freedom = atoms.get_kinetic_energy(), atoms.get_number_of_degrees_of_freedom()
    each = 2 * kinetic / max(freedom, 1)
    for part, of_part in _of_the_whole(atoms):
        if 2 * part > AT_REST * of_part * each:
            break
        freedom -= of_part
    return freedom


def _of_the_whole(atoms: Atoms) -> list[tuple[float, int]]:
    """Kinetic energy (eV) and degrees of freedom of the centre of mass and, of molecules, of the
    rotation; nothing where places in space are fixed, and for single atoms."""
    inner = all(isinstance(each, FixBondLengths) for each in atoms.constraints)
    if not inner or len(atoms) < 2:
        return []
    masses, momenta = atoms.get_masses(), atoms.get_momenta()
    whole = momenta.sum(0)
    parts = [(float(whole @ whole / (2 * masses.sum())), 3)]
    if not atoms.pbc.any():
        places = atoms.positions - masses @ atoms.positions / masses.sum()
        squares = np.einsum("i,ij,ik->jk", masses, places, places)
        inertia = np.trace(squares) * np.eye(3) - squares
        turning = np.cross(places, momenta).sum(0)
        energy = turning @ np.linalg.pinv(inertia, rcond=1e-9) @ turning / 2
        parts.append((float(energy), 2 if len(atoms) == 2 else 3))
    return parts


def integrator(
    atoms: Atoms,
    ensemble: Ensemble,
    temperature: float,
    timestep: float,
    friction: float,
    rng: np.random.Generator | None = None,
) -> VelocityVerlet | Langevin:
    """ASE's integrator of an ensemble: velocity Verlet (nve) or Langevin (nvt).

    Args:
        atoms: with velocities and a calculator; they move.
        ensemble: "nve" or "nvt".
        temperature: K, timestep: fs, friction: 1/fs; temperature and friction of nvt.
        rng: of the thermostat.
    """
    if ensemble == "nve":
        return VelocityVerlet(atoms, timestep=timestep * units.fs)
    return Langevin(
        atoms,
        timestep=timestep * units.fs,
        temperature_K=temperature,
        friction=friction / units.fs,
        fixcm=False,
        rng=rng,
    )


def advance(dynamics: MolecularDynamics, steps: int, temperature: float) -> None:
    """Run some steps.

    Raises:
        SimulationError: atoms ran into each other, or the temperature (K) is far above the one
            asked for.
    """
    try:
        dynamics.run(steps)
    except StructureError as error:
        raise SimulationError(
            f"the simulation broke after step {dynamics.nsteps}: {str(error).split(';')[0]}; the "
            "structure is far from the training data, or the timestep is too long"
        ) from error
    now = dynamics.atoms.get_temperature()
    if not np.isfinite(now) or now > 20 * temperature + 5000:
        raise SimulationError(
            f"the simulation exploded at step {dynamics.nsteps}: temperature {now:.4g} K; take a "
            "shorter timestep or a structure nearer to the training data"
        )
