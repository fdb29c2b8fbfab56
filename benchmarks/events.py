"""Events: how many, how well the ledger closes, which motion opens the gate, and the reference's.

``python benchmarks/events.py [events shares gate committor reference quantum flip]``. Shots grow in
`scratch/events`; the last three parts read the tables of ``data/make_malonaldehyde_events.py``,
``data/make_malonaldehyde_quantum.py`` and ``data/make_alanine_dipeptide_events.py``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

import numpy as np
from results import ROOT, record

import interpmd as im

COMMAND = "python benchmarks/events.py"

sys.path.insert(0, str(ROOT / "data"))

from make_malonaldehyde_events import (  # noqa: E402
    EACH,
    SEEDS,
    TRANSFER,
    gate_of,
    ledger,
    place,
    tops,
)

#: fs between frames that GFN2-xTB is asked for.
EVERY = 5.0

TABLES = ROOT / "data" / "malonaldehyde", ROOT / "data" / "alanine_dipeptide"


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
        name = gate_of(gates)
        places.append(list(gates.index).index(name) + 1)
        row = 1000 * gates.loc[name]
        given.append(f"{row['gives_eV']:.0f} ± {row['gives_error']:.0f}")
        xtb.append(place(im.ledger_beside(own, "gfn2-xtb", 15, EVERY, progress=False), name))
    return {
        "events: place of the O···O vibration among the motions that pay": (
            f"by the model {places}, by GFN2-xTB {xtb} (five seeds of {EACH} events); it gives "
            f"{', '.join(given)} meV"
        ),
    }


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
    """The ledgers of the model's own level of theory beside the model's."""
    table = json.loads((TABLES[0] / "events.json").read_text())
    seeds = table["seeds"]
    places = [one["place_by_reference"] for one in seeds]
    given = [[1000 * x for x in one["reference_eV"]] for one in seeds]
    following = [1000 * one["next_by_reference_eV"] for one in seeds]
    differ = [1000 * one["rises_differ_eV"] for one in seeds]
    sizes = [1000 * one["rises_eV"] for one in seeds]
    r = min(one["correlation"] for one in seeds)
    asked = sorted({one["events_asked"] for one in seeds})
    return {
        "events: place of the O···O vibration by wB97X-D3(BJ)/def2-SVP, five seeds": (
            f"{places} ({sum(one['labels'] for one in seeds)} labels, "
            f"{' or '.join(map(str, asked))} events a seed); it gives "
            f"{', '.join(f'{x:.0f} ± {e:.0f}' for x, e in given)} meV, the next motion "
            f"{', '.join(f'{x:.0f}' for x in following)} meV"
        ),
        "events: rises of the interactions by wB97X-D3(BJ)/def2-SVP beside the model's": (
            f"differ by {min(differ):.1f} to {max(differ):.1f} meV of {min(sizes):.0f} to "
            f"{max(sizes):.0f} (root mean squares); r at least {r:.3f}"
        ),
    }


def quantum() -> dict[str, str]:
    """The barrier of malonaldehyde's proton with classical and quantum nuclei."""
    table = json.loads((TABLES[0] / "quantum.json").read_text())
    middle = int(np.abs(table["places"]).argmin())
    words = []
    for beads, curve in table["beads"].items():
        height, bar = curve["energy_eV"][middle], curve["std_eV"][middle]
        kind = "classical" if beads == "1" else f"{beads} beads"
        words.append(f"{kind} {1000 * height:.0f} ± {1000 * bar:.0f}")
    spread = list(table["beads"].values())[-1]["spread_A"][0]
    return {
        "events: free-energy barrier of malonaldehyde's proton at 300 K": (
            f"{', '.join(words)} meV; beads of the proton spread by {spread:.2f} Å"
        )
    }


def flip() -> dict[str, str]:
    """What rises in alanine dipeptide's flip from C7eq to C5."""
    table = json.loads((TABLES[1] / "events.json").read_text())
    rise, error = (1000 * x for x in table["rise_eV"])

    def first(what: str, count: int) -> str:
        rows = list(table[what].items())
        rows.sort(key=lambda row: -abs(row[1][0]) / max(row[1][1], 1e-3))
        return ", ".join(
            f"{name} {1000 * value:.0f} ± {1000 * bar:.0f}" for name, (value, bar) in rows[:count]
        )

    groups = sorted(table["groups"].items(), key=lambda row: -row[1][0])[:2]
    share, bar = table["committors"]["all"]
    return {
        "events: alanine dipeptide, C7eq to C5: what takes up energy": (
            f"{table['events']} events of {table['shots']} shots; potential energy rises by "
            f"{rise:.0f} ± {error:.0f} meV; {first('rises', 2)} meV"
        ),
        "events: alanine dipeptide, groups that take up most": (
            "; ".join(
                f"{name} {1000 * value:.0f} ± {1000 * bar:.0f} meV" for name, (value, bar) in groups
            )
        ),
        "events: alanine dipeptide, committor of the surface": f"{share:.2f} ± {bar:.2f}",
    }


PARTS = {
    "events": events,
    "shares": shares,
    "gate": gate,
    "committor": committor,
    "reference": reference,
    "quantum": quantum,
    "flip": flip,
}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        if figures := PARTS[name]():
            record(figures, COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
