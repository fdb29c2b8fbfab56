"""From values of a coordinate to passages between its states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from interpmd.dynamics.events.coordinate import ReactionCoordinate


@dataclass(frozen=True)
class Passage:
    """A way from one state out over the middle, to the other state or back.

    Attributes:
        left: last frame in the old state.
        entered: first frame in a state after that.
        forward: whether it set out from the first state.
        arrived: whether it reached the other state.
        crossings: times at which the middle was crossed.
    """

    left: int
    entered: int
    forward: bool
    arrived: bool
    crossings: tuple[float, ...]


def passages(
    coordinate: ReactionCoordinate,
    values: Float[np.ndarray, " frames"],
    times: Float[np.ndarray, " frames"],
) -> list[Passage]:
    """All passages that crossed the middle, in order of time.

    A periodic coordinate that comes round the other way, half a period from the middle, has not
    passed this middle: what follows starts anew.
    """
    found: list[Passage] = []
    state, left = -1, -1
    for frame, value in enumerate(values):
        step = abs(value - values[frame - 1]) if frame else 0.0
        if coordinate.period is not None and step > coordinate.period / 2:
            state = -1
        now = coordinate.state(value)
        if now < 0:
            continue
        if state >= 0 and (frame > left + 1 or now != state):
            way = slice(left, frame + 1)
            if crossed := crossings(coordinate.middle, values[way], times[way]):
                found.append(Passage(left, frame, state == 0, now != state, crossed))
        state, left = now, frame
    return found


def crossings(
    middle: float, values: Float[np.ndarray, " frames"], times: Float[np.ndarray, " frames"]
) -> tuple[float, ...]:
    """Times at which a line through the values passes the middle."""
    above = values > middle
    before = np.flatnonzero(above[1:] != above[:-1])
    share = (middle - values[before]) / (values[before + 1] - values[before])
    return tuple((times[before] + share * (times[before + 1] - times[before])).tolist())
