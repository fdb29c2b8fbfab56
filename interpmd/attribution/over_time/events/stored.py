"""The energy that interactions take up along an event, and that motions give.

An interaction takes up U_i(t) = -(its work), so that the sum over interactions is the change of the
potential energy; a motion gains W_k(t), the work done on it, so that the sum over motions is the
change of the kinetic energy. All are counted from the crossing: from its first one for what comes
before, from its last one for what comes after.

Rows of internal coordinates take up -integral of g dq. With frames 0.5 fs apart trapezoids miss a
percent of the fastest vibration; splines through g and q miss a hundredth of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from interpmd.attribution.gauges.along import TensionsAlong, tensions_along
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.models import Model
from interpmd.attribution.over_time.events.motions import Motions
from interpmd.attribution.over_time.frames import explain_trajectory
from interpmd.attribution.targets import Power
from interpmd.dynamics.events import Event
from interpmd.errors import ReactionError
from interpmd.structures.coordinates.graph import unwrapped


@dataclass(frozen=True)
class Stored:
    """Energies of rows along one event in eV, not yet counted from anywhere.

    Attributes:
        labels, kinds, members: of the rows; members as atoms.
        values: shape (frames, rows).
    """

    labels: tuple[str, ...]
    kinds: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    values: Float[np.ndarray, "frames rows"]


def taken_up(model: Model | None, event: Event, gauge: Gauge, order: int | str | None) -> Stored:
    """Energy that each interaction of a gauge takes up along an event.

    Args:
        model: whose forces they are; not needed where the gauge is "internal".
        event: with forces, and, unless the gauge is "internal", with velocities.
        gauge: made for all events.
        order: largest body order, of gauges that have one.

    Raises:
        ReactionError: a gauge that needs velocities, and frames without.
    """
    if isinstance(gauge, InternalGauge):
        along = tensions_of(event, gauge)
        power = along.tensions * _slope(event.times, along.moved)
        energy = -_integral(event.times, along.by_row(power))
        c = gauge.coordinates
        return Stored(c.labels, c.kinds, c.atoms, energy)
    if event.velocities is None:
        raise ReactionError(
            f'rows of the gauge "{gauge.name}" along events need frames with velocities; take '
            'gauge="internal"'
        )
    rows = explain_trajectory(
        model,
        event.frames(),
        Power(),
        gauge=gauge,
        order=order,
        times=event.times.tolist(),
        progress=False,
    )
    atoms = [tuple(int(a) for a in text.split("-") if a) for text in rows.atoms.values]
    return Stored(
        tuple(map(str, rows.interaction.values)),
        tuple(map(str, rows.kind.values)),
        tuple(atoms),
        -_integral(event.times, rows.value.values),
    )


def tensions_of(event: Event, gauge: InternalGauge) -> TensionsAlong:
    """Tensions in all frames of an event, unwrapped where it is periodic."""
    positions = event.positions
    if event.atoms.pbc.any():
        positions = np.stack([atoms.positions for atoms in unwrapped(event.frames())])
    assert event.forces is not None
    return tensions_along(gauge.coordinates, positions, event.forces)


def gained(event: Event, motions: Motions) -> Float[np.ndarray, "frames motions"]:
    """Work done on each motion since the first frame in eV."""
    steps = work_on_motions(event, motions)
    zero = np.zeros((1, steps.shape[1]))
    return motions.summed(np.concatenate([zero, np.cumsum(steps, axis=0)]))


def work_on_motions(event: Event, motions: Motions) -> Float[np.ndarray, "steps directions"]:
    """Work on each direction from one frame to the next: mean force times mean velocity."""
    assert event.forces is not None and event.velocities is not None
    middle = 0.5 * (event.positions[1:] + event.positions[:-1])
    force = 0.5 * (event.forces[1:] + event.forces[:-1])
    speed = 0.5 * (event.velocities[1:] + event.velocities[:-1])
    power = motions.along(middle, force, forces=True) * motions.along(middle, speed)
    return power * np.diff(event.times)[:, None]


def counted_from_crossing(
    event: Event, values: Float[np.ndarray, "frames ..."], before: int, after: int
) -> Float[np.ndarray, "times ..."]:
    """Values of the frames around the crossings: `before` frames up to the first one and `after`
    from the last one on, each part counted from its crossing."""
    first, last = crossing_frames(event)
    early = values[first - before : first + 1] - values[first]
    late = values[last : last + after + 1] - values[last]
    return np.concatenate([early, late[1:]])


def crossing_frames(event: Event) -> tuple[int, int]:
    """The frames nearest to the first and to the last crossing."""
    first, last = event.crossings[0], event.crossings[-1]
    return int(np.abs(event.times - first).argmin()), int(np.abs(event.times - last).argmin())


def spacing(events: Sequence[Event]) -> float:
    """Time between frames in fs.

    Raises:
        ReactionError: frames that are not evenly spaced, or not the same in all events.
    """
    steps = np.concatenate([np.diff(event.times) for event in events])
    if not len(steps) or np.ptp(steps) > 1e-6 * steps[0]:
        raise ReactionError(
            "a ledger of events needs frames at even distances in time, the same in all events"
        )
    return float(steps[0])


def _slope(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return CubicSpline(times, values).derivative()(times)


def _integral(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return CubicSpline(times, values).antiderivative()(times)
