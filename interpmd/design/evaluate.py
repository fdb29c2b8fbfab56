"""One molecule: built, relaxed in every state of an objective, looked at, and its number."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.design.geometry import (
    Relaxed,
    _turn,
    changed_bonds,
    first_guesses,
    relaxed,
    torsion,
)
from interpmd.design.objectives.base import Objective, State
from interpmd.design.scaffold import Design, Space
from interpmd.dynamics.modes import normal_modes
from interpmd.errors import InterpmdError, MissingPackageError
from interpmd.reference.calculator import as_calculator


@dataclass(frozen=True)
class Effort:
    """How much is spent on a structure.

    Attributes:
        guesses: structures that are relaxed for each state.
        fmax: largest force in eV/Å that is left.
        steps: most steps of a relaxation.
        minima: whether the normal modes of each relaxed structure are looked at.
        grade: extrapolation grade at which a potential is no longer believed: the relaxation ends
            there, with that as the reason; None to go on anyhow.
    """

    guesses: int = 2
    fmax: float = 0.03
    steps: int = 300
    minima: bool = False
    grade: float | None = None


@dataclass(frozen=True)
class Evaluated:
    """What became of one molecule.

    Attributes:
        design: numbers of the groups.
        smiles: of the molecule.
        value: of the objective; None if there is none.
        reason: why there is no value, or why it is not that of the molecule that was meant (its
            proton moved); None if it is sound.
        doubts: what else makes the value suspicious: not a minimum, high grade.
        structures: the lowest relaxed structure of each state, with energies and forces.
        grade: largest extrapolation grade of these; None where the model has none.
        seconds: that it took.
        guesses: structures that were relaxed for each state; 0 if not known.
    """

    design: Design
    smiles: str
    value: float | None
    reason: str | None = None
    doubts: tuple[str, ...] = ()
    structures: dict[str, Atoms] = field(default_factory=dict)
    grade: float | None = None
    seconds: float = 0.0
    guesses: int = 0

    @property
    def sound(self) -> bool:
        """Whether the value is that of the molecule that was meant."""
        return self.value is not None and self.reason is None


#: Wave number in 1/cm of a mode below which a structure is no minimum; those of rotors that are
#: not quite relaxed lie above.
UNSTABLE = -80.0

#: Words for a relaxation that ended where the potential is not believed.
LEFT_DATA = "left what the potential knows"

#: Extrapolation grade from which a potential's value is doubted.
DOUBTFUL_GRADE = 1.0


def evaluate(
    space: Space, objective: Objective, model: str | Calculator, effort: Effort, design: Design
) -> Evaluated:
    """Build, relax and judge one molecule; never raises for what is wrong with the molecule.

    Raises:
        MissingPackageError: a package is not installed.
        UnknownLevelError: there is no such model.
    """
    began = time.perf_counter()
    calculator = as_calculator(model)
    smiles, structures, reasons, doubts = "", {}, [], []
    value = None
    try:
        molecule = space.molecule(design)
        smiles = space.smiles(design)
        for number, state in enumerate(objective.states(molecule)):
            lowest, reason = _lowest(state, calculator, effort, number)
            structures[state.name] = lowest.atoms
            if lowest.left is not None:
                reason = f"{LEFT_DATA} (grade {lowest.left:.1f})"
            if reason is not None:
                reasons.append(f"{state.name}: {reason}")
            if lowest.left is not None:
                continue
            if not lowest.converged:
                doubts.append(f"{state.name}: not converged after {lowest.steps} steps")
            elif effort.minima and not state.held and len(lowest.atoms) > 1:
                modes = normal_modes(calculator, lowest.atoms, progress=False)
                slowest = float(min(modes.wave_numbers, default=0))
                if slowest < UNSTABLE:
                    words = f"not a minimum (a mode of {-slowest:.0f}i 1/cm)"
                    doubts.append(f"{state.name}: {words}")
        value = float(objective.value(structures, calculator))
        if not np.isfinite(value):
            value, reasons = None, [*reasons, "the objective is no finite number"]
    except MissingPackageError:
        raise
    except InterpmdError as error:
        reasons.append(str(error))
    except Exception as error:  # the objective is the user's
        reasons.append(f"{type(error).__name__}: {error}")
    grade = _grade(calculator, structures)
    if grade is not None and grade > DOUBTFUL_GRADE:
        doubts.append(f"beyond the training data (grade {grade:.1f})")
    return Evaluated(
        design,
        smiles,
        value,
        "; ".join(reasons) or None,
        tuple(doubts),
        structures,
        grade,
        time.perf_counter() - began,
        effort.guesses,
    )


def _lowest(
    state: State, calculator: Calculator, effort: Effort, number: int
) -> tuple[Relaxed, str | None]:
    """The lowest sound structure of a state, else the lowest, and what is wrong with it."""
    starts: list[Any] = list(state.structures) or first_guesses(
        state.molecule, state.guess, effort.guesses, seed=number
    )
    found = []
    for start in starts:
        there = relaxed(start, calculator, effort.fmax, effort.steps, state.held, effort.grade)
        found.append((there, _wrong(state, there.atoms)))
    sound = [pair for pair in found if pair[1] is None]
    # a structure at which the potential is not believed says nothing of what is lower
    return min(sound or found, key=lambda pair: (pair[0].left is None, pair[0].energy))


def _wrong(state: State, atoms: Atoms) -> str | None:
    """Why a structure is not of its state; None if it is."""
    if (changed := changed_bonds(state.molecule, atoms)) is not None:
        return changed
    for four, angle in state.keeps.items():
        now = torsion(atoms, four)
        if abs(_turn(now - angle)) > state.within:
            name = "-".join(f"{atoms.symbols[a]}{a}" for a in four)
            return f"the torsion {name} went to {now:.0f} degrees"
    return None


def _grade(calculator: Calculator, structures: dict[str, Atoms]) -> float | None:
    """Largest extrapolation grade of structures; None for a model without error bars."""
    if "extrapolation" not in getattr(calculator, "implemented_properties", ()):
        return None
    grades = []
    for atoms in structures.values():
        try:
            found = calculator.get_property("extrapolation", atoms.copy())
        except Exception:  # a potential without posterior
            return None
        grades.append(float(np.max(found)))
    return max(grades, default=None)
