"""TorchSim: many structures in one batch, on the CPU or a GPU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from ase import Atoms, units
from jaxtyping import Float
from torch import Tensor

from interpmd.dynamics.engines.base import Engine, Evaluator
from interpmd.dynamics.engines.constraints import held
from interpmd.dynamics.engines.plan import Plan
from interpmd.extras import required
from interpmd.potentials.calculator import InterpmdCalculator
from interpmd.potentials.sum import Prediction, TermSum
from interpmd.structures.systems import Batch


class TorchSimEngine(Engine):
    """Velocity Verlet, or Langevin dynamics by the splitting BAOAB; on the potential's device.

    Each structure has noise of its own, so that it moves in a batch as it would alone (to
    rounding). Constraint: `FixAtoms` of ASE.

    Raises:
        ArgumentError: another constraint.
        MissingPackageError: TorchSim is not installed.
    """

    name: ClassVar[str] = "torch_sim"

    def __init__(self, structures: Sequence[Atoms], plan: Plan) -> None:
        super().__init__(structures, plan)
        self._md = required("torch_sim.integrators.md", "engine='torch_sim'")
        self._model = Model(self.structures)
        self._ends = np.cumsum([len(atoms) for atoms in self.structures])[:-1]
        free = [np.ones((len(atoms), 1)) for atoms in self.structures]
        for atoms, mask in zip(self.structures, free, strict=True):
            mask[held(atoms, self.name, lengths_too=False)[0]] = 0.0
        self._free = self._model.tensor(np.concatenate(free))
        self._masses = np.concatenate([atoms.get_masses() for atoms in self.structures])
        self._kept = math.exp(-plan.friction * plan.timestep)
        self._noise = np.sqrt((1 - self._kept**2) * plan.thermal_energy * self._masses)[:, None]

    def move(self, steps: int, rngs: Sequence[np.random.Generator]) -> None:
        model, md = self._model, self._md
        model.begin()
        step = torch.tensor(self.plan.timestep * units.fs, dtype=torch.float64)
        state = self._state()
        for _ in range(steps):
            state = md.momentum_step(state, step / 2)
            if self.plan.langevin:
                state = md.position_step(state, step / 2)
                state.momenta = self._kept * state.momenta + self._kicks(rngs)
                state = md.position_step(state, step / 2)
            else:
                state = md.position_step(state, step)
            state.energy, forces = model.at(state.positions)
            state.forces = self._free * forces
            state = md.momentum_step(state, step / 2)
        positions = state.positions.double().cpu().numpy()
        momenta = state.momenta.double().cpu().numpy()
        for atoms, x, p in zip(
            self.structures,
            np.split(positions, self._ends),
            np.split(momenta, self._ends),
            strict=True,
        ):
            atoms.set_positions(x, apply_constraint=False)
            atoms.set_momenta(p, apply_constraint=False)
        model.end()

    def _kicks(self, rngs: Sequence[np.random.Generator]) -> Tensor:
        drawn = [
            rng.standard_normal((len(atoms), 3))
            for atoms, rng in zip(self.structures, rngs, strict=True)
        ]
        return self._free * self._model.tensor(self._noise * np.concatenate(drawn))

    def _state(self) -> Any:
        """The structures as TorchSim has them; periodic cells are the potential's matter, so that
        positions come back as they are."""
        model = self._model
        positions = model.tensor(np.concatenate([atoms.positions for atoms in self.structures]))
        momenta = model.tensor(np.concatenate([atoms.get_momenta() for atoms in self.structures]))
        energy, forces = model.at(positions)
        return self._md.MDState(
            positions=positions,
            momenta=self._free * momenta,
            energy=energy,
            forces=self._free * forces,
            masses=model.tensor(self._masses),
            cell=model.tensor(np.stack([np.eye(3)] * len(self.structures))),
            pbc=False,
            system_idx=torch.as_tensor(
                np.repeat(np.arange(len(self.structures)), [len(a) for a in self.structures])
            ).to(positions.device),
            atomic_numbers=torch.as_tensor(
                np.concatenate([atoms.numbers for atoms in self.structures])
            ).to(positions.device),
        )


class Model:
    """Energies and forces of several structures at once.

    By one call of a potential for all where they share one; else by their calculators.

    Args:
        structures: with calculators.
    """

    def __init__(self, structures: Sequence[Atoms]) -> None:
        self._structures = structures
        self._several = [Evaluator(atoms) for atoms in structures]
        self._calculators: list[Any] = [atoms.calc for atoms in structures]
        self._potential = _shared(self._calculators)
        self._device = "cpu" if self._potential is None else self._potential.device
        self._batch: Batch | None = None
        self._last: Prediction | None = None

    def tensor(self, values: np.ndarray) -> Tensor:
        """Values in float64 where the structures are evaluated."""
        return torch.as_tensor(values, dtype=torch.float64).to(self._device)

    def begin(self) -> None:
        """Take the cells of the structures, which may have changed."""
        if self._potential is not None:
            self._batch = self._potential.batch(self._structures)
        for evaluator, atoms in zip(self._several, self._structures, strict=True):
            evaluator.begin(atoms)

    def at(self, positions: Float[Tensor, "atoms 3"]) -> tuple[Tensor, Tensor]:
        """Energies in eV and forces in eV/Å.

        Raises:
            StructureError: see the potential.
        """
        if self._potential is not None and self._batch is not None:
            here = self._batch.with_positions(positions.to(self._potential.dtype))
            predicted = self._last = self._potential.predict(here)
            return predicted.energy.double().detach(), predicted.forces.double().detach()
        ends = np.cumsum([len(atoms) for atoms in self._structures])[:-1]
        found = [
            evaluator.at(x)
            for evaluator, x in zip(self._several, np.split(positions.numpy(), ends), strict=True)
        ]
        energies, forces = zip(*found, strict=True)
        return self.tensor(np.array(energies)), self.tensor(np.concatenate(forces))

    def end(self) -> None:
        """Leave what was computed last to the structures' calculators."""
        if self._last is None:
            for evaluator, atoms in zip(self._several, self._structures, strict=True):
                evaluator.end(atoms)
            return
        first, energies = 0, self._last.energy.tolist()
        sites, forces = (
            values.detach().double().cpu().numpy()
            for values in (self._last.site_energies, self._last.forces)
        )
        for atoms, calculator, energy in zip(
            self._structures, self._calculators, energies, strict=True
        ):
            here = slice(first, first + len(atoms))
            first = here.stop
            results = {"energy": energy, "free_energy": energy}
            results |= {"energies": sites[here], "forces": forces[here]}
            calculator.take(atoms, results)


def _shared(calculators: Sequence[Any]) -> TermSum | None:
    """The potential of several calculators, or of one on a GPU, if they have one and the same, in
    float64."""
    first = calculators[0]
    if not isinstance(first, InterpmdCalculator):
        return None
    if len(calculators) == 1 and first.potential.device.type == "cpu":
        return None  # generated code is quicker
    for other in calculators:
        if not isinstance(other, InterpmdCalculator) or other.potential is not first.potential:
            return None
    return first.potential if first.precision == "float64" else None
