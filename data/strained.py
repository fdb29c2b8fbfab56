"""Geometries that no thermal displacement reaches: atoms that touch, and bonds under strain.

A potential that has seen nothing but molecules near their minima has minima of its own beside them.
Bonds are those of the molecule here, whatever the distances are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from geometries import rounded, torsions
from rdkit import Chem
from rdkit.Chem import rdMolTransforms

#: Van der Waals radii in Å (Bondi, J. Phys. Chem. 68, 441, 1964; hydrogen as Rowland and Taylor).
RADII = {1: 1.10, 6: 1.70, 7: 1.55, 8: 1.52}

#: Distance of the closest pair of atoms that touch, over the sum of their radii.
TOUCHING = 0.45, 0.95

#: Standard deviation in Å of displacements of all atoms, and factors on the length of a bond.
DISPLACED = 0.06, 0.16
STRETCHED = 0.8, 1.5


def displaced(molecule: Chem.Mol, atoms: Atoms, count: int, seed: int) -> list[Atoms]:
    """Frames with every atom displaced at random, each second one with a bond stretched too."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        places = _stretched(molecule, atoms, rng) if number % 2 else atoms.positions.copy()
        size = rng.uniform(*DISPLACED) / (1 + number % 2)
        moved = atoms.copy()
        moved.positions = places + rng.normal(0, size, places.shape)
        found.append(rounded(moved))
    return found


def _stretched(molecule: Chem.Mol, atoms: Atoms, rng: np.random.Generator) -> np.ndarray:
    """Positions with a bond that is in no ring longer or shorter; what hangs on it moves along."""
    copy = _with_places(molecule, atoms)
    bonds = [b for b in copy.GetBonds() if not b.IsInRing()]
    if not bonds:
        return atoms.positions.copy()
    bond = bonds[rng.integers(len(bonds))]
    ends, shape = (bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()), copy.GetConformer()
    length = rdMolTransforms.GetBondLength(shape, *ends)
    rdMolTransforms.SetBondLength(shape, *ends, length * float(rng.uniform(*STRETCHED)))
    return shape.GetPositions()


def folded(molecule: Chem.Mol, atoms: Atoms, count: int, seed: int) -> list[Atoms]:
    """Frames with all bonds turned at random so that atoms without a bond touch, not relaxed."""
    rng, bonds, found = np.random.default_rng(seed), torsions(molecule), []
    across = Chem.GetDistanceMatrix(molecule)
    for _ in range(12 * count if bonds else 0):
        copy = _with_places(molecule, atoms)
        for torsion in bonds:
            rdMolTransforms.SetDihedralDeg(
                copy.GetConformer(), *torsion, float(rng.uniform(-180, 180))
            )
        moved = atoms.copy()
        places = copy.GetConformer().GetPositions()
        moved.positions = places + rng.normal(0, 0.04, places.shape)
        closest = _closeness(moved)[across > 3].min(initial=9.0)
        if len(found) < count and TOUCHING[0] < closest < 0.8:
            found.append(rounded(moved))
    return found


def touching(first: Atoms, second: Atoms, seed: int) -> Atoms:
    """Two molecules in any orientation, so far apart that their closest atoms touch."""
    rng = np.random.default_rng(seed)
    wanted = rng.uniform(*TOUCHING)
    parts = [_turned(part, rng) for part in (first, second)]
    away = rng.normal(size=3)
    away /= np.linalg.norm(away)
    near, far = 0.0, 20.0  # the closest pair opens as the distance grows, from where they overlap
    for _ in range(40):
        middle = 0.5 * (near + far)
        both = _side_by_side(*parts, away * middle)
        size = len(first)
        if _closeness(both)[:size, size:].min() < wanted:
            near = middle
        else:
            far = middle
    return rounded(_side_by_side(*parts, away * far))


def _turned(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    moved = atoms.copy()
    moved.positions = (atoms.positions - atoms.positions.mean(axis=0)) @ rotation
    moved.positions += rng.normal(0, 0.04, moved.positions.shape)
    return moved


def _side_by_side(first: Atoms, second: Atoms, by: np.ndarray) -> Atoms:
    return Atoms(
        np.concatenate([first.numbers, second.numbers]),
        np.concatenate([first.positions, second.positions + by]),
    )


def _closeness(atoms: Atoms) -> np.ndarray:
    """Distances over sums of van der Waals radii, shape (atoms, atoms)."""
    radii = np.array([RADII[z] for z in atoms.numbers.tolist()])
    return atoms.get_all_distances() / (radii[:, None] + radii)


def _with_places(molecule: Chem.Mol, atoms: Atoms | Sequence) -> Chem.Mol:
    copy = Chem.Mol(molecule)
    copy.RemoveAllConformers()
    shape = Chem.Conformer(len(atoms))
    shape.SetPositions(np.ascontiguousarray(atoms.positions))
    copy.AddConformer(shape, assignId=True)
    return copy
