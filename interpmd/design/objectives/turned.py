"""Objectives of torsions: energy between two conformers, and barrier between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.design.objectives.base import Objective, State, atom_marked
from interpmd.errors import DesignError

if TYPE_CHECKING:
    from rdkit import Chem


def _four(molecule: Chem.Mol, numbers: tuple[int, ...]) -> tuple[int, int, int, int]:
    if len(numbers) != 4:
        raise DesignError(f"a torsion is four numbers of atoms in the scaffold, not {numbers!r}")
    a, b, c, d = (atom_marked(molecule, number, "of the torsion") for number in numbers)
    bond = molecule.GetBondBetweenAtoms(b, c)
    if bond is None or bond.IsInRing():
        raise DesignError(f"atoms {numbers[1]} and {numbers[2]} need a bond that is in no ring")
    return a, b, c, d


@dataclass(frozen=True)
class ConformerGap(Objective):
    """Energy of a molecule at one side of a torsion less that at another, both relaxed, in eV.

    Attributes:
        torsion: numbers of four atoms in the scaffold.
        first, second: degrees from which the two are relaxed.
    """

    torsion: tuple[int, ...]
    first: float = 0.0
    second: float = 180.0
    name = "conformer gap"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """The two conformers."""
        four = _four(molecule, tuple(self.torsion))
        return [
            State(name, molecule, {four: angle}, keeps={four: angle})
            for name, angle in (("first", self.first), ("second", self.second))
        ]

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Second less first."""
        first, second = found["first"], found["second"]
        return float(second.get_potential_energy() - first.get_potential_energy())


@dataclass(frozen=True)
class RotationBarrier(Objective):
    """Highest less lowest energy of a scan of a torsion, all else relaxed, in eV.

    Attributes:
        torsion: numbers of four atoms in the scaffold.
        angles: of the scan in degrees.
    """

    torsion: tuple[int, ...]
    angles: tuple[float, ...] = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0, 180.0)
    name = "rotation barrier"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """One for each angle."""
        four = _four(molecule, tuple(self.torsion))
        if len(set(self.angles)) < 2:
            raise DesignError("a scan needs two angles or more")
        return [
            State(f"{angle:g} degrees", molecule, {four: angle}, {four: angle})
            for angle in self.angles
        ]

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Highest less lowest."""
        energies = [float(atoms.get_potential_energy()) for atoms in found.values()]
        return max(energies) - min(energies)
