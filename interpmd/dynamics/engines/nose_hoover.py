"""A chain of Nosé-Hoover thermostats, the same for all engines.

Martyna, Klein and Tuckerman, J. Chem. Phys. 97, 2635 (1992), in the reversible splitting of
Martyna et al., Mol. Phys. 87, 1117 (1996): half a step of the chain, some steps of the engine, half
a step. The first thermostat has the mass g kT τ², the others kT τ², with g degrees of freedom. What
the chain has come to stands in the structure, so that a run that goes on from a frame is the run
without a break.
"""

from __future__ import annotations

import math

import numpy as np
from ase import Atoms

from interpmd.dynamics.engines.plan import Plan
from interpmd.structures.motion import moved_freedom

#: Key of `info` under which a frame has the places of the thermostats, their velocities (1/fs), and
#: their energy (eV).
KEY = "nose_hoover"

#: Thermostats of the chain.
LINKS = 3

#: Weights of the fourth-order splitting of Suzuki and Yoshida.
WEIGHTS = (1 / (2 - 2 ** (1 / 3)), 1 - 2 / (2 - 2 ** (1 / 3)), 1 / (2 - 2 ** (1 / 3)))

#: Steps of the engine between two of the chain take at most this part of its relaxation time.
PART = 0.1


def most_steps(plan: Plan) -> int:
    """Steps of the engine between two of the chain."""
    return max(1, int(PART / (plan.friction * plan.timestep) + 1e-9))


def half_step(atoms: Atoms, plan: Plan, steps: int) -> None:
    """Half of what the chain does in some steps of the engine; the structure is changed."""
    freedom, twice = moved_freedom(atoms), 2 * atoms.get_kinetic_energy()
    if freedom == 0 or twice == 0:
        return
    places, speeds = chain_of(atoms)
    thermal, time = plan.thermal_energy, 1 / plan.friction
    masses = thermal * time**2 * np.array([freedom] + [1] * (LINKS - 1))
    factor = 1.0

    def pull(link: int) -> float:
        if link == 0:
            return (factor**2 * twice - freedom * thermal) / masses[0]
        return (masses[link - 1] * speeds[link - 1] ** 2 - thermal) / masses[link]

    def kick(link: int, step: float) -> None:
        slowed = math.exp(-step / 8 * speeds[link + 1]) if link < LINKS - 1 else 1.0
        speeds[link] = (speeds[link] * slowed + step / 4 * pull(link)) * slowed

    for weight in WEIGHTS:
        step = weight * steps * plan.timestep
        for link in reversed(range(LINKS)):
            kick(link, step)
        factor *= math.exp(-step / 2 * speeds[0])
        places += step / 2 * speeds
        for link in range(LINKS):
            kick(link, step)
    energy = (masses * speeds**2).sum() / 2 + thermal * (freedom * places[0] + places[1:].sum())
    atoms.info[KEY] = [*places.tolist(), *speeds.tolist(), float(energy)]
    atoms.set_momenta(factor * atoms.get_momenta(), apply_constraint=False)


def chain_of(atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
    """Places of the thermostats and their velocities; at first they rest."""
    held = np.array(atoms.info.get(KEY, [0.0] * (2 * LINKS + 1)), dtype=float)
    return held[:LINKS].copy(), held[LINKS : 2 * LINKS].copy()
