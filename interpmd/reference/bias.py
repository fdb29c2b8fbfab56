"""Harmonic restraints on distances and dihedrals, to drive sampling to where it does not go alone.

Umbrella sampling: Torrie and Valleau, J. Comput. Phys. 23, 187 (1977). Only the geometries are
used afterwards, so nothing is reweighted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.geometry import get_dihedrals, get_dihedrals_derivatives


class Restraint(Protocol):
    """An energy that depends on the positions only."""

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        """Energy (eV) and forces (atoms, 3) in eV/Å."""


@dataclass(frozen=True)
class DistanceRestraint:
    """stiffness / 2 * (d(i, j) - target)^2; target in Å, stiffness in eV/Å²."""

    i: int
    j: int
    target: float
    stiffness: float = 20.0

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        """Energy (eV) and forces (eV/Å)."""
        value, slope = _distance(atoms, self.i, self.j)
        return _harmonic(value - self.target, self.stiffness, slope)


@dataclass(frozen=True)
class TransferRestraint:
    """stiffness / 2 * (d(donor, proton) - d(acceptor, proton) - target)^2, in Å and eV/Å².

    The coordinate is negative with the proton on the donor, positive on the acceptor.
    """

    donor: int
    proton: int
    acceptor: int
    target: float
    stiffness: float = 10.0

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        """Energy (eV) and forces (eV/Å)."""
        first, slope_first = _distance(atoms, self.donor, self.proton)
        second, slope_second = _distance(atoms, self.acceptor, self.proton)
        return _harmonic(first - second - self.target, self.stiffness, slope_first - slope_second)


@dataclass(frozen=True)
class DihedralRestraint:
    """stiffness / 2 * (dihedral - target)^2, periodic; target in degrees, stiffness in eV/rad²."""

    i: int
    j: int
    k: int
    l: int
    target: float
    stiffness: float = 2.0

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, np.ndarray]:
        """Energy (eV) and forces (eV/Å)."""
        atoms_of = [self.i, self.j, self.k, self.l]
        p = atoms.positions[atoms_of]
        bonds = [(p[a + 1] - p[a])[None] for a in range(3)]
        value = get_dihedrals(*bonds)[0]
        slope = np.zeros((len(atoms), 3))
        slope[atoms_of] = np.deg2rad(get_dihedrals_derivatives(*bonds)[0])
        away = np.deg2rad((value - self.target + 180.0) % 360.0 - 180.0)
        return _harmonic(away, self.stiffness, slope)


class BiasedCalculator(Calculator):
    """The energy and forces of a calculator plus those of restraints."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, calculator: Calculator, restraints: Sequence[Restraint]):
        super().__init__()
        self.calculator = calculator
        self.restraints = list(restraints)

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        energy = self.calculator.get_potential_energy(atoms)
        forces = np.array(self.calculator.get_forces(atoms))
        for restraint in self.restraints:
            more_energy, more_forces = restraint.energy_and_forces(atoms)
            energy += more_energy
            forces += more_forces
        self.results = {"energy": energy, "forces": forces}


def _distance(atoms: Atoms, i: int, j: int) -> tuple[float, np.ndarray]:
    vector = atoms.positions[j] - atoms.positions[i]
    value = float(np.linalg.norm(vector))
    slope = np.zeros((len(atoms), 3))
    slope[j] = vector / value
    slope[i] = -slope[j]
    return value, slope


def _harmonic(away: float, stiffness: float, slope: np.ndarray) -> tuple[float, np.ndarray]:
    return 0.5 * stiffness * away**2, -stiffness * away * slope
