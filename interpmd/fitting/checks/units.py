"""Units that labels come in, told by the factor that is missing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import units

#: Energies in eV.
ENERGIES = {
    "eV": 1.0,
    "Hartree": units.Hartree,
    "Rydberg": units.Rydberg,
    "kcal/mol": units.kcal / units.mol,
    "kJ/mol": units.kJ / units.mol,
    "meV": 1e-3,
}

#: Lengths in Å.
LENGTHS = {"Å": 1.0, "bohr": units.Bohr, "nm": 10.0}

#: Stresses in eV/Å³.
STRESSES = {
    "GPa": units.GPa,
    "kbar": 0.1 * units.GPa,
    "MPa": 1e-3 * units.GPa,
    "bar": 1e-4 * units.GPa,
    "Pa": units.Pascal,
    "atm": 101325 * units.Pascal,
    "Hartree/bohr³": units.Hartree / units.Bohr**3,
    "Rydberg/bohr³": units.Rydberg / units.Bohr**3,
    "kcal/mol/Å³": units.kcal / units.mol,
    "kJ/mol/Å³": units.kJ / units.mol,
}

#: A factor within this of 1, on a logarithmic scale, is 1: what anharmonicity leaves.
ONE = 0.35

#: Factors that are told apart only if they differ by this much, on a logarithmic scale.
CLOSE = 0.09


def explanations_of_forces() -> dict[str, float]:
    """What could be wrong, and the factor on the forces that would then agree with the energies."""
    found = {}
    for energy, size in ENERGIES.items():
        for length, unit in LENGTHS.items():
            if (energy, length) == ("eV", "Å"):
                continue
            factor = size / unit
            found[f"the forces seem to be in {energy}/{length}; multiply them by {factor:.6g}"] = (
                factor
            )
        if energy != "eV":
            found[f"the energies seem to be in {energy}; multiply them by {size:.6g}"] = 1 / size
    both = "the energies seem to be in Hartree and the forces in Hartree/bohr; multiply them by "
    found[f"{both}{units.Hartree:.6g} and {units.Hartree / units.Bohr:.6g}"] = 1 / units.Bohr
    found[f"the positions seem to be in bohr; multiply them by {units.Bohr:.6g}"] = units.Bohr
    return found


def explanations_of_stress() -> dict[str, float]:
    """As `explanations_of_forces`, for factors on the stress."""
    return {
        f"the stress seems to be in {unit}; multiply it by {factor:.6g}": factor
        for unit, factor in STRESSES.items()
    }


def nearest(factor: float, explanations: Mapping[str, float], sign: str) -> tuple[str, float]:
    """What explains a factor best, and how far off it is on a logarithmic scale.

    Args:
        factor: on the labels, that would make them agree.
        explanations: words and their positive factors.
        sign: words for a factor of -1.
    """
    if factor < 0:
        words, off = nearest(-factor, explanations, sign)
        if abs(np.log(-factor)) <= max(off, ONE):
            return sign, float(abs(np.log(-factor)))
        return f"{sign}, and {words}", off
    off = {words: float(abs(np.log(factor / known))) for words, known in explanations.items()}
    best, *others = sorted(off, key=lambda words: off[words])
    near = [o for o in others if off[o] < off[best] + CLOSE and off[o] < 2 * CLOSE]
    return " (or ".join([best, *near[:2]]) + ")" * len(near[:2]), off[best]
