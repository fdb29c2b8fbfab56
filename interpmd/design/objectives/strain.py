"""Strain of a ring: what a homodesmotic reaction says that the ring costs."""

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
class RingStrain(Objective):
    """Energy of a ring of single bonds less that of the same bonds in open chains, in eV.

    The reaction opens the ring into chains of three ring atoms, one around each, and pays with
    chains of two, one for each bond, all with their substituents and closed with hydrogen: for
    cyclopropane, C3H6 + 3 C2H6 -> 3 C3H8. Bonds and neighbours of all atoms stay the same
    (homodesmotic: George, Trachtman, Bock, Brett, Tetrahedron 32, 317, 1976).

    Attributes:
        atom: number in the scaffold of an atom of the ring.
    """

    atom: int
    name = "ring strain"

    def states(self, molecule: Chem.Mol) -> list[State]:
        """The molecule and all chains."""
        ring = self._ring(molecule)
        states, n = [State("ring", molecule)], len(ring)
        for k in range(n):
            two = [ring[k], ring[(k + 1) % n]]
            three = [ring[k - 1], *two]
            states.append(State(f"two {k}", _chain(molecule, two, ring)))
            states.append(State(f"three {k}", _chain(molecule, three, ring)))
        return states

    def value(self, found: Mapping[str, Atoms], model: Calculator) -> float:
        """Ring and short chains less the long ones."""
        total = 0.0
        for name, atoms in found.items():
            total += (-1 if name.startswith("three") else 1) * float(atoms.get_potential_energy())
        return total

    def _ring(self, molecule: Chem.Mol) -> list[int]:
        atom = atom_marked(molecule, self.atom, "an atom of the ring")
        rings = [list(r) for r in molecule.GetRingInfo().AtomRings() if atom in r]
        if len(rings) != 1:
            raise DesignError(f"atom number {self.atom} is in {len(rings)} rings, not in one")
        (ring,) = rings
        others = [r for r in molecule.GetRingInfo().AtomRings() if set(r) != set(ring)]
        if any(len(set(r) & set(ring)) > 1 for r in others):
            raise DesignError("the ring shares a bond with another ring; its strain has no chains")
        for one, two in zip(ring, [*ring[1:], ring[0]], strict=True):
            if molecule.GetBondBetweenAtoms(one, two).GetBondTypeAsDouble() != 1:
                raise DesignError("the ring has a multiple bond; strain is known for single bonds")
        return ring


def _chain(molecule: Chem.Mol, kept: list[int], ring: list[int]) -> Chem.Mol:
    """Some neighbouring atoms of a ring with what hangs on them, closed with hydrogen."""
    Chem = required("rdkit.Chem", FOR_DESIGN)
    more = Chem.RWMol(molecule)
    n = len(ring)
    for k in range(n):
        one, two = ring[k], ring[(k + 1) % n]
        joined = one in kept and two in kept and abs(kept.index(one) - kept.index(two)) == 1
        if joined:
            continue
        more.RemoveBond(one, two)
        for end in (one, two):
            more.AddBond(end, more.AddAtom(Chem.Atom(1)), Chem.BondType.SINGLE)
    parts = Chem.GetMolFrags(more.GetMol(), asMols=False)
    inside = next(set(part) for part in parts if kept[0] in part)
    for atom in sorted(set(range(more.GetNumAtoms())) - inside, reverse=True):
        more.RemoveAtom(atom)
    chain = more.GetMol()
    for atom in chain.GetAtoms():
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    Chem.SanitizeMol(chain)
    return chain
