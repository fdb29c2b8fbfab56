"""Objectives of one structure: dipole moment, and gap between occupied and empty orbitals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator

from interpmd.design.objectives.base import Objective
from interpmd.errors import DesignError
from interpmd.extras import required
from interpmd.levels.calculation import one_openmp_thread
from interpmd.structures.charges import whole_charge


@dataclass(frozen=True)
class Dipole(Objective):
    """Length of the dipole moment in e Å (1 e Å is 4.803 debye)."""

    name = "dipole moment"
    unit = "e A"

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Of the relaxed structure.

        Raises:
            DesignError: the model gives no dipole moment.
        """
        atoms = found["relaxed"]
        known = {} if atoms.calc is None else atoms.calc.results
        if "dipole" not in known:
            raise DesignError("this model gives no dipole moment; GFN2-xTB does")
        return float(np.linalg.norm(known["dipole"]))


@dataclass(frozen=True)
class Gap(Objective):
    """Energy of the lowest empty orbital less that of the highest occupied one, in eV.

    By GFN2-xTB at the relaxed structure of whatever model relaxes: an orbital gap, good for order
    within a series, not an excitation energy.
    """

    name = "HOMO-LUMO gap"

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Of the relaxed structure."""
        atoms = found["relaxed"]
        with one_openmp_thread():
            interface = required("tblite.interface", "orbital energies")
        calculator = interface.Calculator(
            "GFN2-xTB",
            atoms.numbers,
            atoms.positions / units.Bohr,
            charge=float(whole_charge(atoms)),
        )
        calculator.set("verbosity", 0)
        results = calculator.singlepoint()
        energies = np.asarray(results.get("orbital-energies")) * units.Hartree
        occupied = np.asarray(results.get("orbital-occupations")) > 1.0
        if occupied.all() or not occupied.any():
            raise DesignError("there is no gap: no orbital is empty, or none is occupied")
        return float(energies[~occupied].min() - energies[occupied].max())
