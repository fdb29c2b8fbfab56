"""What an engine is: something that moves a structure through some steps.

All that an engine knows between two calls stands in the structure (positions, momenta, cell), and
all noise comes from the generator that it is given. So whatever it is, a run that goes on from its
last frame gives the numbers of the run without a break.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.dynamics.engines.couplings import couple
from interpmd.dynamics.engines.nose_hoover import half_step, most_steps
from interpmd.dynamics.engines.plan import Plan
from interpmd.errors import SimulationError, StructureError
from interpmd.potentials.calculator import InterpmdCalculator

#: Steps after which thermostat and barostat act on the structure as a whole.
EVERY = 10


class Engine(ABC):
    """Moves the atoms of one structure, or of several by the same plan.

    Args:
        structures: with momenta and calculators; they move.
        plan: ensemble and how it is kept.

    Attributes:
        name: by which `simulate` knows it.
        done: steps since the engine was made.
    """

    name: ClassVar[str]

    def __init__(self, structures: Sequence[Atoms], plan: Plan) -> None:
        self.structures, self.plan = list(structures), plan
        self.done = 0

    @abstractmethod
    def move(self, steps: int, rngs: Sequence[np.random.Generator]) -> None:
        """Move the atoms by velocity Verlet, or by Langevin dynamics if the plan says so.

        Args:
            steps: number of steps.
            rngs: of the noise of each structure.
        """

    def advance(self, steps: int, rngs: Sequence[np.random.Generator]) -> None:
        """Move the atoms, thermostat and barostat included.

        Raises:
            SimulationError: atoms ran into each other, or the temperature or the volume are far
                from those asked for.
        """
        plan = self.plan
        coupled = plan.bussi or plan.nose_hoover or plan.ensemble == "npt"
        most = min(EVERY, most_steps(plan)) if plan.nose_hoover else EVERY
        end = self.done + steps
        while self.done < end:
            part = min(most, end - self.done) if coupled else steps
            before = self.done
            self._half_chain(part)
            try:
                self.move(part, rngs)
            except StructureError as error:
                raise SimulationError(
                    f"the simulation broke after step {self.done}: {str(error).split(';')[0]}; the "
                    "structure is far from the training data, or the timestep is too long"
                ) from error
            self.done = before + part
            self._half_chain(part)
            if coupled:
                for atoms, rng in zip(self.structures, rngs, strict=True):
                    couple(atoms, plan, part, rng)
        for atoms in self.structures:
            now = atoms.get_temperature()
            if not np.isfinite(now) or now > 20 * plan.temperature + 5000:
                raise SimulationError(
                    f"the simulation exploded at step {self.done}: temperature {now:.4g} K; take a "
                    "shorter timestep or a structure nearer to the training data"
                )

    def _half_chain(self, steps: int) -> None:
        if self.plan.nose_hoover:
            for atoms in self.structures:
                half_step(atoms, self.plan, steps)


class OneByOne(Engine):
    """An engine that knows one structure; several have one each.

    Attributes:
        atoms: the structure, if it is one.
    """

    def __init__(self, structures: Sequence[Atoms], plan: Plan) -> None:
        super().__init__(structures, plan)
        self.atoms = self.structures[0]
        self._others = [type(self)([atoms], plan) for atoms in self.structures[1:]]

    @abstractmethod
    def move_one(self, steps: int, rng: np.random.Generator) -> None:
        """As `move`, for `atoms`."""

    def move(self, steps: int, rngs: Sequence[np.random.Generator]) -> None:
        self.move_one(steps, rngs[0])
        for engine, rng in zip(self._others, rngs[1:], strict=True):
            engine.move_one(steps, rng)


class Evaluator:
    """Energy and forces wherever the atoms are, for engines that keep them themselves.

    Args:
        atoms: with a calculator.
    """

    def __init__(self, atoms: Atoms) -> None:
        self._calculator = atoms.calc
        self._here = atoms.copy()
        self._here.set_constraint()
        self._results: dict[str, Any] = {}
        self._known = None

    def at(self, positions: Float[np.ndarray, "atoms 3"]) -> tuple[float, np.ndarray]:
        """Energy in eV and forces in eV/Å.

        Raises:
            StructureError: see the calculator.
        """
        here = self._here
        if not self._results or not (positions == here.positions).all():
            here.positions[...] = positions
            self._results = self._evaluate()
        return self._results["energy"], self._results["forces"]

    def begin(self, atoms: Atoms) -> None:
        """Take the cell of a structure, which may have changed."""
        if not np.array_equal(atoms.cell.array, self._here.cell.array):
            self._here.set_cell(atoms.cell)
            self._results, self._known = {}, None

    def end(self, atoms: Atoms) -> None:
        """Give the structure's calculator the last results, if the atoms are where those are of."""
        calculator = self._calculator
        if (
            isinstance(calculator, InterpmdCalculator)
            and self._results
            and np.array_equal(atoms.positions, self._here.positions)
        ):
            calculator.take(atoms, self._results)

    def _evaluate(self) -> dict[str, Any]:
        here, calculator = self._here, self._calculator
        if isinstance(calculator, InterpmdCalculator):
            results = calculator.results_at(here, known=self._known)
            if self._known is None:
                self._known = calculator.ready()
            return results
        here.calc = calculator
        return {"energy": here.get_potential_energy(), "forces": here.get_forces()}
