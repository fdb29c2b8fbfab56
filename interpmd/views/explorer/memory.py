"""A potential that remembers: one table per frame and order, however many questions are asked."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.attribution.models import Model, PotentialModel, as_model
from interpmd.decomposition import Decomposition

#: Rows of tables that are kept, some hundred megabytes at most; the oldest tables go first.
ROWS = 1_000_000
#: Predictions that are kept.
PREDICTIONS = 10_000


class Remembering(Model):
    """A model for `explain` whose evaluations and tables are kept.

    Args:
        model: what `explain` takes.
        rows: number of rows of tables to keep.
    """

    def __init__(self, model: Any, rows: int = ROWS) -> None:
        self.model = as_model(model)
        self.name, self.provenance = self.model.name, self.model.provenance
        self._evaluated: OrderedDict[Any, Any] = OrderedDict()
        if isinstance(self.model, PotentialModel):
            self.potential = _RememberingPotential(self.model.potential, rows)  # type: ignore[assignment]

    def evaluate(self, frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
        energies, forces = [], []
        for atoms in frames:

            def ask(atoms: Atoms = atoms) -> tuple[float, np.ndarray]:
                energy, force = self.model.evaluate([atoms])
                return float(energy[0]), np.asarray(force[0])

            energy, force = _remembered(self._evaluated, _identity(atoms), ask)
            while len(self._evaluated) > PREDICTIONS:
                self._evaluated.popitem(last=False)
            energies.append(energy)
            forces.append(force)
        return np.array(energies), forces


class _RememberingPotential:
    """A potential whose tables are kept; everything else is the potential's own."""

    def __init__(self, potential: Any, rows: int) -> None:
        self._potential, self._rows = potential, rows
        self._tables: OrderedDict[Any, Decomposition] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._potential, name)

    def decompose(self, atoms: Atoms, order: int | None = None) -> Decomposition:
        table = _remembered(
            self._tables,
            (order, _identity(atoms)),
            lambda: self._potential.decompose(atoms, order=order),
        )
        while len(self._tables) > 1 and sum(map(len, self._tables.values())) > self._rows:
            self._tables.popitem(last=False)
        return table


def _identity(atoms: Atoms) -> tuple:
    return (
        atoms.numbers.tobytes(),
        atoms.positions.tobytes(),
        atoms.cell.array.tobytes(),
        atoms.pbc.tobytes(),
    )


def _remembered(store: OrderedDict, key: Any, make: Callable[[], Any]) -> Any:
    if key not in store:
        store[key] = make()
    store.move_to_end(key)
    return store[key]
