"""Molecules and GFN2-xTB for the tests of gauge "groups"."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.constraints import FixInternals
from ase.io import read
from ase.optimize import BFGS

from interpmd.levels.names import resolve
from interpmd.reference.calculator import as_calculator

DATA = Path(__file__).parents[2] / "data"
KCAL = 0.0433641  # eV in a kcal/mol


def gfn2(structures: Sequence[Atoms]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Energies (eV) and forces (eV/A), each of the charge that the structure names."""
    level = resolve("gfn2-xtb")
    found = [level.evaluate(atoms, charge=atoms.info.get("charge", 0)) for atoms in structures]
    return np.array([result.energy for result in found]), [result.forces for result in found]


def from_smiles(smiles: str, seed: int = 1) -> Atoms:
    """A conformer, not relaxed."""
    from rdkit import Chem
    from rdkit.Chem import AllChem

    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(mol, randomSeed=seed) == 0
    numbers = [atom.GetAtomicNum() for atom in mol.GetAtoms()]
    atoms = Atoms(numbers, positions=mol.GetConformer().GetPositions())
    if charge := Chem.GetFormalCharge(mol):
        atoms.info["charge"] = charge
    return atoms


def relaxed(atoms: Atoms, dihedral: tuple[Sequence[int], float] | None = None) -> Atoms:
    """Relaxed by GFN2-xTB, with one dihedral (degrees) held if there is one."""
    copy = atoms.copy()
    if dihedral is not None:
        members, angle = dihedral
        copy.set_constraint(FixInternals(dihedrals_deg=[[angle, list(members)]]))
    copy.calc = as_calculator("gfn2-xtb", charge=atoms.info.get("charge", 0))
    assert BFGS(copy, logfile=None).run(fmax=0.01, steps=400)
    copy.calc = None
    copy.set_constraint()
    return copy


@cache
def dipeptides() -> tuple[Atoms, ...]:
    """Eight frames of free dynamics of alanine dipeptide."""
    with gzip.open(DATA / "alanine_dipeptide" / "test.extxyz.gz", "rt") as file:
        frames = read(io.StringIO(file.read()), ":", format="extxyz")
    return tuple(f for f in frames if "md" in f.info.get("subset", ""))[:8]
