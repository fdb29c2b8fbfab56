"""Torsions of a molecule turned one at a time, the rest left to a force field.

Every conformer of a chain is reached from another by turning one bond, so that the neighbours of
the lowest ones are where a lower one hides (Chang, Guida, Still, J. Am. Chem. Soc. 111, 4379, 1989,
do so by chance).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase import Atoms

from interpmd.design.geometry import placed, settled
from interpmd.design.groups import FOR_DESIGN
from interpmd.errors import DesignError
from interpmd.extras import required

if TYPE_CHECKING:
    from rdkit import Chem

#: Degrees by which a bond is turned, and one between two flat atoms.
TURNS, FLAT_TURNS = (120.0, -120.0), (180.0,)


def rotors(molecule: Chem.Mol) -> list[tuple[tuple[int, int, int, int], tuple[float, ...]]]:
    """Torsions about single bonds outside rings, and by how many degrees to turn each.

    Left out are bonds about which a third of a turn changes nothing: to CH3, CF3, and the like.
    """
    Chem = required("rdkit.Chem", FOR_DESIGN)
    kinds = list(Chem.CanonicalRankAtoms(molecule, breakTies=False, includeChirality=False))
    found = []
    for bond in molecule.GetBonds():
        if bond.GetBondType() != Chem.BondType.SINGLE or bond.IsInRing():
            continue
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        others = [
            sorted(n.GetIdx() for n in end.GetNeighbors() if n.GetIdx() != other.GetIdx())
            for end, other in (ends, ends[::-1])
        ]
        if not all(others) or any(
            len(each) == 3 and len({kinds[k] for k in each}) == 1 and _single(molecule, each)
            for each in others
        ):
            continue
        if any(end.GetHybridization() == Chem.HybridizationType.SP for end in ends):
            continue
        flat = bond.GetIsConjugated() and all(
            end.GetHybridization() == Chem.HybridizationType.SP2 for end in ends
        )
        four = (others[0][0], ends[0].GetIdx(), ends[1].GetIdx(), others[1][0])
        found.append((four, FLAT_TURNS if flat else TURNS))
    return found


def freedom(molecule: Chem.Mol) -> int:
    """How many torsions a molecule may choose, those of its rings that are not flat included."""
    rings = molecule.GetRingInfo().BondRings()
    bent = sum(
        sum(not molecule.GetBondWithIdx(bond).GetIsConjugated() for bond in ring) // 2
        for ring in rings
    )
    return len(rotors(molecule)) + bent


def turned(molecule: Chem.Mol, atoms: Atoms) -> list[Atoms]:
    """A structure with one torsion turned after the other, each settled by a force field."""
    Transforms = required("rdkit.Chem.rdMolTransforms", FOR_DESIGN)
    found = []
    for four, angles in rotors(molecule):
        for angle in angles:
            moved = placed(molecule, atoms)
            conformer = moved.GetConformer()
            wanted = Transforms.GetDihedralDeg(conformer, *four) + angle
            Transforms.SetDihedralDeg(conformer, *four, wanted)
            try:
                found.append(settled(moved, {four: wanted}))
            except DesignError:
                continue
    return found


def _single(molecule: Chem.Mol, atoms: list[int]) -> bool:
    """Whether atoms have no other neighbour, so that to exchange them changes nothing."""
    return all(molecule.GetAtomWithIdx(k).GetDegree() == 1 for k in atoms)
