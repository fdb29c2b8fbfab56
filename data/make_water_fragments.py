"""Sub-clusters of water clusters at GFN2-xTB: training data for two- to four-body contributions.

    python data/make_water_fragments.py [--workers 2]

Trimers, tetramers and hexamers from dynamics of their own (seeds that `make_water.py` does not
use), each with its sub-clusters: differences of their energies are the many-body contributions.
Distorted monomers, so that the molecules themselves are known as well.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from ase import Atoms
from common import DATA, distinct, shuffled, tagged, thinned, write
from make_water import LARGEST_FORCE, LEVEL, dynamics, monomers

from interpmd.reference.clusters import fragments, random_clusters
from interpmd.reference.labelling import label

SEED = 4051
NAMES = {1: "monomer", 2: "dimer", 3: "trimer", 4: "tetramer", 6: "hexamer"}


def geometries() -> list[Atoms]:
    """Clusters and their sub-clusters, each with its subset "fragment"."""
    rng = np.random.default_rng(SEED)
    thermal, distorted = monomers(rng, seed=SEED + 6)
    close = random_clusters(thermal, 3, 400, (2.3, 4.0), seed=SEED + 1, contact=0.5)
    close += random_clusters(thermal, 4, 100, (2.4, 4.0), seed=SEED + 2, contact=0.6)
    trimers = dynamics(thermal, 3, 24, 8, seed=SEED + 3)
    tetramers = dynamics(thermal, 4, 24, 6, seed=SEED + 4)
    hexamers = dynamics(thermal, 6, 12, 4, seed=SEED + 5)
    frames = [*distorted]
    for atoms in trimers + close[:400]:
        frames += fragments(atoms, orders=(2, 3))
    for atoms in tetramers + close[400:]:
        parts = fragments(atoms, orders=(1, 2, 3, 4))
        frames += [p for p in parts if p.info["molecules"] > 2 or rng.uniform() < 0.5]
    for atoms in hexamers:
        for size, count in ((3, 4), (4, 3), (6, 1)):
            parts = fragments(atoms, orders=(size,))
            frames += [parts[i] for i in rng.permutation(len(parts))[:count]]
    sized = [tagged([a], "fragment", molecules=len(a) // 3)[0] for a in frames]
    return distinct(sized)


def main() -> None:
    """Make geometries, label them, write the file and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    frames = thinned(label(geometries(), LEVEL, workers=chosen.workers), LARGEST_FORCE)
    path = DATA / "water" / "fragments.extxyz.gz"
    digest = write(path, shuffled(frames, SEED))
    sizes = [a.info["molecules"] for a in frames]
    card = {
        "name": "water, fragments",
        "description": "Water trimers, tetramers and hexamers from molecular dynamics at 150 to "
        "400 K and from random placement, with their sub-clusters, and "
        "distorted monomers; for training only.",
        "level": frames[0].info["level"],
        "code": frames[0].info["code"],
        "units": {"positions": "A", "energy": "eV", "forces": "eV/A"},
        "regenerate": "python data/make_water_fragments.py",
        "seed": SEED,
        "counts": {name: sizes.count(size) for size, name in NAMES.items()},
        "frames": len(frames),
        "largest_force_eV_per_A": LARGEST_FORCE,
        "sha256_of_text": digest,
    }
    (path.parent / "fragments.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
