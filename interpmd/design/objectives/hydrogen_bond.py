"""Strength of a hydrogen bond inside a molecule: what it costs to turn it away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.design.groups import FOR_DESIGN
from interpmd.design.objectives.base import Objective, State, atom_marked
from interpmd.errors import DesignError
from interpmd.extras import required

if TYPE_CHECKING:
    from rdkit import Chem


@dataclass(frozen=True)
class HydrogenBond(Objective):
    """Energy of the open form less that of the closed form in eV.

    In the open form the donor's hydrogen is turned by 180 degrees about the bond that holds the
    donor. The number holds all that this turn changes (Schuster, in The Hydrogen Bond, vol. 1,
    1976, as "cis-trans" estimate), so that it is a measure, not the energy of one contact.

    Attributes:
        hydrogen, acceptor: numbers of the two atoms in the scaffold.
    """

    hydrogen: int
    acceptor: int
    name = "hydrogen bond"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """Closed and open."""
        hydrogen = atom_marked(molecule, self.hydrogen, "the hydrogen")
        acceptor = atom_marked(molecule, self.acceptor, "the acceptor")
        donors = [a.GetIdx() for a in molecule.GetAtomWithIdx(hydrogen).GetNeighbors()]
        if molecule.GetAtomWithIdx(hydrogen).GetAtomicNum() != 1 or len(donors) != 1:
            raise DesignError(f"atom number {self.hydrogen} is no hydrogen with one bond")
        (donor,) = donors
        Chem = required("rdkit.Chem", FOR_DESIGN)
        chain = list(Chem.GetShortestPath(molecule, donor, acceptor))
        if len(chain) < 3:
            raise DesignError("the donor and the acceptor of the hydrogen bond are neighbours")
        turned = (hydrogen, donor, chain[1], chain[2])
        shape = {
            four: 0.0
            for four in zip(chain, chain[1:], chain[2:], chain[3:], strict=False)
            if not molecule.GetBondBetweenAtoms(four[1], four[2]).IsInRing()
        }
        return [
            State("closed", molecule, {**shape, turned: 0.0}, keeps={turned: 0.0}),
            State("open", molecule, {**shape, turned: 180.0}, keeps={turned: 180.0}),
        ]

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Open less closed, in eV."""
        energies = {name: float(atoms.get_potential_energy()) for name, atoms in found.items()}
        return energies["open"] - energies["closed"]
