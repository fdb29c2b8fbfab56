"""Some atoms of a structure without the others: what rows of atoms ask for.

    python data/make_radicals.py water alanine_dipeptide malonaldehyde copper [--workers 2]

Parts of a molecule that are cut out are radicals, and whole molecules never show what they do. Each
is labelled in every spin state that its atoms can couple to; the lowest is kept. Where a state does
not converge, as of most pairs from two molecules of water, it is not known which is the lowest, and
the part is left out. `radicals_test.extxyz.gz` holds triplets of near atoms of test frames with
their pairs, whose rows size and judge error bars; `radicals.extxyz.gz`, of water, is training data.
Interrupted runs go on where they stopped.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from ase import Atoms
from common import DATA, SCRATCH, distinct, shuffled, tagged, thinned, write

import interpmd as im
from interpmd.structures.files import read_frames
from interpmd.trust.proposal import multiplicities
from interpmd.trust.treatment import label_proposal

SEED = 7103
LEVELS = {
    "water": "gfn2-xtb",
    "alanine_dipeptide": "gfn2-xtb",
    "malonaldehyde": "wb97x-d3bj/def2-svp",
    "copper": "emt",
}
NAMES = {2: "pair", 3: "triplet", 4: "quadruplet"}

#: Training data of water: parts of one molecule, and of two or three, by the number of atoms.
INSIDE = {2: 150}
ACROSS = {2: 60, 3: 120, 4: 120}

#: Triplets of test frames, and how far (A) two of their atoms may lie from the first.
TRIPLETS = {"malonaldehyde": 24}
MANY, NEAR = 60, 3.0

#: Atoms that touch are not what a molecule's rows ask for (eV/A).
LARGEST_FORCE = 60.0


def for_training() -> list[Atoms]:
    """Some atoms of one molecule of water, and of two or three, in training frames."""
    rng = np.random.default_rng(SEED)
    train = read_frames(DATA / "water" / "train.extxyz.gz")
    monomers = [a for a in train if len(a) == 3]
    clusters = [a for a in train if len(a) in (6, 9)]
    chosen = []
    for pool, counts in ((monomers, INSIDE), (clusters, ACROSS)):
        for size, count in counts.items():
            for number in rng.choice(len(pool), count, replace=count > len(pool)):
                atoms = pool[number]
                chosen.append(atoms[np.sort(rng.choice(len(atoms), size, replace=False))])
    return distinct(tagged([a for a in chosen if not _whole(a)], "radical"))


def _near(rng: np.random.Generator, atoms: Atoms) -> list[int] | None:
    """Two random atoms near a random one, and that one; None where there are too few."""
    first = int(rng.integers(len(atoms)))
    apart = np.linalg.norm(atoms.positions - atoms.positions[first], axis=1)
    near = np.flatnonzero((apart > 0) & (apart < NEAR))
    return None if len(near) < 2 else sorted([first, *rng.choice(near, 2, replace=False).tolist()])


def for_judging(name: str) -> list[Atoms]:
    """Triplets of near atoms of test frames, each with its pairs."""
    rng = np.random.default_rng(SEED + 1)
    frames = [a for a in read_frames(DATA / name / "test.extxyz.gz") if len(a) > 2]
    if name == "water":
        frames = [a for a in frames if len(a) in (3, 6)]
    chosen: list[Atoms] = []
    for number in rng.choice(len(frames), TRIPLETS.get(name, MANY), replace=True):
        atoms = frames[number]
        triplet = _near(rng, atoms)
        if triplet is None:
            continue
        chosen += [atoms[list(part)] for part in (triplet, *combinations(triplet, 2))]
    return distinct(tagged(chosen, "radical"))


def _whole(atoms: Atoms) -> bool:
    """Whether these are a molecule of water, which other data hold."""
    return sorted(atoms.numbers.tolist()) == [1, 1, 8]


def make(name: str, kind: str, parts: Sequence[Atoms], workers: int) -> None:
    """Label, write the file and its card."""
    level = LEVELS[name]
    SCRATCH.mkdir(exist_ok=True)
    raw = SCRATCH / f"{name}.{kind}.raw.extxyz"
    if level == "emt":  # knows no spin; a named one must suit the number of electrons
        for atoms in parts:
            atoms.info["multiplicity"] = multiplicities(atoms)[0]
        labelled = im.label(parts, level, out=raw, workers=workers)
    else:
        labelled = label_proposal(parts, level, out=raw, workers=workers)
    frames = thinned(labelled, LARGEST_FORCE)
    path = DATA / name / f"{kind}.extxyz.gz"
    digest = write(path, shuffled(frames, SEED))
    sizes = Counter(len(a) for a in frames)
    card = {
        "name": f"{name.replace('_', ' ')}, radicals",
        "description": f"Some atoms of {'test' if 'test' in kind else 'training'} frames without "
        "the others, each part in its lowest spin state; for "
        f"{'sizing and judging error bars of rows of atoms' if 'test' in kind else 'training'}.",
        "level": frames[0].info["level"],
        "code": frames[0].info["code"],
        "units": {"positions": "A", "energy": "eV", "forces": "eV/A"},
        "regenerate": f"python data/make_radicals.py {name}",
        "seed": SEED,
        "counts": {NAMES[size]: sizes[size] for size in sorted(sizes)},
        "frames": len(frames),
        "largest_force_eV_per_A": LARGEST_FORCE,
        "sha256_of_text": digest,
    }
    Path(path.parent / f"{kind}.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=LEVELS)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    for name in chosen.names:
        if name == "water":
            make(name, "radicals", for_training(), chosen.workers)
        make(name, "radicals_test", for_judging(name), chosen.workers)


if __name__ == "__main__":
    main()
