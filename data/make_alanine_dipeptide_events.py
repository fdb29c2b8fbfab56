"""Alanine dipeptide's flip from C7eq to C5: a few events and their ledger, as a small table.

    python data/make_alanine_dipeptide_events.py [events]

Shots grow in scratch/alanine_dipeptide.shots.jsonl, and the script can be stopped and started
again; some minutes of one core. The tables go to data/alanine_dipeptide/events.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from common import SCRATCH

import interpmd as im

HERE = Path(__file__).parent / "alanine_dipeptide"

#: psi between the ring that a hydrogen bond closes (C7eq, 75 degrees) and the stretched form (C5,
#: 160 degrees).
FLIP = im.torsion_flip(3, 4, 6, 8, middle=115.0, edge=25.0)

TOPS, TIMESTEP, WINDOW, SPAN, SEED = 60, 1.0, 150.0, 60.0, 11


def start(card: dict) -> im.Trajectory:
    """A frame of the test set near the top, in the lower left of the (phi, psi) plane."""
    frames = [a for a in im.read_frames(HERE / "test.extxyz.gz") if len(a) == 22]

    def off(atoms):
        phi = (atoms.get_dihedral(*card["dihedrals"]["phi"]) + 180) % 360 - 180
        return abs(FLIP(atoms) - FLIP.middle) + abs(phi + 110)

    return min(frames, key=off)


def main(count: int = 40) -> None:
    card = json.loads((HERE / "card.json").read_text())
    potential = im.load("alanine_dipeptide")
    SCRATCH.mkdir(exist_ok=True)
    tops = im.top_structures(
        potential, start(card), FLIP, n=TOPS, timestep=TIMESTEP, apart=60, settle=200, seed=SEED
    )
    flips = im.shoot(
        potential,
        tops,
        FLIP,
        count,
        timestep=TIMESTEP,
        window=WINDOW,
        longest=1500.0,
        seed=SEED,
        out=SCRATCH / "alanine_dipeptide.shots.jsonl",
    )
    print(flips)
    book = im.event_ledger(potential, flips, before=SPAN, after=SPAN, progress=False)
    print(book)
    tables = {
        "events": len(book.events),
        "shots": len(flips.tried),
        "recrossings": [e.recrossings for e in flips],
        "passage_fs": [round(e.entered - e.left, 1) for e in flips],
        "foot_fs": book.foot,
        "rise_eV": [round(x, 4) for x in book.rise],
        "closure": round(book.closure, 6),
        "rises": _rows(book.rises(), "rise_eV", "rise_error"),
        "gates": _rows(book.gates(), "gives_eV", "gives_error"),
        "times_fs": book.times.tolist(),
        "curves_eV": {
            name: book.averages.mean(book.data.stored.sel(interaction=name).values)
            .round(5)
            .tolist()
            for name in book.rises().index[:6]
        },
        "regenerate": "python data/make_alanine_dipeptide_events.py",
    }
    (HERE / "events.json").write_text(json.dumps(tables, indent=1, ensure_ascii=False) + "\n")


def _rows(table, value: str, error: str) -> dict[str, list[float]]:
    return {name: [round(row[value], 4), round(row[error], 4)] for name, row in table.iterrows()}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
