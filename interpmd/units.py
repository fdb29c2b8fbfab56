"""Units: how they are written, and those that results may be shown in.

Everything is computed in eV, Å, fs, K and e. Tables name units in ASCII ("eV/A"); what people read
has the signs of print.
"""

from __future__ import annotations

import re

from ase import units

#: Units in which energies can be shown: name, and factor from eV (of forces, from eV/Å).
DISPLAY = {
    "eV": 1.0,
    "meV": 1000.0,
    "kcal/mol": units.mol / units.kcal,
    "kJ/mol": units.mol / units.kJ,
}


def unit_sign(unit: str) -> str:
    """A unit as people write it: "eV/Å" for "eV/A", which is what tables call it."""
    return re.sub(r"\bA\b", "Å", unit).replace("^3", "³")


def with_unit(name: str, unit: str) -> str:
    """A name with its unit in brackets, alone where it has none."""
    return f"{name} ({unit})" if unit else name


def number_sign(value: float, form: str = "+.3f") -> str:
    """A number with a minus sign instead of a hyphen.

    Args:
        value: the number.
        form: as in format strings.
    """
    text = f"{value:{form}}"
    if "-" in text and not any(digit in text.split("e")[0] for digit in "123456789"):
        text = f"{0.0:{form}}"  # rounded to nothing, it has no sign of its own
    return text.replace("-", "−")
