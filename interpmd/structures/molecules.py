"""Structures as RDKit's molecules: bonds by distance, bond orders by Lewis structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ase import Atoms

from interpmd.extras import required
from interpmd.structures.charges import whole_charge
from interpmd.structures.chemistry import bonds

if TYPE_CHECKING:
    from rdkit import Chem


def rdkit_molecule(atoms: Atoms, purpose: str) -> Chem.Mol | None:
    """A molecule with all hydrogens and one conformer, in the order of the atoms.

    Args:
        atoms: a structure that is not periodic; its total charge is what it names.
        purpose: what it is needed for, the beginning of a sentence.

    Returns:
        None where RDKit finds no closed-shell Lewis structure of that charge.

    Raises:
        MissingPackageError: RDKit is not installed.
        StructureError: the charge is no whole number.
    """
    Chem, Geometry, rdBase, rdDetermineBonds = (
        required(f"rdkit.{name}", purpose)
        for name in ("Chem", "Geometry", "rdBase", "Chem.rdDetermineBonds")
    )
    molecule = Chem.RWMol()
    conformer = Chem.Conformer(len(atoms))
    for place, (number, position) in enumerate(
        zip(atoms.numbers.tolist(), atoms.positions.tolist(), strict=True)
    ):
        molecule.AddAtom(Chem.Atom(number))
        molecule.GetAtomWithIdx(place).SetNoImplicit(True)
        conformer.SetAtomPosition(place, Geometry.Point3D(*position))
    for first, second in sorted(set(map(tuple, bonds(atoms).pairs.tolist()))):
        molecule.AddBond(first, second, Chem.BondType.SINGLE)
    with rdBase.BlockLogs():
        try:
            if molecule.GetNumBonds():
                rdDetermineBonds.DetermineBondOrders(
                    molecule, charge=whole_charge(atoms), embedChiral=False
                )
            Chem.SanitizeMol(molecule)
        except (ValueError, RuntimeError):
            return None
    if any(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        return None
    molecule.AddConformer(conformer)
    return molecule.GetMol()
