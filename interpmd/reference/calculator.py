"""Any level of theory as an ASE calculator, for MD, relaxations and vibrations."""

from __future__ import annotations

from ase.calculators.calculator import Calculator, all_changes

from interpmd.errors import ModelError, UnknownLevelError
from interpmd.extras import required
from interpmd.keywords import renamed
from interpmd.levels.by_calculator import is_calculator
from interpmd.levels.calculation import Level, one_openmp_thread
from interpmd.levels.names import resolve
from interpmd.levels.xtb import XTB, XTB_METHODS
from interpmd.structures.charges import StatefulCalculator, multiplicity_of, whole_charge

SAMPLING_ACCURACY = 0.1


class ReferenceCalculator(StatefulCalculator):
    """ASE calculator of a level of theory that :func:`interpmd.label` knows.

    Charge and multiplicity are those that a structure names (`interpmd.structures.charges`), else
    those given here. Raises UnknownLevelError at construction, StructureError for a charge that
    is no whole number, and CalculationError at evaluation.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress"]
    reads_charge = True

    @renamed(method="level")
    def __init__(self, level: str | Level = "gfn2-xtb", charge: int = 0, multiplicity: int = 1):
        super().__init__()
        self.level = resolve(level)
        self.charge = charge
        self.multiplicity = multiplicity

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        state = _state(self.atoms, self.charge, self.multiplicity)
        result = self.level.evaluate(self.atoms, *state)
        self.results = {
            "energy": result.energy,
            "free_energy": result.energy,
            "forces": result.forces,
        }
        if result.stress is not None:
            self.results["stress"] = result.stress

    def _get_name(self) -> str:
        return self.level.name


class TightBinding(StatefulCalculator):
    """tblite's own ASE calculator, which starts each step from the charges of the one before.

    Charge and multiplicity are those that a structure names, else those given here.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress", "charges",
                              "dipole"]  # fmt: skip
    reads_charge = True

    def __init__(self, level: XTB, charge: int = 0, multiplicity: int = 1) -> None:
        super().__init__()
        self.level, self.charge, self.multiplicity = level, charge, multiplicity
        self._running = None
        _library()

    def reset(self) -> None:
        """Forget results and the electrons that a calculation would start from."""
        super().reset()
        self._running = None

    def __getstate__(self) -> dict:
        # the library's objects belong to one process
        return vars(self) | {"_running": None}

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        charge, multiplicity = _state(self.atoms, self.charge, self.multiplicity)
        if self._running is None or self._running[1] != (charge, multiplicity):
            self._running = (
                _library()(
                    method=XTB_METHODS[self.level.name],
                    charge=charge,
                    multiplicity=multiplicity,
                    accuracy=SAMPLING_ACCURACY,
                    verbosity=0,
                ),
                (charge, multiplicity),
            )
        inner = self._running[0]
        inner.get_property("energy", self.atoms)
        known = self.implemented_properties
        self.results = {name: inner.results[name] for name in known if name in inner.results}

    def _get_name(self) -> str:
        return self.level.name


@renamed(method="level")
def as_calculator(
    level: str | Calculator | Level, charge: int = 0, multiplicity: int = 1
) -> Calculator:
    """A calculator as it is; a level or its name as a calculator, made for many small steps.

    Tight binding goes through tblite's own ASE calculator, which starts each step from the
    charges of the one before (twice as fast as starting anew). Charge and multiplicity are of
    structures that name none. Raises UnknownLevelError, ModelError for what is neither a
    name nor a calculator.
    """
    if not isinstance(level, str | Level):
        if not is_calculator(level):
            raise ModelError(f"{level!r} is neither the name of a level of theory nor a calculator")
        return level
    theory = resolve(level)
    if not isinstance(theory, XTB):
        return ReferenceCalculator(level, charge, multiplicity)
    return TightBinding(theory, charge, multiplicity)


def calculator_named(name: str) -> Calculator:
    """The calculator of a level of theory, where a potential may stand as well.

    Raises:
        ModelError: there is no such level, as of the name of a potential.
    """
    try:
        return as_calculator(name)
    except UnknownLevelError as error:
        raise ModelError(
            f"{error}. The name of a potential, or of its folder, is loaded: im.load({name!r})"
        ) from error


def _state(atoms, charge: int, multiplicity: int) -> tuple[int, int]:
    """Charge and multiplicity of a calculation."""
    return whole_charge(atoms, charge), multiplicity_of(atoms, multiplicity)


def _library():
    """tblite's ASE calculator, loaded with one thread."""
    with one_openmp_thread():
        return required("tblite.ase", "sampling by xTB").TBLite
