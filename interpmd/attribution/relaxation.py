"""The minimum of a model, by ASE's optimisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ase import Atoms
from ase.calculators.calculator import all_changes
from ase.optimize import BFGSLineSearch

from interpmd.attribution.models import Model
from interpmd.errors import ModelError
from interpmd.structures.charges import StatefulCalculator


def relaxed(model: Model, atoms: Atoms, force: float = 0.01, steps: int = 500) -> Atoms:
    """The minimum that the model's forces lead to, by ASE's BFGS with a line search.

    Args:
        model: energies and forces.
        atoms: where to start; constraints are not kept.
        force: largest force that is left, in eV/Å.
        steps: at most.

    Raises:
        ModelError: no minimum within that number of steps.
    """
    minimum = atoms.copy()
    minimum.set_constraint()
    minimum.calc = ModelCalculator(model)
    if not BFGSLineSearch(minimum, logfile=None).run(fmax=force, steps=steps):
        raise ModelError(
            f"{model.name} reached no minimum of {atoms.symbols} in {steps} steps (forces below "
            f"{force} eV/Å); pass a structure as reference"
        )
    minimum.calc = None
    return minimum


class ModelCalculator(StatefulCalculator):
    """A model as an ASE calculator, for ASE's optimisers."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Energy and forces of the model."""
        super().calculate(atoms, properties, system_changes)
        energies, forces = self.model.evaluate([self.atoms])
        self.results = {"energy": float(energies[0]), "forces": forces[0]}
