"""Any level of theory as an ASE calculator, for MD, relaxations and vibrations."""

from __future__ import annotations

from ase.calculators.calculator import Calculator, CalculatorSetupError, all_changes

from interpmd.extras import required
from interpmd.keywords import renamed
from interpmd.reference.calculation import one_openmp_thread
from interpmd.reference.levels import resolve
from interpmd.reference.xtb import XTB, XTB_METHODS

SAMPLING_ACCURACY = 0.1


class ReferenceCalculator(Calculator):
    """ASE calculator of a level of theory that :func:`interpmd.label` knows.

    Charge and multiplicity are fixed here, not read from ``atoms.info``. Raises
    UnknownLevelError at construction and CalculationError at evaluation.
    """

    implemented_properties = ["energy", "forces", "stress"]

    @renamed(method="level")
    def __init__(self, level: str = "gfn2-xtb", charge: int = 0, multiplicity: int = 1):
        super().__init__()
        self.level = resolve(level)
        self.charge = charge
        self.multiplicity = multiplicity

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        result = self.level.evaluate(self.atoms, self.charge, self.multiplicity)
        self.results = {"energy": result.energy, "forces": result.forces}
        if result.stress is not None:
            self.results["stress"] = result.stress


@renamed(method="level")
def as_calculator(level: str | Calculator, charge: int = 0, multiplicity: int = 1) -> Calculator:
    """A calculator as it is; a name as a calculator of that level, made for many small steps.

    Tight binding goes through tblite's own ASE calculator, which starts each step from the
    charges of the one before (twice as fast as starting anew). Raises UnknownLevelError,
    CalculatorSetupError for what is neither a name nor a calculator.
    """
    if not isinstance(level, str):
        if not hasattr(level, "get_forces"):
            raise CalculatorSetupError(
                f"{level!r} is neither the name of a level of theory nor a calculator"
            )
        return level
    theory = resolve(level)
    if not isinstance(theory, XTB):
        return ReferenceCalculator(level, charge, multiplicity)
    with one_openmp_thread():
        tblite = required("tblite.ase", "sampling by xTB")
    return tblite.TBLite(
        method=XTB_METHODS[theory.name],
        charge=charge,
        multiplicity=multiplicity,
        accuracy=SAMPLING_ACCURACY,
        verbosity=0,
    )
