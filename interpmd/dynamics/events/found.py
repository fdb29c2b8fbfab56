"""The events of a trajectory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms, units

from interpmd import arguments
from interpmd.dynamics.events.coordinate import (
    ReactionCoordinate,
    as_coordinate,
    hydrogen_bond,
    proton_transfer,
)
from interpmd.dynamics.events.event import Event, Events
from interpmd.dynamics.events.passage import Passage, passages
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ReactionError
from interpmd.structures.chemistry import hydrogen_bonds
from interpmd.structures.files import Structures

#: What `events` looks for by itself.
WORDS = ("proton transfer", "hydrogen bond")

#: Frames at which hydrogen bonds are looked for, evenly spaced.
LOOKED_AT = 200


def events(
    trajectory: Trajectory | Structures,
    coordinate: ReactionCoordinate | Callable[[Atoms], float] | str = "proton transfer",
    *,
    low: float | None = None,
    middle: float | None = None,
    high: float | None = None,
    before: float = 100.0,
    after: float = 100.0,
    times: Sequence[float] | None = None,
) -> Events:
    """Find the passages of a coordinate from one state to the other.

    An event leaves one state and reaches the other. On its way it may cross the middle several
    times; these are its recrossings. What crosses the middle and comes back to the state that it
    left is no event, and stands in `tried`.

    Args:
        trajectory: frames of one system in order of time, or files of them (see `read_frames`).
        coordinate: `im.proton_transfer`, `im.hydrogen_bond`, `im.torsion_flip`, `im.ring_pucker`;
            any function of ase.Atoms together with `low` and `high`; or "proton transfer" or
            "hydrogen bond", which look for what changes in the trajectory.
        low, middle, high: where the first state ends, the surface whose crossing is the moment of
            an event, and where the second state begins; those of the coordinate if None.
        before, after: fs around the crossings that an event keeps.
        times: fs, of plain frames; their number if None.

    Raises:
        ReactionError: a word for which nothing, or more than one thing, changes; or a function
            that gives no number.
        ArgumentError: no coordinate, or states that do not ascend.
        TrajectoryError: no frames, frames with other atoms, or times that do not fit.

    Returns:
        The events, with the attempts that came back in `tried`: frame and time at which the state
        was left and at which it was entered again, and how often the middle was crossed.
    """
    arguments.not_negative(before=before, after=after)
    frames, moments = frames_and_times(trajectory, times, ascending=True)
    if isinstance(coordinate, str):
        coordinate = _the_one(coordinate, frames, moments)
    coordinate = as_coordinate(coordinate, low, middle, high)
    coordinate.check(frames[0])
    values = coordinate.values(frames)
    found, tried = [], []
    for passage in passages(coordinate, values, moments):
        if passage.arrived:
            found.append(_event(frames, moments, values, passage, before, after))
        else:
            tried.append(_attempt(passage, moments))
    table = pd.DataFrame(tried, columns=["from", "left_fs", "entered_fs", "crossings", "frame"])
    settings = {"made_by": "events", "before_fs": before, "after_fs": after}
    total = float(moments[-1] - moments[0])
    return Events(tuple(found), coordinate, table.rename_axis("attempt"), settings, total)


def _event(
    frames: Sequence[Atoms],
    moments: np.ndarray,
    values: np.ndarray,
    passage: Passage,
    before: float,
    after: float,
) -> Event:
    zero = passage.crossings[0]
    kept = (moments >= zero - before) & (moments <= passage.crossings[-1] + after)
    some = [frames[n] for n in np.flatnonzero(kept)]
    template = frames[0].copy()
    template.calc = None
    template.info = {k: v for k, v in template.info.items() if k != "time_fs"}
    results = [{} if a.calc is None else a.calc.results for a in some]
    moving = all(a.has("momenta") for a in some)
    return Event(
        template,
        moments[kept] - zero,
        np.stack([a.positions for a in some]),
        np.stack([a.get_velocities() * units.fs for a in some]) if moving else None,
        np.stack([r["forces"] for r in results]) if all("forces" in r for r in results) else None,
        np.array([r["energy"] for r in results]) if all("energy" in r for r in results) else None,
        values[kept],
        passage.forward,
        float(moments[passage.left] - zero),
        float(moments[passage.entered] - zero),
        tuple(t - zero for t in passage.crossings),
        origin=int(np.abs(moments - zero).argmin()),
    )


def _attempt(passage: Passage, moments: np.ndarray) -> dict[str, Any]:
    return {
        "from": "first" if passage.forward else "second",
        "left_fs": moments[passage.left],
        "entered_fs": moments[passage.entered],
        "crossings": len(passage.crossings),
        "frame": passage.left,
    }


def _the_one(word: str, frames: list[Atoms], moments: np.ndarray) -> ReactionCoordinate:
    """The coordinate of a kind that has events in the trajectory."""
    arguments.one_of(WORDS, coordinate=word)
    possible = _transfers(frames) if word == WORDS[0] else _hydrogen_bonds(frames)
    counts = []
    for coordinate in possible:
        ways = passages(coordinate, coordinate.values(frames), moments)
        if count := sum(way.arrived for way in ways):
            counts.append((count, coordinate))
    if not counts:
        looked = ", ".join(c.name for c in possible) or "none is possible"
        raise ReactionError(f"no {word} in these frames (looked at: {looked})")
    if len(counts) > 1:
        words = "; ".join(f"{coordinate.name} ({count})" for count, coordinate in counts)
        raise ReactionError(
            f"more than one {word} has events: {words}; pass the one that you mean, as "
            "im.proton_transfer(...) or im.hydrogen_bond(...)"
        )
    return counts[0][1]


def _transfers(frames: Sequence[Atoms]) -> list[ReactionCoordinate]:
    """Hydrogens whose nearest heavy atom changes, the smaller number as donor."""
    numbers = frames[0].numbers
    hydrogens, heavy = np.flatnonzero(numbers == 1), np.flatnonzero(numbers > 1)
    if len(heavy) < 2 or not len(hydrogens):
        return []
    block = np.ix_(hydrogens, heavy)
    distances = (atoms.get_all_distances(mic=bool(atoms.pbc.any())) for atoms in frames)
    nearest = [heavy[each[block].argmin(1)] for each in distances]
    found = []
    for hydrogen, partners in zip(hydrogens, np.transpose(nearest), strict=True):
        ranked = [int(atom) for atom, _ in Counter(partners.tolist()).most_common()]
        for other in ranked[1:]:
            donor, acceptor = sorted((ranked[0], other))
            found.append(proton_transfer(int(hydrogen), donor, acceptor))
    return found


def _hydrogen_bonds(frames: Sequence[Atoms]) -> list[ReactionCoordinate]:
    step = max(1, len(frames) // LOOKED_AT)
    known = [hydrogen_bonds(atoms) for atoms in frames[::step]]
    pairs = {
        (int(hydrogen), int(acceptor))
        for each in known
        for hydrogen, acceptor in zip(each.hydrogen, each.acceptor, strict=True)
    }
    return [hydrogen_bond(h, a) for h, a in sorted(pairs)]
