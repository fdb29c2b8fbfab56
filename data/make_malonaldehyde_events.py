"""Jumps of malonaldehyde's proton, and wB97X-D3(BJ)/def2-SVP's own ledger of some of them.

    python data/make_malonaldehyde_events.py [seed ...]

Five seeds, each with its own structures at the top and its own jumps; the reference is asked about
the first jumps of each. Shots and labels grow in scratch/events, and the script can be stopped and
started again; some minutes of one core for each seed. Each seed has a row in
data/malonaldehyde/events.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from common import SCRATCH

import interpmd as im
from interpmd.attribution.over_time.events import Beside, EventLedger
from interpmd.demo import MALONALDEHYDE

HERE = Path(__file__).parent / "malonaldehyde"

SEEDS = range(5)

#: Events of the first seed, and of each seed where five are compared.
EVENTS, EACH, TOPS = 340, 60, 60

LEVEL = "wb97x-d3bj/def2-svp"

#: By seed: events that the reference is asked about, and fs between its frames. What differs, a
#: few meV/Å, is known after a few frames; the model's own forces stand between them.
ASKED = {0: (3, 5.0), 1: (3, 5.0), 2: (1, 5.0), 3: (1, 15.0), 4: (1, 16.5)}

TRANSFER = im.proton_transfer(8, 4, 0)


def tops(potential: im.Potential, seed: int, n: int = TOPS) -> list[Atoms]:
    """Structures at the top."""
    return im.top_structures(potential, MALONALDEHYDE, TRANSFER, n=n, seed=seed)


def shot(potential: im.Potential, seed: int, n: int = EVENTS) -> im.Events:
    """The events of a seed, from the file if they are there."""
    out = SCRATCH / "events" / f"shots-{seed}.jsonl"
    return im.shoot(
        potential, tops(potential, seed), TRANSFER, n, seed=seed, out=out, progress=False
    )


def ledger(
    potential: im.Potential, seed: int, by: str = "interaction", n: int = EVENTS
) -> EventLedger:
    """The ledger of the events of a seed."""
    return im.event_ledger(potential, shot(potential, seed, n), by=by, progress=False)


def gate_of(table) -> str:
    """The motion that brings both oxygens together, by its name."""
    return next(name for name in table.index if "O0···O4" in name)


def place(both: Beside, name: str) -> int:
    """Place of a motion among those that give, by the reference."""
    ranked = both.gates()["reference_eV"].sort_values(ascending=False)
    return list(ranked.index).index(name) + 1


def row(potential: im.Potential, seed: int) -> dict[str, Any]:
    """What both say of a seed."""
    events, every = ASKED[seed]
    own = ledger(potential, seed, n=EACH)
    out = SCRATCH / "events" / f"labels-{seed}.extxyz"
    both = im.ledger_beside(own, LEVEL, events, every, out=out, progress=False)
    print(seed, both, flush=True)
    gates, rises = both.gates(), both.rises()
    name = gate_of(gates)
    gate = gates.loc[name]
    # of one event the difference has no error of its own
    error = np.hypot(gate["model_error"], np.nan_to_num(gate["difference_error"]))
    return {
        "seed": seed,
        "events": len(own.events),
        "events_asked": len(both.own.events),
        "every_fs": every,
        "labels": both.frames,
        "foot_fs": own.foot,
        "motion": name,
        "place_by_model": list(gates.index).index(name) + 1,
        "place_by_reference": place(both, name),
        "model_eV": gate[["model_eV", "model_error"]].round(4).tolist(),
        "reference_eV": [round(float(gate["reference_eV"]), 4), round(float(error), 4)],
        "next_by_reference_eV": round(float(gates["reference_eV"].drop(name).max()), 4),
        "rises_differ_eV": round(both.error, 5),
        "rises_eV": round(float((rises["reference_eV"] ** 2).mean() ** 0.5), 5),
        "correlation": round(both.agreement, 5),
    }


def main(seeds: Sequence[int]) -> None:
    potential, path = im.load("malonaldehyde"), HERE / "events.json"
    known = json.loads(path.read_text())["seeds"] if path.exists() else []
    rows = {one["seed"]: one for one in known}
    for seed in seeds or SEEDS:
        rows[seed] = row(potential, seed)
        table = {
            "level": LEVEL,
            "seeds": [rows[seed] for seed in sorted(rows)],
            "regenerate": "python data/make_malonaldehyde_events.py",
        }
        path.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(list(map(int, sys.argv[1:])))
