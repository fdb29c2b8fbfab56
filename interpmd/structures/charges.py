"""Charge and multiplicity of structures and of their parts: one rule for everything.

A structure says its total charge, in e, in the first of these places that is there:

1. ``atoms.info["charge"]``
2. ``atoms.info["total_charge"]``
3. the sum of `atoms.get_initial_charges()`, where any of them is not zero; it is a whole number
   (to 0.05 e), since what partial charges of a piece of something sum to is no total charge.

Where nothing is said it is neutral. The multiplicity, 2S + 1, is ``info["multiplicity"]``,
``info["spin"]``, or follows from the sum of the initial magnetic moments if that is a whole number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.errors import StructureError

#: Name of the array of a structure that holds the charge that each atom takes along, in e.
FORMAL = "formal_charges"

#: Keys of ``atoms.info`` that name the total charge, and the multiplicity; the first one counts.
CHARGE_KEYS = ("charge", "total_charge")
MULTIPLICITY_KEYS = ("multiplicity", "spin")


def stated_charge(atoms: Atoms, name: str = "structure") -> float | None:
    """The total charge that a structure names, in e; None where it names none.

    Raises:
        StructureError: it is no finite number, two places contradict, or the initial charges sum
            to no whole number.
    """
    named = {key: _number(atoms.info[key], key, name) for key in CHARGE_KEYS if key in atoms.info}
    if len(set(named.values())) > 1:
        words = " and ".join(f"info[{key!r}] is {value:g}" for key, value in named.items())
        raise StructureError(f"{name}: {words}; a structure has one total charge, remove the other")
    if named:
        return next(iter(named.values()))
    if "initial_charges" not in atoms.arrays or not atoms.arrays["initial_charges"].any():
        return None
    total = float(atoms.arrays["initial_charges"].sum())
    if not abs(total - round(total)) < 0.05:
        raise StructureError(
            f"{name}: the initial charges sum to {total:.3g} e, which is no total charge; say the "
            "total in info['charge'], or remove them"
        )
    return float(round(total))


def charge_of(atoms: Atoms, default: float = 0.0, name: str = "structure") -> float:
    """The total charge of a structure in e, the default where it names none.

    Raises:
        StructureError: see `stated_charge`.
    """
    stated = stated_charge(atoms, name)
    return default if stated is None else stated


def whole_charge(atoms: Atoms, default: float = 0, name: str = "structure") -> int:
    """The total charge as a whole number of e, as electrons and Lewis structures need it.

    Raises:
        StructureError: it is none; see also `stated_charge`.
    """
    charge = charge_of(atoms, default, name)
    if abs(charge - round(charge)) > 1e-6:
        raise StructureError(
            f"{name}: the charge is {charge:g}; the total charge is needed as a whole number of e"
        )
    return round(charge)


def stated_multiplicity(atoms: Atoms, name: str = "structure") -> int | None:
    """The multiplicity 2S + 1 that a structure names; None where it names none.

    Raises:
        StructureError: it is no whole number from 1 on.
    """
    for key in MULTIPLICITY_KEYS:
        if key in atoms.info:
            given = _number(atoms.info[key], key, name)
            if given < 1 or given != round(given):
                raise StructureError(
                    f"{name}: info[{key!r}] is {atoms.info[key]!r}; the multiplicity 2S + 1 is a "
                    "whole number, 1 or more"
                )
            return round(given)
    if "initial_magmoms" in atoms.arrays and atoms.arrays["initial_magmoms"].any():
        unpaired = float(abs(atoms.arrays["initial_magmoms"].sum()))
        if abs(unpaired - round(unpaired)) < 0.05:
            return round(unpaired) + 1
    return None


def multiplicity_of(atoms: Atoms, default: int = 1, name: str = "structure") -> int:
    """The multiplicity of a structure, the default where it names none.

    Raises:
        StructureError: see `stated_multiplicity`.
    """
    stated = stated_multiplicity(atoms, name)
    return default if stated is None else stated


def state_of(atoms: Atoms) -> tuple[float | None, int | None]:
    """Charge and multiplicity that a structure names."""
    return stated_charge(atoms), stated_multiplicity(atoms)


def for_calculators(atoms: Atoms) -> Atoms:
    """The structure for a calculator of ASE, which looks at initial charges and moments alone.

    A copy without labels and constraints whose initial charges sum to the total charge, and whose
    initial magnetic moments to the number of unpaired electrons; the structure's own are kept where
    they do. The extra charge lies on the atoms with formal charges, else on the first one.
    """
    copy = atoms.copy()
    copy.set_constraint()
    tell_calculators(copy)
    return copy


def tell_calculators(copy: Atoms) -> None:
    """Put charge and multiplicity where ASE's calculators look; see `for_calculators`."""
    charge, multiplicity = state_of(copy)
    if charge is not None and abs(copy.get_initial_charges().sum() - charge) > 1e-6:
        spread = copy.arrays.get(FORMAL)
        if spread is None or abs(spread.sum() - charge) > 1e-6:
            spread = _first(len(copy), charge)
        copy.set_initial_charges(spread)
    unpaired = (multiplicity or 1) - 1
    if (
        multiplicity is not None
        and round(abs(copy.get_initial_magnetic_moments().sum())) != unpaired
    ):
        copy.set_initial_magnetic_moments(_first(len(copy), unpaired))


class StatefulCalculator(Calculator):
    """An ASE calculator whose results belong to a charge and a multiplicity too.

    ASE compares elements, positions and cell when it decides whether results are still good, and
    not `info`; so the same places with another charge, or another structure that shares the
    calculator, would get what was computed before.
    """

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation; see ASE."""
        changes = super().check_state(atoms, tol)
        before = self.atoms
        if before is not None and _named(before) != _named(atoms):
            changes.append("initial_charges")
        return changes


def _named(atoms: Atoms) -> list[str]:
    """What the structure says of its state, unread; initial charges and moments ASE looks at."""
    return [repr(atoms.info.get(key)) for key in (*CHARGE_KEYS, *MULTIPLICITY_KEYS)]


def _first(count: int, value: float) -> np.ndarray:
    values = np.zeros(count)
    values[:1] = value
    return values


def _number(given: Any, key: str, name: str) -> float:
    try:
        value = float(np.asarray(given, dtype=float).item())
    except (TypeError, ValueError):
        value = np.nan
    if not np.isfinite(value):
        what = "total charge in e" if key in CHARGE_KEYS else "multiplicity 2S + 1"
        raise StructureError(f"{name}: info[{key!r}] is {given!r}; give the {what}")
    return value
