"""Structures in motion: velocities, ASE's integrators, and runs that explode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.md import MolecularDynamics
from ase.md.velocitydistribution import Stationary, ZeroRotation
from ase.md.verlet import VelocityVerlet

from interpmd.errors import SimulationError, StructureError

Ensemble = Literal["nve", "nvt"]


def set_thermal_momenta(atoms: Atoms, temperature: float, rng: np.random.Generator) -> None:
    """Draw momenta from the Maxwell-Boltzmann distribution at a temperature in K."""
    widths = np.sqrt(atoms.get_masses() * (units.kB * temperature))
    atoms.set_momenta(rng.standard_normal((len(atoms), 3)) * widths[:, None])


def with_velocities(atoms: Atoms, temperature: float, seed: int | Sequence[int]) -> Atoms:
    """A copy with the velocities that it has, or drawn at a temperature in K, without drift and
    (molecules) rotation."""
    moving = atoms.copy()
    if not moving.has("momenta") or not moving.get_momenta().any():
        set_thermal_momenta(moving, temperature, np.random.default_rng(seed))
        if len(moving) > 1:
            Stationary(moving)
            if not moving.pbc.any() and len(moving) > 2:
                ZeroRotation(moving)
    return moving


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
