"""Alanine dipeptide's flip from C7eq to C5: a few hundred events and their ledger, as small tables.

    python data/make_alanine_dipeptide_events.py [events]

Shots grow in scratch/alanine_dipeptide.shots.jsonl, and the script can be stopped and started
again; a quarter of an hour of one core. The tables go to data/alanine_dipeptide/events.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read, write
from common import SCRATCH

import interpmd as im
from interpmd.attribution.over_time.events.averages import Averages

HERE = Path(__file__).parent / "alanine_dipeptide"

TIMESTEP, SEED = 1.0, 11

#: Structures that are shot from, fs between them, and fs that each half of a shot lasts at least.
TOPS, APART, WINDOW = 150, 100.0, 400.0

#: fs before and after the crossing, and how long before it energies of groups are compared.
BEFORE, AFTER, EARLIER = 300.0, 100.0, 250.0

#: Events whose groups are compared: a frame costs a quarter of a second.
GROUPED = 250


@dataclass(frozen=True)
class Turned:
    """psi - 0.6 phi in degrees, psi between -20 and 340, phi between -240 and 120.

    Committors have this slope: of 42 structures at psi 112, 122 and 132 degrees (8 trajectories
    each) a logistic fit gives the chance 0.30 to reach C5 first at psi 122, phi -95, and 0.69 at
    phi -130.
    """

    phi: tuple[int, ...] = (1, 3, 4, 6)
    psi: tuple[int, ...] = (3, 4, 6, 8)

    def __call__(self, atoms: Atoms) -> float:
        psi = (atoms.get_dihedral(*self.psi) + 20) % 360 - 20
        return psi - 0.6 * self.phi_of(atoms)

    def phi_of(self, atoms: Atoms) -> float:
        """phi in degrees, between -240 and 120."""
        return (atoms.get_dihedral(*self.phi) + 240) % 360 - 240


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


def committors(events: im.Events) -> dict[str, list[float]]:
    """How often halves of shots end in C5: of all structures, and of those with phi in thirds."""
    tried = events.tried
    phi = np.array([FLIP.function.phi_of(a) for a in tops(im.load("alanine_dipeptide"))])
    limits = np.quantile(phi, [0, 1 / 3, 2 / 3, 1])
    found = {}
    for word, low, high in [
        ("all", limits[0], limits[3]),
        *(
            (f"phi from {low:.0f} to {high:.0f}", low, high)
            for low, high in zip(limits[:-1], limits[1:], strict=True)
        ),
    ]:
        chosen = tried[(phi[tried.structure] >= low) & (phi[tried.structure] <= high)]
        ends = np.concatenate([chosen.backward, chosen.forward])
        decided = ends[ends >= 0]
        share = float((decided == 1).mean())
        found[word] = [
            round(share, 3),
            round(float(np.sqrt(share * (1 - share) / len(decided))), 3),
        ]
    return found


def memory(events: im.Events) -> dict[str, Any]:
    """How long the coordinate remembers its velocity near the top, and how far it comes meanwhile.

    The correlation of its velocity is taken over all times of all events at which it lies within
    15 degrees of the middle; the integral is the time in which it forgets.
    """
    longest = 200
    sums, count = np.zeros(longest), 0
    for event in events:
        speed = np.gradient(event.values, TIMESTEP)
        near = np.flatnonzero(np.abs(event.values - FLIP.middle) < 15)
        for start in near[near < len(speed) - longest]:
            sums += speed[start] * speed[start : start + longest]
            count += 1
    correlation = sums / sums[0]
    below = np.flatnonzero(correlation <= 0)
    end = int(below[0]) if len(below) else longest
    return {
        "velocity_correlation": np.round(correlation[::5], 4).tolist(),
        "first_zero_fs": end * TIMESTEP,
        "forgets_in_fs": round(float(correlation[:end].sum() * TIMESTEP), 1),
        "speed_deg_fs": round(float(np.sqrt(sums[0] / count)), 4),
    }


def grouped(potential: im.Potential, book: im.EventLedger) -> dict[str, list[float]]:
    """Energies of groups of atoms at the crossing above those before it (eV), with errors."""
    differences = []
    for event in book.events[:GROUPED]:
        places = [int(np.abs(event.times - t).argmin()) for t in (-EARLIER, 0.0)]
        frames = [event.frame(place) for place in places]
        rows = im.explain_trajectory(potential, frames, im.Energy(), gauge="groups", progress=False)
        change = np.diff(rows.value.values, axis=0)[0]
        differences.append(dict(zip(rows.interaction.values.tolist(), change, strict=True)))
    names = sorted(set().union(*differences))
    each = np.array([[one.get(name, 0.0) for name in names] for one in differences])
    averages = Averages(book.data.weight.values[: len(each)], 400, 0)
    mean, error = averages.mean(each), averages.error(each)
    ranked = np.argsort(-np.abs(mean) / error)
    return {names[k]: [round(float(mean[k]), 4), round(float(error[k]), 4)] for k in ranked[:12]}


def main(count: int = 400) -> None:
    potential = im.load("alanine_dipeptide")
    events = flips(potential, count)
    print(events)
    book = im.event_ledger(potential, events, before=BEFORE, after=AFTER, progress=False)
    print(book)
    kinds = im.event_ledger(
        potential, events, by="kind", before=BEFORE, after=AFTER, motions=False, progress=False
    )
    falls = {}
    for number in (n for n in (25, 50, 100, 200, 400) if n <= len(book.events)):
        averages = Averages(book.data.weight.values[:number], 400, 0)
        climbed = -book.data.potential_energy.values[:number, book.crossing - round(EARLIER)]
        falls[number] = [
            round(float(averages.mean(climbed)), 4),
            round(float(averages.error(climbed)), 4),
        ]
    tables = {
        "coordinate": FLIP.name,
        "states": [FLIP.low, FLIP.middle, FLIP.high],
        "events": len(book.events),
        "shots": len(events.tried),
        "shots_that_flip": round(float(events.tried.event.mean()), 3),
        "recrossings": [e.recrossings for e in events],
        "passage_fs": [round(e.entered - e.left, 1) for e in events],
        "committors": committors(events),
        "memory": memory(events),
        "foot_fs": book.foot,
        "rise_eV": [round(x, 4) for x in book.rise],
        "rise_by_events_eV": falls,
        "closure": round(book.closure, 6),
        "rises": _rows(book.rises(), "rise_eV", "rise_error"),
        "kinds": _rows(kinds.rises(), "rise_eV", "rise_error"),
        "gates": _rows(book.gates(), "gives_eV", "gives_error"),
        "groups": grouped(potential, book),
        "times_fs": book.times[::5].tolist(),
        "curves_eV": _curves(book, "stored", "interaction", book.rises().index[:6]),
        "kind_curves_eV": _curves(kinds, "stored", "interaction", kinds.rises().index),
        "regenerate": "python data/make_alanine_dipeptide_events.py",
    }
    (HERE / "events.json").write_text(json.dumps(tables, indent=1, ensure_ascii=False) + "\n")


def _curves(book: Any, what: str, rows: str, names: Sequence[str]) -> dict[str, list]:
    """Mean and standard error at every fifth time."""
    found = {}
    for name in names:
        values = book.data[what].sel({rows: name}).values[:, ::5]
        mean, error = book.averages.mean(values), book.averages.error(values)
        found[name] = [mean.round(4).tolist(), error.round(4).tolist()]
    return found


def _rows(table: Any, value: str, error: str) -> dict[str, list[float]]:
    """The rows that stand out most of their error bars."""
    ranked = (table[value].abs() / table[error]).sort_values(ascending=False).index[:15]
    return {
        name: [round(table.loc[name, value], 4), round(table.loc[name, error], 4)]
        for name in ranked
    }


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
