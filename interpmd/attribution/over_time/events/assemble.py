"""A ledger of events that have forces and energies already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tqdm.auto import tqdm

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.models import Model
from interpmd.attribution.over_time.events.grid import dataset_of
from interpmd.attribution.over_time.events.motions import Motions
from interpmd.attribution.over_time.events.result import EventLedger
from interpmd.attribution.over_time.events.stored import gained, spacing, taken_up
from interpmd.dynamics.events import Event


def assembled(
    model: Model | None,
    events: Sequence[Event],
    gauge: Gauge,
    motions: Motions | None,
    about: dict[str, Any],
    before: float,
    after: float,
    progress: bool,
) -> EventLedger:
    """A ledger of events that have forces and energies already.

    Args:
        model: whose forces they are; not needed where the gauge is "internal".
        events: in one direction, spanning the window.
        gauge, motions: made for them.
        about: attributes of the dataset; "by" and "order" are followed, see `event_ledger`.
        before, after: fs.
        progress: whether to show a progress bar.
    """
    step = spacing(events)
    early, late = max(1, round(before / step)), round(after / step)
    stored, works = [], []
    for event in tqdm(events, desc="ledger", unit="event", disable=not progress):
        stored.append(taken_up(model, event, gauge, about["order"]))
        if motions is not None:
            works.append(gained(event, motions))
    data = dataset_of(events, stored, works, motions, about["by"], early, late, step)
    data.attrs |= {**about, "gauge": gauge.name}
    return EventLedger(data, tuple(events), gauge, motions)
