"""Who opened the gate: energies of interactions and motions around the crossing, over events."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.methods.dispatch import settled_gauge, settled_method
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.over_time.events.assemble import assembled
from interpmd.attribution.over_time.events.motions import Motions, motions_of
from interpmd.attribution.over_time.events.result import EventLedger
from interpmd.attribution.over_time.events.stored import (
    spacing,
)
from interpmd.attribution.targets import Force
from interpmd.dynamics.events import Event, Events
from interpmd.errors import ArgumentError, GroupingError, LedgerWarning, ReactionError
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.groups import Grouping
from interpmd.structures.threads import one_thread

#: Frames of which the coordinates of a gauge are made, evenly spaced over all events.
LOOKED_AT = 120

#: eV/Å. Forces that are stored with the frames are those of the model if they agree to this.
SAME_FORCES = 1e-4

#: Largest closure error as a share of the energy that the rows exchange that goes unsaid.
TOLERANCE = 0.005


@one_thread()
def event_ledger(
    model: Any,
    events: Events,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    *,
    by: Literal["interaction", "kind"] = "interaction",
    direction: Literal["forward", "backward"] = "forward",
    before: float = 60.0,
    after: float = 60.0,
    motions: bool | Motions = True,
    order: int | str | None = "auto",
    draws: int = 400,
    seed: int = 0,
    progress: bool = True,
) -> EventLedger:
    """The energy of each interaction and of each motion around the crossing, averaged over events.

    Interactions take up potential energy, motions lose kinetic energy; each sums to the whole. Read
    `rises()` for what takes up the barrier, `gates()` for the motion that pays, `exchange()` for
    who pays whom.

    Args:
        model: a Potential or any model that `explain` takes. Where the forces stored with the
            frames are not its own they are computed: so another model tells what it would say of
            the same frames.
        events: of `im.shoot` or `im.events`; frames at even distances in time.
        gauge: see `explain`; made once for all events. "internal" needs forces only.
        by: "interaction", one row for each; "kind", their sums.
        direction: of the events. Those that were shot at constant energy count in both, reversed
            in time where they ran the other way; those of a trajectory only as they ran.
        before, after: fs around the crossing.
        motions: whether to divide the kinetic energy among the vibrations of the minimum next to
            the old state; or those of another ledger, so that both speak of the same.
        order: largest body order of the rows, of gauges that have one.
        draws: of the bootstrap over events. seed: of it.
        progress: whether to show a progress bar.

    Raises:
        ReactionError: no events in that direction, none that spans the window, or frames that are
            not evenly spaced.
        ArgumentError: numbers that make no sense, or motions that are none.
        GroupingError: another word for `by`.
        Others: see `explain`.

    Warns:
        LedgerWarning: the rows miss the change of the potential energy by more than 0.5 % of the
            energy that they exchange, or events were left out because they do not span the window.
    """
    if not isinstance(events, Events):
        raise ReactionError(
            f"event_ledger takes the events of im.shoot or im.events, not {type(events).__name__}"
        )
    if not isinstance(motions, bool | Motions):
        raise ArgumentError(
            f"motions is True, False, or those of another ledger (ledger.motions), not {motions!r}"
        )
    arguments.one_of(("forward", "backward"), direction=direction)
    if by not in ("interaction", "kind"):
        raise GroupingError(
            f'energies along events are summed by "kind" or stand alone, not {by!r}'
        )
    arguments.positive(before=before)
    arguments.not_negative(after=after)
    arguments.count(2, draws=draws)
    arguments.seeds(seed=seed)
    wrapped = as_model(model)
    chosen = _oriented(events, direction)
    step = spacing(chosen)
    chosen = _spanning(chosen, max(1, round(before / step)), round(after / step), step)
    chosen = with_forces(wrapped, chosen, progress)
    made = settled_gauge(_some_frames(chosen), Force(0), gauge)
    settled_method(made, None, order, "vacuum", {})
    if motions is True:
        moving = chosen[0].velocities is not None
        motions = motions_of(wrapped, chosen[0].frame(0)) if moving else False
    states = events.coordinate.states[:: 1 if direction == "forward" else -1]
    about = {
        "model": wrapped.name,
        "coordinate": events.coordinate.name,
        "states": " to ".join(states),
        "direction": direction,
        "by": by,
        "order": order,
        "draws": draws,
        "seed": seed,
    }
    ledger = assembled(wrapped, chosen, made, motions or None, about, before, after, progress)
    if ledger.closure > TOLERANCE:
        warnings.warn(
            f"the rows miss the change of the potential energy by {100 * ledger.closure:.2g} % of "
            f"what they exchange; take a shorter timestep than {step:g} fs",
            LedgerWarning,
            stacklevel=3,
        )
    return ledger


def with_forces(model: Model, events: Sequence[Event], progress: bool) -> list[Event]:
    """The events with forces and energies of a model, those stored if they are its own.

    Args:
        model: whose forces.
        events: any.
        progress: whether to show a progress bar while forces are computed.
    """
    first = events[0]
    if first.forces is not None and all(e.energies is not None for e in events):
        _, [force] = model.evaluate([first.frame(first.crossing)])
        if np.abs(force - first.forces[first.crossing]).max() < SAME_FORCES:
            return list(events)
    found = []
    for event in tqdm(events, desc="forces", unit="event", disable=not progress):
        energies, forces = model.evaluate(event.frames())
        found.append(replace(event, energies=np.asarray(energies), forces=np.stack(forces)))
    return found


def _oriented(events: Events, direction: str) -> list[Event]:
    forward = direction == "forward"
    if events.settings.get("made_by") == "shoot":
        chosen = [e if e.forward == forward else e.reversed() for e in events]
    else:
        chosen = [e for e in events if e.forward == forward]
    if not chosen:
        raise ReactionError(f"there is no {direction} event among the {len(events)}")
    return chosen


def _spanning(events: list[Event], early: int, late: int, step: float) -> list[Event]:
    """Events with enough frames, cut to what is needed and a margin for splines."""
    kept = []
    for event in events:
        first, last = event.crossings[0], event.crossings[-1]
        start, stop = first - (early + 0.5) * step, last + (late + 0.5) * step
        if event.times[0] <= start + step and event.times[-1] >= stop - step:
            margin = 4 * step
            kept.append(event.part(start - margin, stop + margin))
    if not kept:
        shortest = min(min(-e.times[0], e.times[-1] - e.crossings[-1]) for e in events)
        raise ReactionError(
            f"no event spans the window from {early * step:g} fs before to {late * step:g} fs "
            f"after the crossing (the shortest has {shortest:.3g} fs on one side); shoot with a "
            "larger window=, or take a smaller before= or after="
        )
    if len(kept) < len(events):
        warnings.warn(
            f"{len(events) - len(kept)} of {len(events)} events do not span the window and are "
            "left out",
            LedgerWarning,
            stacklevel=4,
        )
    return kept


def _some_frames(events: Sequence[Event]) -> list:
    """Frames from which a gauge is made, among them the crossings."""
    each = max(2, LOOKED_AT // len(events))
    step = max(1, len(events) * each // LOOKED_AT)
    frames = []
    for event in events[::step]:
        places = {int(n) for n in np.linspace(0, len(event) - 1, each)} | {event.crossing}
        frames += [event.frame(n) for n in sorted(places)]
    return frames
