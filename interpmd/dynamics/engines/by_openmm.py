"""OpenMM's integrators, with forces of any potential by its `PythonForce`.

OpenMM computes in whatever units it is given: here Å, u and eV as in ASE, so that nothing is
rounded on the way. On its reference platform, in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms, units

from interpmd.dynamics.engines.base import Evaluator, OneByOne
from interpmd.dynamics.engines.constraints import held
from interpmd.dynamics.engines.plan import Plan
from interpmd.extras import required

#: Relative error of constrained distances.
TOLERANCE = 1e-10


class OpenMMEngine(OneByOne):
    """Velocity Verlet, or Langevin dynamics by the splitting BAOAB (Leimkuhler and Matthews, Appl.
    Math. Res. Express 2013, 34), whose structures are those of OpenMM's "Langevin middle"
    integrator, and whose velocities are those of the same time.

    Constraints: `FixAtoms` and `FixBondLengths` of ASE.

    Raises:
        ArgumentError: another constraint.
        MissingPackageError: OpenMM is not installed.
    """

    name: ClassVar[str] = "openmm"

    def __init__(self, structures: Sequence[Atoms], plan: Plan) -> None:
        super().__init__(structures, plan)
        atoms = self.atoms
        openmm = required("openmm", "engine='openmm'")
        self._failed: BaseException | None = None
        self._evaluator, self._error = Evaluator(atoms), openmm.OpenMMException
        fixed, lengths = held(atoms, self.name)
        self._masses = atoms.get_masses()
        moving = self._masses.copy()
        moving[fixed] = 0.0
        system = openmm.System()
        for mass in moving:
            system.addParticle(mass)
        for first, second, length in lengths:
            system.addConstraint(first, second, length)
        system.addForce(openmm.PythonForce(self._forces))
        self._integrator = openmm.CustomIntegrator(plan.timestep * units.fs)
        self._integrator.setConstraintTolerance(TOLERANCE)
        _write_steps(self._integrator, plan.langevin, bool(lengths))
        self._noise = None
        if plan.langevin:
            kept = math.exp(-plan.friction * plan.timestep)
            self._integrator.setGlobalVariableByName("kept", kept)
            free = moving > 0
            width = np.zeros(len(atoms))
            width[free] = np.sqrt((1 - kept**2) * plan.thermal_energy / moving[free])
            self._noise = width[:, None]
        platform = openmm.Platform.getPlatformByName("Reference")
        self._context = openmm.Context(system, self._integrator, platform)

    def move_one(self, steps: int, rng: np.random.Generator) -> None:
        atoms, context = self.atoms, self._context
        self._evaluator.begin(atoms)
        context.setPositions(atoms.positions)
        context.setVelocities(atoms.get_momenta() / self._masses[:, None])
        try:
            if self._noise is None:
                self._integrator.step(steps)
            else:
                for _ in range(steps):
                    noise = self._noise * rng.standard_normal((len(atoms), 3))
                    self._integrator.setPerDofVariableByName("noise", noise)
                    self._integrator.step(1)
        except self._error:
            failed, self._failed = self._failed, None
            if failed is None:
                raise
            raise failed from None
        state = context.getState(positions=True, velocities=True)
        velocities = state.getVelocities(asNumpy=True)._value
        atoms.set_positions(state.getPositions(asNumpy=True)._value, apply_constraint=False)
        atoms.set_momenta(velocities * self._masses[:, None], apply_constraint=False)
        self._evaluator.end(atoms)

    def _forces(self, state: Any) -> tuple[float, np.ndarray]:
        """Called by OpenMM, which would make any error one of its own."""
        try:
            return self._evaluator.at(state.getPositions(asNumpy=True)._value)
        except BaseException as error:
            self._failed = error
            raise


def _write_steps(integrator: Any, langevin: bool, constrained: bool) -> None:
    """The steps of velocity Verlet, or of BAOAB."""

    def kick() -> None:
        integrator.addComputePerDof("v", "v + 0.5*dt*f/m")
        if constrained:
            integrator.addConstrainVelocities()

    def drift(part: str) -> None:
        integrator.addComputePerDof("x", f"x + {part}*dt*v")
        if constrained:
            integrator.addComputePerDof("free", "x")
            integrator.addConstrainPositions()
            integrator.addComputePerDof("v", f"v + (x - free)/({part}*dt)")
            integrator.addConstrainVelocities()

    if constrained:
        integrator.addPerDofVariable("free", 0)
    if langevin:
        integrator.addPerDofVariable("noise", 0)
        integrator.addGlobalVariable("kept", 1)
    kick()
    if langevin:
        drift("0.5")
        integrator.addComputePerDof("v", "kept*v + noise")
        if constrained:
            integrator.addConstrainVelocities()
        drift("0.5")
    else:
        drift("1")
    kick()
