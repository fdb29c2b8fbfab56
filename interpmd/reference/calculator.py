"""Any reference method as an ASE calculator, for MD, relaxations and vibrations."""

from __future__ import annotations

from ase.calculators.calculator import Calculator, CalculatorSetupError, all_changes

from interpmd.reference.methods import XTB, XTB_METHODS, missing, one_thread, resolve

SAMPLING_ACCURACY = 0.1


class ReferenceCalculator(Calculator):
    """ASE calculator of a method that :func:`interpmd.label` knows.

    Charge and multiplicity are fixed here, not read from ``atoms.info``. Raises
    UnknownMethodError at construction and CalculationError at evaluation.
    """

    implemented_properties = ["energy", "forces", "stress"]

    def __init__(self, method: str = "gfn2-xtb", charge: int = 0, multiplicity: int = 1):
        super().__init__()
        self.method = resolve(method)
        self.charge = charge
        self.multiplicity = multiplicity

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        found = self.method.evaluate(self.atoms, self.charge, self.multiplicity)
        self.results = {"energy": found.energy, "forces": found.forces}
        if found.stress is not None:
            self.results["stress"] = found.stress


def as_calculator(method: str | Calculator, charge: int = 0, multiplicity: int = 1) -> Calculator:
    """A calculator as it is; a name as a calculator of that method, made for many small steps.

    Tight binding goes through tblite's own ASE calculator, which starts each step from the
    charges of the one before (twice as fast as starting anew). Raises UnknownMethodError,
    CalculatorSetupError for what is neither a name nor a calculator.
    """
    if not isinstance(method, str):
        if not hasattr(method, "get_forces"):
            raise CalculatorSetupError(f"{method!r} is neither a method's name nor a calculator")
        return method
    level = resolve(method)
    if not isinstance(level, XTB):
        return ReferenceCalculator(method, charge, multiplicity)
    try:
        with one_thread():
            from tblite.ase import TBLite
    except ImportError as error:
        raise missing("tblite") from error
    return TBLite(
        method=XTB_METHODS[level.name],
        charge=charge,
        multiplicity=multiplicity,
        accuracy=SAMPLING_ACCURACY,
        verbosity=0,
    )
