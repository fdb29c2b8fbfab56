"""Thermostat and barostat that act between steps, the same for all engines.

Both are first-order stochastic equations whose variables are those of the structure: nothing has to
be remembered from one call to the next, so that a run that goes on from its frames is the run
without a break.

* velocity rescaling: Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101 (2007), eq. A7
* cell rescaling: Bernetti and Bussi, J. Chem. Phys. 153, 114107 (2020), for the logarithm of the
  volume, e = ln V: de = (β/τ)(P − P0) dt + sqrt(2 kT β/(V τ)) dW
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms, units

from interpmd.dynamics.engines.plan import Plan
from interpmd.errors import SimulationError
from interpmd.structures.motion import moved_freedom

#: Largest change of ln V at once; far above what an equilibrated cell does.
LARGEST = 0.3


def couple(atoms: Atoms, plan: Plan, steps: int, rng: np.random.Generator) -> None:
    """What the couplings do to a structure in some steps; it is changed in place.

    Raises:
        SimulationError: the volume changes beyond all bounds.
    """
    if plan.bussi:
        rescale_velocities(atoms, plan, steps, rng)
    if plan.ensemble == "npt":
        rescale_cell(atoms, plan, steps, rng)


def rescale_velocities(atoms: Atoms, plan: Plan, steps: int, rng: np.random.Generator) -> None:
    """One exact step of the stochastic equation of the kinetic energy."""
    kinetic, freedom = atoms.get_kinetic_energy(), moved_freedom(atoms)
    if kinetic == 0 or freedom == 0:
        return
    kept = math.exp(-steps * plan.timestep * plan.friction)
    share = (1 - kept) * plan.thermal_energy / (2 * kinetic)
    first = rng.standard_normal()
    others = 2 * rng.standard_gamma(0.5 * (freedom - 1)) if freedom > 1 else 0.0
    square = kept + share * (others + first**2) + 2 * first * math.sqrt(kept * share)
    atoms.set_momenta(atoms.get_momenta() * math.sqrt(max(square, 0.0)), apply_constraint=False)


def rescale_cell(atoms: Atoms, plan: Plan, steps: int, rng: np.random.Generator) -> None:
    """One step of the stochastic equation of the volume: all lengths are rescaled alike."""
    stress = atoms.get_stress(apply_constraint=False, include_ideal_gas=True)
    excess = -stress[:3].mean() - plan.pressure * units.bar
    rate = plan.compressibility / units.bar / plan.barostat_time * steps * plan.timestep
    noise = math.sqrt(2 * plan.thermal_energy * rate / atoms.get_volume())
    change = rate * excess + noise * rng.standard_normal()
    if not abs(change) < LARGEST:
        raise SimulationError(
            f"the volume changes by a factor {math.exp(min(change, 700)):.3g} at once, at a "
            f"pressure of {(excess / units.bar + plan.pressure):.3g} bar; begin nearer to the "
            "density of this pressure, or give a longer barostat_time or the compressibility of "
            "the material (solids about 1e-6 per bar)"
        )
    factor = math.exp(change / 3)
    momenta = atoms.get_momenta()
    atoms.set_cell(atoms.cell.array * factor)
    atoms.set_positions(atoms.positions * factor, apply_constraint=False)
    atoms.set_momenta(momenta / factor, apply_constraint=False)
