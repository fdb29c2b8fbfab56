"""Energies and forces of whatever is distilled, or the labels of the frames themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd.errors import LabelError, ModelError
from interpmd.fitting import labels
from interpmd.levels.by_calculator import CalculatorLevel
from interpmd.potentials.potential import Potential
from interpmd.reference.calculator import as_calculator
from interpmd.structures.charges import multiplicity_of, whole_charge
from interpmd.structures.threads import one_thread


def name_of(model: Any) -> str:
    """What is distilled, for people."""
    if model is None:
        return "labels of the frames"
    if isinstance(model, Potential):
        return f"potential of {model.card.level or ', '.join(model.terms)}"
    if isinstance(model, str):
        return model
    return str(getattr(model, "name", None) or type(model).__name__)


@one_thread()
def taught(
    model: Any, frames: Sequence[Atoms], progress: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Energies in eV, NaN where there are none, and forces in eV/Å of each frame.

    Args:
        model: a potential, an ASE calculator, the name of a level, something with
            ``evaluate(frames)`` that returns both; None for the labels of the frames.
        frames: structures.
        progress: whether to show a bar.

    Raises:
        ModelError: none of these.
        LabelError: labels are asked for, and a frame has no forces.
        UnknownLevelError, CalculationError: see `interpmd.label`.
    """
    if model is None:
        return _labels(frames)
    if isinstance(model, Potential):
        model = model.calculator()
    if hasattr(model, "evaluate") and not isinstance(model, str):
        energies, forces = model.evaluate(list(frames))
        return np.asarray(energies), [np.asarray(f) for f in forces]
    if not isinstance(model, str) and not hasattr(model, "get_forces"):
        raise ModelError(
            f"cannot distil {type(model).__name__}: pass a Potential, an ASE calculator, the name "
            'of a level ("gfn2-xtb"), a TorchModel, or None for the labels of the frames'
        )
    calculator: Calculator = as_calculator(model)
    level = CalculatorLevel(calculator)
    energies, forces = [], []
    for atoms in tqdm(frames, desc="evaluate", unit="frame", disable=not progress):
        charge = whole_charge(atoms, level.charge or 0)
        result = level.evaluate(atoms, charge, multiplicity_of(atoms, 1))
        energies.append(result.energy)
        forces.append(result.forces)
    return np.array(energies), forces


def _labels(frames: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
    forces = []
    for number, atoms in enumerate(frames):
        known = labels.forces([atoms])
        if not np.isfinite(known).all():
            raise LabelError(
                f"frame {number} ({atoms.symbols}) has no forces: label the frames (im.label), or "
                "give the model that is to be distilled"
            )
        forces.append(known)
    return labels.energies(frames), forces
