"""Alanine dipeptide's flip from C7eq to C5: a few hundred events and their ledger, as small tables.

    python data/make_alanine_dipeptide_events.py [events]

Shots grow in scratch/alanine_dipeptide.shots.jsonl, and the script can be stopped and started
again; half an hour of one core. The tables go to data/alanine_dipeptide/events.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ase import Atoms
from ase.io import read, write
from common import SCRATCH

import interpmd as im

HERE = Path(__file__).parent / "alanine_dipeptide"

TIMESTEP, SEED = 1.0, 11

#: Structures that are shot from, fs between them, and fs that each half of a shot lasts at least.
TOPS, APART, WINDOW = 150, 100.0, 400.0

#: fs around the crossing.
SPAN = 300.0


@dataclass(frozen=True)
class Turned:
    """psi - 0.6 phi in degrees, psi between -20 and 340, phi between -240 and 120.

    Committors along both dihedrals have this slope: who has turned psi to 122 degrees comes to C5
    in a quarter of all cases at phi -95, in three quarters at phi -130.
    """

    phi: tuple[int, ...] = (1, 3, 4, 6)
    psi: tuple[int, ...] = (3, 4, 6, 8)

    def __call__(self, atoms: Atoms) -> float:
        phi, psi = (atoms.get_dihedral(*members) for members in (self.phi, self.psi))
        return (psi + 20) % 360 - 20 - 0.6 * ((phi + 240) % 360 - 240)


#: Between the ring that a hydrogen bond closes (C7eq, 123 degrees) and the stretched form (C5,
#: 256 degrees); its middle is where committors are one half.
FLIP = im.ReactionCoordinate(
    Turned(), 145.0, 189.0, 235.0, "ψ − 0.6 φ", "°", ("C7eq", "C5"), None, (1, 3, 4, 6, 8)
)


def tops(potential: im.Potential) -> list[Atoms]:
    """Structures on the dividing surface, from the file if they are there."""
    path = SCRATCH / "alanine_dipeptide.tops.traj"
    if not path.exists():
        frames = [a for a in im.read_frames(HERE / "test.extxyz.gz") if len(a) == 22]
        start = min(frames, key=lambda atoms: abs(FLIP(atoms) - FLIP.middle))
        how = {"timestep": TIMESTEP, "apart": APART, "settle": 300, "seed": SEED}
        write(path, im.top_structures(potential, start, FLIP, n=TOPS, **how))
    return read(path, ":")


def flips(potential: im.Potential, count: int) -> im.Events:
    """The events, from the file as far as they are there."""
    SCRATCH.mkdir(exist_ok=True)
    return im.shoot(
        potential,
        tops(potential),
        FLIP,
        count,
        timestep=TIMESTEP,
        window=WINDOW,
        longest=2000.0,
        seed=SEED,
        out=SCRATCH / "alanine_dipeptide.shots.jsonl",
        progress=False,
    )


if __name__ == "__main__":
    print(flips(im.load("alanine_dipeptide"), 400))
