"""Structures as RDKit's molecules: bonds by distance, bond orders by Lewis structure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from interpmd.extras import required
from interpmd.structures import lewis
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
    Chem = required("rdkit.Chem", purpose)
    pairs = sorted(set(map(tuple, bonds(atoms).pairs.tolist())))
    molecule = lewis.rdkit_molecule(atoms.numbers, pairs, whole_charge(atoms), purpose)
    if molecule is None:
        return None
    conformer = Chem.Conformer(len(atoms))
    conformer.SetPositions(np.ascontiguousarray(atoms.positions, dtype=float))
    molecule.AddConformer(conformer)
    return molecule.GetMol()
