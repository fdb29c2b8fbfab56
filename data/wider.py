"""Geometries of the small molecules far from their minima.

`data/make_small_molecules.py` asks for them: scans of bonds that turn, strained and folded
molecules, pairs that touch, and rounds of frames where a potential went astray. All are kept in
files of their own, one for each molecule.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ase.io
import failures
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from common import SCRATCH, write_geometries
from geometries import LEVEL, embedded, relaxed, rounded, seed_of, torsions, turned
from strained import displaced, folded, touching

GEOMETRIES = SCRATCH / "small_molecules.wider"

#: Frames of each molecule: bonds turned and all else relaxed by so many steps; displaced; folded.
TURNED, STEPS, DISPLACED, FOLDED = 4, 4, 2, 2

#: Pairs of molecules of at most so many heavy atoms together, and how many of each.
PAIRS, LARGEST_PAIR = 1600, 7


def beyond_minima(smiles: str) -> list[Atoms]:
    """Frames of a molecule, from their file where there is one."""
    path = GEOMETRIES / f"{seed_of(smiles):08x}.extxyz"
    if not path.exists():
        write_geometries(path, _made(smiles))
    return ase.io.read(path, index=":") if path.stat().st_size else []


def _made(smiles: str) -> list[Atoms]:
    molecule, conformers = embedded(smiles, 3, seed=seed_of(smiles) + 1)
    if not conformers:
        return []
    seed = seed_of(smiles)
    rng, bonds = np.random.default_rng(seed + 2), torsions(molecule)
    scanned = []
    for number in range(TURNED if bonds else 0):
        start = conformers[number % len(conformers)]
        torsion = bonds[rng.integers(len(bonds))]
        moved = turned(molecule, start, torsion, rng.uniform(-180, 180))
        scanned.append(relaxed(moved, LEVEL, STEPS))
    last = conformers[-1]
    found = {
        "scan": scanned,
        "strained": displaced(molecule, last, DISPLACED, seed + 3),
        "folded": folded(molecule, last, FOLDED, seed + 4),
    }
    for subset, frames in found.items():
        for atoms in frames:
            atoms.info = {"subset": subset, "molecule": smiles, "charge": 0}
    return [atoms for frames in found.values() for atoms in frames]


def pairs(molecules: Sequence[str], heavy: Sequence[int], seed: int) -> list[Atoms]:
    """Pairs of molecules drawn at random that touch, from their file where there is one."""
    path = GEOMETRIES / "pairs.extxyz"
    if not path.exists():
        write_geometries(path, _paired(molecules, heavy, seed))
    return ase.io.read(path, index=":")


def _paired(molecules: Sequence[str], heavy: Sequence[int], seed: int) -> list[Atoms]:
    rng, found = np.random.default_rng(seed), []
    small = [k for k, count in enumerate(heavy) if count <= LARGEST_PAIR - 1]
    # small molecules are few: drawn by size, so that they are not rare
    weights = np.array([4.0 ** -heavy[k] for k in small])
    shapes: dict[int, list[Atoms]] = {}
    while len(found) < PAIRS:
        first, second = (small[k] for k in rng.choice(len(small), 2, p=weights / weights.sum()))
        if heavy[first] + heavy[second] > LARGEST_PAIR:
            continue
        both = []
        for k in (first, second):
            if k not in shapes:
                shapes[k] = embedded(molecules[k], 3)[1]
            if shapes[k]:
                both.append(shapes[k][rng.integers(len(shapes[k]))])
        if len(both) < 2:
            continue
        atoms = rounded(touching(*both, seed=seed + len(found)))
        name = f"{molecules[first]}.{molecules[second]}"
        atoms.info = {"subset": "pair", "molecule": name, "charge": 0}
        found.append(atoms)
    return found


def astray(
    molecules: Sequence[str],
    heavy: Sequence[int],
    both: Sequence[Atoms],
    calculator: Calculator,
    turn: int,
) -> list[Atoms]:
    """Frames of runs that a potential leads, from molecules and pairs; those that are there already
    are read.

    Args:
        molecules: SMILES. Each of three heavy atoms and more starts folded, and with a bond turned;
            every other one is heated too.
        heavy: their numbers of heavy atoms.
        both: pairs, of which a quarter is relaxed.
        calculator: of the potential.
        turn: the number of the round, from 1 on: later ones start elsewhere.
    """
    found = []
    for number, (smiles, count) in enumerate(zip(molecules, heavy, strict=True)):
        if count < 3:
            continue
        path = GEOMETRIES / f"round{turn}" / f"{seed_of(smiles):08x}.extxyz"
        if not path.exists():
            heated = (number // 2 + turn) % 2 == 0
            _lead(path, smiles, _runs(smiles, calculator, turn, heated))
        found += ase.io.read(path, index=":") if path.stat().st_size else []
    for number, atoms in enumerate(both[turn::4]):
        path = GEOMETRIES / f"round{turn}" / f"pair{number:04d}.extxyz"
        if not path.exists():
            last = failures.downhill(rounded(atoms), calculator)[-2:]
            _lead(path, atoms.info["molecule"], last)
        found += ase.io.read(path, index=":")
    return found


def _runs(smiles: str, calculator: Calculator, turn: int, heated: bool) -> list[Atoms]:
    there = beyond_minima(smiles)
    if not there:
        return []
    scans = [a for a in there if a.info["subset"] == "scan"]
    starts = [a for a in there if a.info["subset"] == "folded"] or there
    frames = failures.downhill(rounded(starts[turn % len(starts)]), calculator)
    if scans:
        frames += failures.downhill(rounded(scans[turn % len(scans)]), calculator)
    if heated:
        frames += failures.hot(rounded((scans or there)[0]), calculator, seed_of(smiles) + turn)
    return frames


def _lead(path: Path, name: str, frames: list[Atoms]) -> None:
    for atoms in frames:
        atoms.info = {"subset": "path", "molecule": name, "charge": 0}
    write_geometries(path, frames)
