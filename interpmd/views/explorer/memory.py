"""A model that remembers: one evaluation and one table a frame, whatever is asked about it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.attribution.models import Model, ModelPosterior, as_model, identity
from interpmd.decomposition import Decomposition

#: Predictions that are kept.
PREDICTIONS = 10_000


class Remembering(Model):
    """A model for `explain` that keeps its evaluations, as every model keeps its tables.

    Args:
        model: what `explain` takes.
    """

    def __init__(self, model: Any) -> None:
        self.model = as_model(model)
        self.name, self.provenance = self.model.name, self.model.provenance
        self.potential = self.model.potential
        self._evaluated: OrderedDict[tuple, tuple[float, np.ndarray]] = OrderedDict()

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        energies, forces = [], []
        for atoms in frames:
            key = identity(atoms)
            if key not in self._evaluated:
                energy, force = self.model.evaluate([atoms])
                self._evaluated[key] = float(energy[0]), np.asarray(force[0])
            self._evaluated.move_to_end(key)
            energy_of_frame, forces_of_frame = self._evaluated[key]
            while len(self._evaluated) > PREDICTIONS:
                self._evaluated.popitem(last=False)
            energies.append(energy_of_frame)
            forces.append(forces_of_frame)
        return np.array(energies), forces

    def posterior(self, frames: Sequence[Atoms]) -> ModelPosterior | None:
        return self.model.posterior(frames)

    def table(self, atoms: Atoms, order: int | None = None, forces: bool = True) -> Decomposition:
        # the next question about this frame will be about forces
        return self.model.table(atoms, order, forces=True)
