"""Geometries of small molecules that can bind a hydrogen to themselves.

`data/make_small_molecules.py` asks for them: more conformers of molecules with an N-H or O-H and
another N or O, relaxed a little, so that a fit knows what such a bond is worth.
"""

from __future__ import annotations

import ase.io
from ase import Atoms
from common import write_geometries
from geometries import LEVEL, embedded, relaxed, seed_of
from rdkit import Chem
from wider import GEOMETRIES

#: What gives and what takes a hydrogen bond.
GIVES, TAKES = Chem.MolFromSmarts("[N,O;!H0]"), Chem.MolFromSmarts("[N,O]")

#: Heavy atoms at least, conformers at most, steps of their relaxation.
SMALLEST, CONFORMERS, STEPS = 4, 5, 12


def can_fold(smiles: str) -> bool:
    """Whether a molecule may bind a hydrogen to itself."""
    molecule = Chem.MolFromSmiles(smiles)
    if molecule.GetNumHeavyAtoms() < SMALLEST or not molecule.HasSubstructMatch(GIVES):
        return False
    return len(molecule.GetSubstructMatches(TAKES)) > 1


def close_conformers(smiles: str) -> list[Atoms]:
    """Conformers of a molecule, from their file where there is one."""
    path = GEOMETRIES / f"{seed_of(smiles):08x}.close.extxyz"
    if not path.exists():
        _, conformers = embedded(smiles, CONFORMERS, seed=seed_of(smiles) + 7)
        found = [relaxed(atoms, LEVEL, STEPS) for atoms in conformers]
        for atoms in found:
            atoms.info = {"subset": "close", "molecule": smiles, "charge": 0}
        write_geometries(path, found)
    return ase.io.read(path, index=":") if path.stat().st_size else []
