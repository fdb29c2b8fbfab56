"""Any ASE calculator as a level of theory: another potential, or a code of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError

from interpmd.errors import CalculationError
from interpmd.levels.calculation import Result, checked, version
from interpmd.structures.charges import for_calculators

#: Parameters that say how and not what is computed.
ASIDE = {"charge", "multiplicity", "verbosity", "label", "directory", "command", "txt", "cache_api"}


@dataclass(frozen=True, eq=False)
class CalculatorLevel:
    """A level of theory that an ASE calculator stands for.

    Its name is that of the calculator with its parameters, so that a file of labels is not resumed
    with others; of a potential of interpmd it holds a hash of the weights.

    Attributes:
        calculator: asked for one structure after the other.
    """

    calculator: Calculator

    @property
    def name(self) -> str:
        """The calculator's name and what it was made with."""
        own = str(getattr(self.calculator, "name", None) or type(self.calculator).__name__).lower()
        if (potential := getattr(self.calculator, "potential", None)) is not None:
            level = potential.card.level or "potential"
            return f"{own} {level} {self.calculator.fingerprint}"
        if hasattr(self.calculator, "level"):  # of this room
            return str(getattr(self.calculator.level, "name", own))
        given = dict(getattr(self.calculator, "parameters", None) or {})
        words = [f"{k}={v}" for k, v in sorted(given.items()) if k not in ASIDE and v is not None]
        return f"{own}({', '.join(words)})" if words else own

    @property
    def code(self) -> str:
        """The package of the calculator and its version."""
        package = type(self.calculator).__module__.partition(".")[0]
        return f"{package} {version(package)}"

    @property
    def charge(self) -> float | None:
        """The charge that the calculator was made with, None if it takes that of the structure."""
        given = getattr(self.calculator, "parameters", None) or {}
        found = dict(given).get("charge", getattr(self.calculator, "charge", None))
        return None if found is None else float(found)

    def evaluate(self, atoms: Atoms, charge: int = 0, multiplicity: int = 1) -> Result:
        """Energy, forces and, in a fully periodic cell, stress, without constraints.

        Raises CalculationError where the calculator fails or was made for another charge.
        """
        reads = getattr(self.calculator, "reads_charge", False)
        if not reads and self.charge is not None and self.charge != charge:
            raise CalculationError(
                f"{self.name} was made with charge={self.charge:g}, and the structure has {charge}"
            )
        named = atoms.copy()
        named.info |= {"charge": charge, "multiplicity": multiplicity}
        alone = for_calculators(named)
        alone.calc = self.calculator
        try:
            forces = np.array(alone.get_forces(apply_constraint=False), dtype=float)
            energy = float(alone.get_potential_energy(apply_constraint=False))
        except CalculatorError as error:
            raise CalculationError(f"{self.name} failed: {error}") from error
        stress = None
        if atoms.pbc.all() and "stress" in self.calculator.implemented_properties:
            stress = np.array(alone.get_stress(apply_constraint=False), dtype=float)
        return checked(Result(energy, forces, stress), self.name)


def is_calculator(thing: Any) -> bool:
    """Whether something is an ASE calculator rather than the name of a level."""
    return not isinstance(thing, str) and hasattr(thing, "get_forces")
