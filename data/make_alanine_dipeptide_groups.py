"""Groups of alanine dipeptide closed with hydrogen at GFN2-xTB: the parts of gauge "groups".

    python data/make_alanine_dipeptide_groups.py [--frames 160] [--workers 2]

The 45 connected sets of its nine groups, the molecule itself excepted, in the geometries that they
have inside frames of the training set, and H2. Minutes.
"""

from __future__ import annotations

import argparse

from common import DATA
from groups import hydrogen, parts_of_frames, write_groups

from interpmd.reference.labelling import label
from interpmd.structures.files import read_frames

LEVEL = "gfn2-xtb"
SEED = 6013
FRAMES = 160


def main() -> None:
    """Cut frames into parts, label them, write the file and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    train = read_frames(DATA / "alanine_dipeptide" / "train.extxyz.gz")
    whole = [atoms for atoms in train if len(atoms) == 22]
    asked = hydrogen() + parts_of_frames(whole, chosen.frames, SEED)
    labelled = label(asked, LEVEL, workers=chosen.workers)
    write_groups(
        "alanine_dipeptide",
        "Connected groups of its molecule closed with hydrogen at standard lengths, in the "
        "geometries that they have inside training frames, and H2; for training only.",
        labelled,
        SEED,
        cut_frames=chosen.frames,
    )


if __name__ == "__main__":
    main()
