"""What the two scripts `make_*_groups.py` share: molecules cut into groups closed with hydrogen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
from ase import Atoms
from common import DATA, shuffled, tagged, write

from interpmd.attribution.gauges.groups import group_game, part_molecules
from interpmd.structures.groups import groups_of

#: Lengths of H2 in Å around that of the gauge: what is paid for a cap.
HYDROGEN_LENGTHS = (0.55, 0.62, 0.67, 0.71, 0.7414, 0.77, 0.81, 0.87, 0.95, 1.05)


def hydrogen() -> list[Atoms]:
    """H2 at several lengths, subset "hydrogen"."""
    found = [Atoms("H2", [[0, 0, 0], [0, 0, length]]) for length in HYDROGEN_LENGTHS]
    return tagged(found, "hydrogen")


def parts_of_frames(frames: Sequence[Atoms], count: int, seed: int) -> list[Atoms]:
    """All parts of some frames, subset "part", frame after frame, frames in random order.

    A frame is cut as it is when it is explained alone, so that both enol forms of a proton that
    jumps occur; one that is a single group (the proton half way) has no parts.
    """
    found, taken = [], 0
    for atoms in shuffled(list(frames), seed):
        grouping = groups_of(atoms)
        if taken == count or len(grouping) < 2:
            continue
        found += tagged(part_molecules(group_game(grouping), atoms), "part")
        taken += 1
    return found


def write_groups(name: str, description: str, frames: list[Atoms], seed: int, **more) -> None:
    """Write `groups.extxyz.gz` of a set and its card, `groups.json`."""
    folder = DATA / name
    digest = write(folder / "groups.extxyz.gz", shuffled(frames, seed))
    forces = np.concatenate([atoms.get_forces() for atoms in frames])
    card = {
        "name": f"{name}, groups",
        "description": description,
        "level": frames[0].info["level"],
        "code": frames[0].info["code"],
        "units": {"positions": "A", "energy": "eV", "forces": "eV/A"},
        "regenerate": f"python data/make_{name}_groups.py",
        "seed": seed,
        "counts": dict(sorted(Counter(a.info["subset"] for a in frames).items())),
        "formulas": dict(sorted(Counter(a.get_chemical_formula() for a in frames).items())),
        "frames": len(frames),
        "force_rms_eV_per_A": round(float(np.sqrt((forces**2).mean())), 4),
        "sha256_of_text": digest,
        **more,
    }
    (folder / "groups.json").write_text(json.dumps(card, indent=2) + "\n")
    print(json.dumps(card, indent=2))
