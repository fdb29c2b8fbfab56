"""Harmonic restraints on distances and dihedrals, to drive sampling to where it does not go alone.

Umbrella sampling: Torrie and Valleau, J. Comput. Phys. 23, 187 (1977). Only the geometries are
used afterwards, so nothing is reweighted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.geometry import get_dihedrals, get_dihedrals_derivatives
from jaxtyping import Float

from interpmd.structures.charges import StatefulCalculator

#: One vector for every atom.
Components = Float[np.ndarray, "atoms 3"]


class Restraint(Protocol):
    """An energy that depends on the positions only."""

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, Components]:
        """Energy (eV) and forces on all atoms (eV/Å)."""
        ...


class Harmonic(ABC):
    """stiffness / 2 · (coordinate − target)²."""

    stiffness: float

    @abstractmethod
    def away(self, atoms: Atoms) -> tuple[float, Components]:
        """How far the coordinate is from its target, and the coordinate's derivatives by the
        positions of all atoms."""

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, Components]:
        """Energy (eV) and forces on all atoms (eV/Å)."""
        away, slope = self.away(atoms)
        return 0.5 * self.stiffness * away**2, -self.stiffness * away * slope


@dataclass(frozen=True)
class DistanceRestraint(Harmonic):
    """Coordinate: d(i, j); target in Å, stiffness in eV/Å²."""

    i: int
    j: int
    target: float
    stiffness: float = 20.0

    def away(self, atoms: Atoms) -> tuple[float, Components]:
        value, slope = _distance(atoms, self.i, self.j)
        return value - self.target, slope


@dataclass(frozen=True)
class TransferRestraint(Harmonic):
    """Coordinate: d(donor, proton) − d(acceptor, proton); target in Å, stiffness in eV/Å².

    It is negative with the proton on the donor, positive with the proton on the acceptor.
    """

    donor: int
    proton: int
    acceptor: int
    target: float
    stiffness: float = 10.0

    def away(self, atoms: Atoms) -> tuple[float, Components]:
        first, slope_first = _distance(atoms, self.donor, self.proton)
        second, slope_second = _distance(atoms, self.acceptor, self.proton)
        return first - second - self.target, slope_first - slope_second


@dataclass(frozen=True)
class DihedralRestraint(Harmonic):
    """Coordinate: a dihedral, periodic; target in degrees, stiffness in eV/rad²."""

    i: int
    j: int
    k: int
    l: int
    target: float
    stiffness: float = 2.0

    def away(self, atoms: Atoms) -> tuple[float, Components]:
        members = [self.i, self.j, self.k, self.l]
        p = atoms.positions[members]
        bonds = [(p[a + 1] - p[a])[None] for a in range(3)]
        value = get_dihedrals(*bonds)[0]
        slope = np.zeros((len(atoms), 3))
        slope[members] = np.deg2rad(get_dihedrals_derivatives(*bonds)[0])
        return np.deg2rad((value - self.target + 180.0) % 360.0 - 180.0), slope


@dataclass(frozen=True)
class Well:
    """−depth · exp(−(coordinate − target)² / (2 width²)): a barrier filled from above.

    Attributes:
        away_from: a restraint, for its coordinate and target.
        depth: eV.
        width: in the coordinate's unit.
    """

    away_from: Harmonic
    depth: float
    width: float

    def energy_and_forces(self, atoms: Atoms) -> tuple[float, Components]:
        """Energy (eV) and forces on all atoms (eV/Å)."""
        away, slope = self.away_from.away(atoms)
        energy = -self.depth * np.exp(-0.5 * (away / self.width) ** 2)
        return float(energy), energy * away / self.width**2 * slope


class BiasedCalculator(StatefulCalculator):
    """The energy and forces of a calculator plus those of restraints."""

    implemented_properties = ["energy", "forces"]

    def __init__(self, calculator: Calculator, restraints: Sequence[Restraint]):
        super().__init__()
        self.calculator = calculator
        self.restraints = list(restraints)

    def added(self, atoms: Atoms) -> tuple[float, Components]:
        """Energy (eV) and forces (eV/Å) of the restraints."""
        energy, forces = 0.0, np.zeros((len(atoms), 3))
        for restraint in self.restraints:
            more_energy, more_forces = restraint.energy_and_forces(atoms)
            energy += more_energy
            forces += more_forces
        return energy, forces

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        """Fill ``results``, as ASE asks of a calculator."""
        super().calculate(atoms, properties, system_changes)
        energy, forces = self.added(atoms)
        self.results = {
            "energy": float(self.calculator.get_potential_energy(atoms)) + energy,
            "forces": self.calculator.get_forces(atoms) + forces,
        }


def _distance(atoms: Atoms, i: int, j: int) -> tuple[float, Components]:
    vector = atoms.positions[j] - atoms.positions[i]
    value = float(np.linalg.norm(vector))
    slope = np.zeros((len(atoms), 3))
    slope[j] = vector / value
    slope[i] = -slope[j]
    return value, slope
