"""Groups of malonaldehyde closed with hydrogen, labelled by DFT: the parts of gauge "groups".

    python data/make_malonaldehyde_groups.py [--frames 30] [--workers 2] [--choose]

CHO, CH=CH, OH and their connected sets, as formaldehyde, ethene, water, acrolein and vinyl alcohol
in the geometries that they have inside frames of the training set, and H2: all parts of some random
frames, and those parts of the other frames that a potential of these knew least (grade above 0.7).
Which these are is kept in data/malonaldehyde/least_known.json; `--choose` chooses anew, by the
shipped potential. The labels grow in scratch/malonaldehyde.groups.raw.extxyz; the script can be
stopped and started again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from ase import Atoms
from common import DATA, SCRATCH
from groups import hydrogen, parts_of_frames, write_groups

import interpmd as im
from interpmd.potentials.uncertainty import uncertainty
from interpmd.reference.labelling import label
from interpmd.structures.files import read_frames

LEVEL = "wb97x-d3bj/def2-svp"
SEED = 6012
FRAMES = 30

#: Grade above which a part counts as little known, and where those that were chosen are kept.
LITTLE_KNOWN = 0.7
CHOSEN = DATA / "malonaldehyde" / "least_known.json"


def main() -> None:
    """Cut frames into parts, label them, write the file and its card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--choose", action="store_true")
    chosen = parser.parse_args()
    train = read_frames(DATA / "malonaldehyde" / "train.extxyz.gz")
    whole = [atoms for atoms in train if len(atoms) == 9]
    if chosen.choose:
        CHOSEN.write_text(json.dumps(least_known(whole)) + "\n")
    asked = hydrogen() + parts_of_frames(whole, chosen.frames, SEED)
    asked += [
        parts_of_frames([whole[frame]], 1, SEED)[part]
        for frame, part in json.loads(CHOSEN.read_text())
    ]
    raw = SCRATCH / "malonaldehyde.groups.raw.extxyz"
    labelled = label(asked, LEVEL, out=raw, workers=chosen.workers)
    write_groups(
        "malonaldehyde",
        "Connected groups of its molecule closed with hydrogen at standard lengths, in the "
        "geometries that they have inside training frames, of random frames and the least known of "
        "the others, and H2; for training only.",
        labelled,
        SEED,
        cut_frames=chosen.frames,
    )


def least_known(whole: Sequence[Atoms]) -> list[tuple[int, int]]:
    """Numbers of frames and of their parts whose grade is high."""
    potential = im.load("malonaldehyde")
    return [
        (i, j)
        for i, atoms in enumerate(whole)
        for j, part in enumerate(parts_of_frames([atoms], 1, SEED))
        if uncertainty(potential, potential.batch(part)).extrapolation.max() > LITTLE_KNOWN
    ]


if __name__ == "__main__":
    main()
