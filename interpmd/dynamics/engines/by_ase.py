"""ASE's integrators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from ase import Atoms

from interpmd.dynamics.engines.base import OneByOne
from interpmd.dynamics.engines.plan import Plan
from interpmd.structures.motion import integrator


class ASEEngine(OneByOne):
    """Velocity Verlet, or Langevin dynamics after Vanden-Eijnden and Ciccotti; any constraint of
    ASE."""

    name: ClassVar[str] = "ase"

    def __init__(self, structures: Sequence[Atoms], plan: Plan) -> None:
        super().__init__(structures, plan)
        atoms = self.atoms
        ensemble = "nvt" if plan.langevin else "nve"
        self._dynamics = integrator(atoms, ensemble, plan.temperature, plan.timestep, plan.friction)

    def move_one(self, steps: int, rng: np.random.Generator) -> None:
        before, self._dynamics.rng = self._dynamics.nsteps, rng
        first = self.done
        try:
            self._dynamics.run(steps)
        finally:
            self.done = first + self._dynamics.nsteps - before
