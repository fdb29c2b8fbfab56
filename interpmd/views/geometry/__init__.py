"""Moving a molecule by hand: coordinates that can be set, and a panel that shows what happens."""

from interpmd.structures.movable import Coordinate, coordinate, proposals
from interpmd.views.geometry.lab import GeometryLab
from interpmd.views.geometry.modes import Vibration, vibrations

__all__ = [
    "Coordinate",
    "GeometryLab",
    "Vibration",
    "coordinate",
    "proposals",
    "vibrations",
]
