"""Geometries of a molecule that is given as SMILES: conformers, vibrations, turned bonds.

All are made by MMFF94, which costs nothing beside a label; conformers are then relaxed at the level
of the labels. Positions are rounded to 1e-4 Å, so that files are small and labels are of what is
in them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.optimize import BFGS
from rdkit import Chem
from rdkit.Chem import AllChem

from interpmd.levels.classical import ForceField
from interpmd.reference.calculator import as_calculator
from interpmd.reference.checks import closest_overlap
from interpmd.reference.trajectories import normal_modes

LEVEL = "gfn2-xtb"

#: Bonds that turn: single, in no ring, between atoms that carry more than the bond.
ROTATABLE = Chem.MolFromSmarts("[!$(*#*)&!D1]-&!@[!$(*#*)&!D1]")

#: Steps of the relaxation, and force in eV/Å at which it ends.
STEPS, CONVERGED = 25, 0.05


def seed_of(smiles: str) -> int:
    """A seed of its own for each molecule, the same in every run."""
    return zlib.crc32(smiles.encode()) % 2**31


def embedded(smiles: str, most: int, seed: int | None = None) -> tuple[Chem.Mol, list[Atoms]]:
    """Up to `most` different conformers by distance geometry and MMFF94, lowest first."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    seed = seed_of(smiles) if seed is None else seed
    AllChem.EmbedMultipleConfs(molecule, 8 * most, randomSeed=seed, pruneRmsThresh=0.3)
    energies = [e for _, e in AllChem.MMFFOptimizeMoleculeConfs(molecule, maxIters=500)]
    numbers = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    chosen: list[Atoms] = []
    kept: list[float] = []
    for place in np.argsort(energies, kind="stable").tolist():
        if len(chosen) < most and all(abs(energies[place] - e) > 0.05 for e in kept):
            kept.append(energies[place])
            where = molecule.GetConformer(place).GetPositions()
            chosen.append(Atoms(numbers, where, info={"charge": 0}))
    return molecule, chosen


def torsions(molecule: Chem.Mol) -> list[tuple[int, int, int, int]]:
    """One dihedral of heavy atoms, of hydrogen where there is none, for each bond that turns."""
    found = []
    for j, k in molecule.GetSubstructMatches(ROTATABLE):
        ends = [
            max(
                (a for a in molecule.GetAtomWithIdx(inside).GetNeighbors() if a.GetIdx() != other),
                key=lambda a: (a.GetAtomicNum(), -a.GetIdx()),
            ).GetIdx()
            for inside, other in ((j, k), (k, j))
        ]
        found.append((ends[0], j, k, ends[1]))
    return found


def turned(
    molecule: Chem.Mol, atoms: Atoms, torsion: Sequence[int], degrees: float, steps: int = 200
) -> Atoms:
    """The structure with a dihedral at an angle in degrees and all else relaxed by MMFF94."""
    copy = Chem.Mol(molecule)
    copy.RemoveAllConformers()
    geometry = Chem.Conformer(len(atoms))
    geometry.SetPositions(np.ascontiguousarray(atoms.positions))
    copy.AddConformer(geometry, assignId=True)
    AllChem.SetDihedralDeg(copy.GetConformer(), *map(int, torsion), float(degrees))
    field = AllChem.MMFFGetMoleculeForceField(copy, AllChem.MMFFGetMoleculeProperties(copy))
    field.MMFFAddTorsionConstraint(*map(int, torsion), False, degrees, degrees, 100.0)
    field.Minimize(maxIts=steps)
    moved = atoms.copy()
    moved.positions = copy.GetConformer().GetPositions()
    return moved


def relaxed(
    atoms: Atoms, level: str = LEVEL, steps: int = STEPS, converged: float = CONVERGED
) -> Atoms:
    """The structure after some steps downhill at a level of theory."""
    moving = atoms.copy()
    moving.calc = as_calculator(level)
    BFGS(moving, logfile=None).run(fmax=converged, steps=steps)
    return rounded(moving)


def vibrating(atoms: Atoms, temperatures: Sequence[float], each: int, seed: int) -> list[Atoms]:
    """Thermal displacements along the normal modes of MMFF94."""
    field = as_calculator(ForceField("mmff94", bonded_as=atoms))
    found = []
    for k, temperature in enumerate(temperatures):
        try:
            found += normal_modes(atoms, field, n=each, temperature=temperature, seed=seed + k)
        except RuntimeError:  # too hot for this molecule
            continue
    return [rounded(frame) for frame in found]


def twisted(molecule: Chem.Mol, atoms: Atoms, count: int, seed: int) -> list[Atoms]:
    """Bonds turned by any angle, relaxed a little, and all atoms displaced by 0.03 Å."""
    rng = np.random.default_rng(seed)
    bonds, found = torsions(molecule), []
    for _ in range(3 * count if bonds else 0):
        torsion = bonds[rng.integers(len(bonds))]
        moved = turned(molecule, atoms, torsion, rng.uniform(-180, 180), steps=30)
        moved.positions += rng.normal(0, 0.03, moved.positions.shape)
        if len(found) < count and closest_overlap(moved, factor=0.6) is None:
            found.append(rounded(moved))
    return found


def rounded(atoms: Atoms) -> Atoms:
    """Nothing but atoms at places rounded to 1e-4 Å."""
    places = np.round(atoms.positions - atoms.positions.mean(axis=0), 4)
    return Atoms(atoms.numbers, places, info={"charge": 0})
