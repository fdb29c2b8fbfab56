"""Small molecules of carbon, hydrogen, nitrogen and oxygen, labelled by GFN2-xTB.

    python data/make_small_molecules.py [--workers 2]

Every likely molecule of up to five heavy atoms (`molecules.py`), those of six that are fragments of
what the potential will be asked for, and more of six at random. Of each: relaxed conformers,
thermal displacements at 300 to 1200 K, bonds turned by any angle (`geometries.py`).

Geometries are kept molecule by molecule in scratch/small_molecules, labels grow in
scratch/small_molecules.raw.extxyz; the script can be stopped and started again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from asked import ASKED
from common import SCRATCH
from geometries import LEVEL, embedded, relaxed, seed_of, twisted, vibrating
from molecules import grown
from rdkit import Chem
from tqdm import tqdm

from interpmd.errors import CalculationError
from interpmd.reference import label
from interpmd.trust.known_fragments import known_fragments

GEOMETRIES = SCRATCH / "small_molecules"
RAW = SCRATCH / "small_molecules.raw.extxyz"

#: Heavy atoms of the largest molecules, and how many of these are drawn at random.
LARGEST, DRAWN, SEED = 6, 320, 6031

#: Of one molecule: conformers, vibrations by temperature (K), and frames with turned bonds.
CONFORMERS, TEMPERATURES, TWISTED = 2, (300.0, 600.0, 600.0, 1200.0), 3


def geometries(smiles: str) -> list[Atoms]:
    """All frames of a molecule, from their file where there is one."""
    path = GEOMETRIES / f"{seed_of(smiles):08x}.extxyz"
    if not path.exists():
        _write(path, _made(smiles))
    return ase.io.read(path, index=":") if path.stat().st_size else []


def _made(smiles: str) -> list[Atoms]:
    molecule, conformers = embedded(smiles, CONFORMERS)
    lowest, seed = [relaxed(atoms) for atoms in conformers], seed_of(smiles)
    if not lowest:
        return []
    try:
        vibrations = vibrating(lowest[0], TEMPERATURES, 1, seed)
    except CalculationError:  # it reacted: its bonds are no longer those of the SMILES
        return []
    turns = twisted(molecule, lowest[0], TWISTED, seed)
    found = {"conformer": lowest, "vibration": vibrations, "torsion": turns}
    for subset, frames in found.items():
        for atoms in frames:
            atoms.info = {"subset": subset, "molecule": smiles, "charge": 0}
    return [atoms for frames in found.values() for atoms in frames]


def _write(path: Path, frames: list[Atoms]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.touch()
    if frames:
        ase.io.write(beside, frames, format="extxyz")
    beside.rename(path)


def asked_fragments() -> set[str]:
    """SMILES of the capped groups of the molecules that will be asked for."""
    found: set[str] = set()
    for smiles in ASKED.values():
        _, conformers = embedded(smiles, 1)
        # all of it is lacking where nothing is known
        found |= set(known_fragments(conformers, []).lacking) if conformers else set()
    return found


def chosen_molecules() -> list[str]:
    """SMILES of the training molecules."""
    by_size = grown(LARGEST)
    small = [smiles for size in range(1, LARGEST) for smiles in by_size[size]]
    fragments = sorted(asked_fragments() - set(small))
    covering = [s for s in fragments if Chem.MolFromSmiles(s).GetNumHeavyAtoms() <= LARGEST]
    rest = [smiles for smiles in by_size[LARGEST] if smiles not in covering]
    drawn = np.random.default_rng(SEED).permutation(len(rest))[:DRAWN]
    return small + covering + [rest[k] for k in sorted(drawn.tolist())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    asked = chosen_molecules()
    print(f"{len(asked)} molecules")
    frames = [atoms for smiles in tqdm(asked, mininterval=10) for atoms in geometries(smiles)]
    label(frames, LEVEL, out=RAW, workers=chosen.workers, progress=False)


if __name__ == "__main__":
    main()
