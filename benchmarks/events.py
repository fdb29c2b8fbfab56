"""Events: how many, how well the ledger closes, which motion opens the gate, and the reference's.

``python benchmarks/events.py [make events shares gate committor reference]``; malonaldehyde.

``make`` shoots the events of five seeds into `scratch/events`, and asks wB97X-D3(BJ)/def2-SVP
about three events of the first one (some minutes); all parts go on where they were broken off.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import numpy as np
from results import ROOT, record

import interpmd as im
from interpmd.attribution.over_time.events import Beside, EventLedger
from interpmd.demo import MALONALDEHYDE

COMMAND = "python benchmarks/events.py"

SEEDS = range(5)
#: Events of the first seed, and of each seed where five are compared.
EVENTS, EACH, TOPS = 340, 60, 60
LEVEL = "wb97x-d3bj/def2-svp"

#: Events that the reference is asked about, of the first seed, and fs between its frames.
ASKED, EVERY = 3, 5.0

SCRATCH = ROOT / "scratch" / "events"
TRANSFER = im.proton_transfer(8, 4, 0)


def tops(potential: im.Potential, seed: int, n: int = TOPS) -> list:
    return im.top_structures(potential, MALONALDEHYDE, TRANSFER, n=n, seed=seed)


def shot(potential: im.Potential, seed: int, n: int = EVENTS) -> im.Events:
    """The events of a seed, from the file if they are there."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    out = SCRATCH / f"shots-{seed}.jsonl"
    return im.shoot(
        potential, tops(potential, seed), TRANSFER, n, seed=seed, out=out, progress=False
    )


def ledger(
    potential: im.Potential, seed: int, by: str = "interaction", n: int = EVENTS
) -> EventLedger:
    return im.event_ledger(potential, shot(potential, seed, n), by=by, progress=False)


def asked(of: EventLedger) -> Beside:
    """The reference's ledger of the first seed, from the file as far as it is there."""
    out = SCRATCH / "labels.extxyz"
    return im.ledger_beside(of, LEVEL, ASKED, EVERY, out=out, progress=False)


def make() -> dict[str, str]:
    potential = im.load("malonaldehyde")
    print(asked(ledger(potential, SEEDS[0])))
    for seed in SEEDS[1:]:
        print(seed, shot(potential, seed, EACH))
    return {}


def events() -> dict[str, str]:
    """Time of a hundred events, closure of their ledger, error of what kinds take up."""
    potential = im.load("malonaldehyde")
    started = time.process_time()
    found = im.shoot(potential, tops(potential, 0, 50), TRANSFER, 100, window=60.0, progress=False)
    shooting = time.process_time() - started
    one = im.event_ledger(potential, found, progress=False, before=50.0, after=50.0)
    whole = time.process_time() - started
    return {
        "events: malonaldehyde, 100 reactive events": (
            f"{shooting:.0f} s of one core, structures at the top included; with their ledger "
            f"{whole:.0f} s ({len(found.tried)} shots)"
        ),
        "events: ledger of 100 events closes, 0.5 fs": (
            f"{100 * one.closure:.3f} % of {one.exchanged:.1f} eV exchanged (largest of all events "
            f"and times {1000 * one.closure_error:.1f} meV); motions on the kinetic energy to "
            f"{one.kinetic_closure_error:.0e} eV"
        ),
    }


def shares() -> dict[str, str]:
    """How well many events know what each kind of interaction takes up."""
    kinds = ledger(im.load("malonaldehyde"), SEEDS[0], "kind")
    table, (rise, error) = kinds.rises(), kinds.rise
    energy, share = table["rise_error"].max(), table["share_error"].max()
    return {
        f"events: standard error of what a kind takes up, {len(kinds.events)} events": (
            f"{1000 * energy:.1f} meV at most, {100 * energy / rise:.0f} % of the rise of "
            f"{1000 * rise:.0f} ± {1000 * error:.0f} meV; of shares, whose divisor has an error as "
            f"well, {100 * share:.0f} % at most"
        ),
    }


def gate() -> dict[str, str]:
    """The place of the motion of both oxygens among all motions, by the model and by others."""
    potential = im.load("malonaldehyde")
    places, xtb, given = [], [], []
    for seed in SEEDS:
        own = ledger(potential, seed, n=EACH)
        gates = own.gates()
        name = next(n for n in gates.index if "O0···O4" in n)
        places.append(list(gates.index).index(name) + 1)
        row = 1000 * gates.loc[name]
        given.append(f"{row['gives_eV']:.0f} ± {row['gives_error']:.0f}")
        xtb.append(_place(im.ledger_beside(own, "gfn2-xtb", 15, EVERY, progress=False), name))
    return {
        "events: place of the O···O vibration among the motions that pay": (
            f"by the model {places}, by GFN2-xTB {xtb} (five seeds of {EACH} events); it gives "
            f"{', '.join(given)} meV"
        ),
    }


def _place(both: Beside, name: str) -> int:
    ranked = both.gates()["reference_eV"].sort_values(ascending=False)
    return list(ranked.index).index(name) + 1


def committor() -> dict[str, str]:
    """Committors of structures on the dividing surface."""
    potential = im.load("malonaldehyde")
    table = im.committor(potential, tops(potential, 7, 16), TRANSFER, shots=40, progress=False)
    off = (table["committor"] - 0.5).abs()
    mean, error = table["committor"].mean(), table["committor"].std() / np.sqrt(len(table))
    inside = int((off <= 0.15).sum())
    noise = float(table["error"].mean())
    return {
        "events: committor of structures at the top": (
            f"{mean:.2f} ± {error:.2f}, {inside} of {len(table)} within 0.15 of 0.5 (each ± "
            f"{noise:.2f} by its {int(table['decided'].mean())} shots)"
        )
    }


def reference() -> dict[str, str]:
    """The ledger of the model's own level of theory beside the model's."""
    both = asked(ledger(im.load("malonaldehyde"), SEEDS[0]))
    print(both.rises().head(6), both.gates().head(4), sep="\n")
    name = next(n for n in both.gates().index if "O0···O4" in n)
    words = f"place of the O···O vibration {_place(both, name)}; {both}"
    return {"events: the ledger of wB97X-D3(BJ)/def2-SVP beside the model's": words}


PARTS = {
    "make": make,
    "events": events,
    "shares": shares,
    "gate": gate,
    "committor": committor,
    "reference": reference,
}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        if figures := PARTS[name]():
            record(figures, COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
