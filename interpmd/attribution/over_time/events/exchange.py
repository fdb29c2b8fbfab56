"""Who pays whom: the energy that each interaction takes from each motion."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.over_time.events.motions import Motions
from interpmd.attribution.over_time.events.stored import crossing_frames, tensions_of
from interpmd.dynamics.events import Event


def exchanged(
    event: Event, gauge: InternalGauge, motions: Motions, start: float
) -> Float[np.ndarray, "interactions motions"]:
    """Energy in eV that interactions take from motions, from `start` (fs) to the first crossing.

    The force of interaction i on motion k does the work integral of (f_i . e_k)(v . e_k) dt on it,
    by trapezoids; what it takes from the motion is minus that.
    """
    assert event.velocities is not None
    last, _ = crossing_frames(event)
    first = last + round((start - event.times[last]) / (event.times[1] - event.times[0]))
    first = max(0, first)
    part = event.part(event.times[first], event.times[last])
    along = tensions_of(part, gauge)
    rows = along.by_row(along.tensions[:, :, None, None] * along.derivatives)
    force = motions.along(part.positions, rows, forces=True)
    speed = motions.along(part.positions, part.velocities)
    power = force * speed[:, None]
    return -motions.summed(np.trapezoid(power, part.times, axis=0))
