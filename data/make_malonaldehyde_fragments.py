"""Pairs and triplets of atoms of malonaldehyde: what its own frames leave open, labelled by DFT.

    python data/make_malonaldehyde_fragments.py [--workers 2]

The doctor of the shipped potential proposes the dimers and trimers whose labels would tell most
about single rows of its table. Each is labelled in every spin state that its atoms can couple to;
the lowest is kept. Interrupted runs go on where they stopped.
"""

from __future__ import annotations

import argparse
import json

from common import DATA, SCRATCH, shuffled, write

import interpmd as im
from interpmd.structures.files import read_frames
from interpmd.trust.treatment import label_proposal

SEED = 6011
LEVEL = "wb97x-d3bj/def2-svp"
MOST = 160

#: Dimers and trimers of which a state is not found are left out; so are those with larger forces.
LARGEST_FORCE = 60.0


def main() -> None:
    """Propose, label, write the file and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    folder = DATA / "malonaldehyde"
    train = read_frames(folder / "train.extxyz.gz")
    diagnosis = im.doctor("malonaldehyde", train, seed=SEED)
    proposal = [a for a in diagnosis.proposal(MOST, "radicals") if len(a) > 1]
    raw = SCRATCH / "malonaldehyde.fragments.raw.extxyz"
    frames = label_proposal(proposal, LEVEL, out=raw, workers=chosen.workers)
    frames = [a for a in frames if abs(a.get_forces()).max() < LARGEST_FORCE]
    for atoms in frames:
        atoms.info["subset"] = {2: "dimer", 3: "trimer"}[len(atoms)]
    path = folder / "fragments.extxyz.gz"
    digest = write(path, shuffled(frames, SEED))
    subsets = [a.info["subset"] for a in frames]
    card = {
        "name": "malonaldehyde, fragments",
        "description": "Dimers and trimers of its atoms that the doctor of the shipped potential "
        "proposed, each in its lowest spin state; for training only.",
        "level": frames[0].info["level"],
        "code": frames[0].info["code"],
        "units": {"positions": "A", "energy": "eV", "forces": "eV/A"},
        "regenerate": "python data/make_malonaldehyde_fragments.py",
        "seed": SEED,
        "counts": {name: subsets.count(name) for name in ("dimer", "trimer")},
        "frames": len(frames),
        "largest_force_eV_per_A": LARGEST_FORCE,
        "sha256_of_text": digest,
    }
    (folder / "fragments.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
