"""Events of a trajectory: a coordinate that goes from one state to another.

* `coordinate`: what is watched, and where the two states begin
* `event`: one event, and all events of a run
* `found`: the events of a trajectory
"""

from interpmd.dynamics.events.coordinate import (
    ReactionCoordinate,
    hydrogen_bond,
    proton_transfer,
    ring_pucker,
    torsion_flip,
)
from interpmd.dynamics.events.event import Event, Events

__all__ = [
    "Event",
    "Events",
    "ReactionCoordinate",
    "hydrogen_bond",
    "proton_transfer",
    "ring_pucker",
    "torsion_flip",
]
