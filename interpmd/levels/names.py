"""The levels of theory that :func:`interpmd.label` knows: GFN-xTB by tblite, DFT by PySCF, force
fields by RDKit, gfnff and ASE.

A level is a frozen description with one verb, ``evaluate``: atoms in, energy and forces out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase.calculators.calculator import Calculator

from interpmd.errors import UnknownLevelError
from interpmd.levels.by_calculator import CalculatorLevel, is_calculator
from interpmd.levels.calculation import Level, version
from interpmd.levels.classical import EMT, FORCE_FIELDS, ForceField
from interpmd.levels.dft import DFT, basis_error, functional_error
from interpmd.levels.xtb import XTB, XTB_METHODS

if TYPE_CHECKING:
    import pandas

DFT_EXAMPLES = ("wb97x-d3bj/def2-svp", "pbe/def2-svp", "b3lyp-d4/def2-tzvp", "hf/sto-3g")


def resolve(level: str | Calculator | Level) -> Level:
    """The level of theory of that name, such as ``"gfn2-xtb"``, ``"mmff94"``, ``"emt"`` or
    ``"wb97x-d3bj/def2-svp"``, that of an ASE calculator, or a level as it is.

    Raises UnknownLevelError (with what exists) for a name that is neither a tight-binding
    method nor a force field nor functional/basis, and, where PySCF is installed, for a functional
    or basis set that it does not know.
    """
    if is_calculator(level):
        return CalculatorLevel(level)
    if isinstance(level, Level):
        return level
    name = str(level).strip().lower()
    if name in XTB_METHODS:
        return XTB(name)
    if name in FORCE_FIELDS:
        return ForceField(name)
    if name == "emt":
        return EMT()
    functional, slash, basis = name.partition("/")
    if not (slash and functional and basis):
        raise UnknownLevelError(f"unknown level of theory {level!r}; {_what_exists()}")
    if (error := functional_error(functional)) is not None:
        raise UnknownLevelError(
            f"unknown functional {functional!r} in {level!r} ({error}); {_what_exists()}"
        ) from error
    if (error := basis_error(basis)) is not None:
        raise UnknownLevelError(
            f"unknown basis set {basis!r} in {level!r}; {_what_exists()}"
        ) from error
    return DFT(name, functional, basis)


def available_levels() -> pandas.DataFrame:
    """A table of levels of theory: name, kind, program, stress, whether it is installed.

    DFT takes any functional and basis set that PySCF knows; the rows are examples.
    """
    import pandas

    rows = (
        [
            {"level": name, "kind": "tight binding", "program": "tblite", "stress": True}
            for name in XTB_METHODS
        ]
        + [
            {"level": name, "kind": "force field", "program": program, "stress": program == "ase"}
            for name, program in (*FORCE_FIELDS.items(), ("emt", "ase"))
        ]
        + [
            {"level": name, "kind": "DFT (functional/basis)", "program": "pyscf", "stress": False}
            for name in DFT_EXAMPLES
        ]
    )
    for row in rows:
        row["installed"] = version(row["program"]) != "missing"
    return pandas.DataFrame(rows)


def _what_exists() -> str:
    return (
        f"available: {', '.join((*XTB_METHODS, *FORCE_FIELDS, 'emt'))}, or DFT as "
        f"'functional/basis', for example {', '.join(DFT_EXAMPLES)}"
    )
