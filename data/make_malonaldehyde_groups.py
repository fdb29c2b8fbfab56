"""Groups of malonaldehyde closed with hydrogen, labelled by DFT: the parts of gauge "groups".

    python data/make_malonaldehyde_groups.py [--frames 30] [--workers 2]

CHO, CH=CH, OH and their connected sets, as formaldehyde, ethene, water, acrolein and vinyl alcohol
in the geometries that they have inside frames of the training set, and H2. The labels grow in
scratch/malonaldehyde.groups.raw.extxyz; the script can be stopped and started again.
"""

from __future__ import annotations

import argparse

from common import DATA, SCRATCH
from groups import hydrogen, parts_of_frames, write_groups

from interpmd.reference.labelling import label
from interpmd.structures.files import read_frames

LEVEL = "wb97x-d3bj/def2-svp"
SEED = 6012
FRAMES = 30


def main() -> None:
    """Cut frames into parts, label them, write the file and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    train = read_frames(DATA / "malonaldehyde" / "train.extxyz.gz")
    whole = [atoms for atoms in train if len(atoms) == 9]
    asked = hydrogen() + parts_of_frames(whole, chosen.frames, SEED)
    raw = SCRATCH / "malonaldehyde.groups.raw.extxyz"
    labelled = label(asked, LEVEL, out=raw, workers=chosen.workers)
    write_groups(
        "malonaldehyde",
        "Connected groups of its molecule closed with hydrogen at standard lengths, in the "
        "geometries that they have inside training frames, and H2; for training only.",
        labelled,
        SEED,
        cut_frames=chosen.frames,
    )


if __name__ == "__main__":
    main()
