"""Moving a molecule by hand: coordinates that can be set, and a panel that shows what happens."""

from interpmd.dynamics.modes import NormalMode, normal_modes
from interpmd.views.geometry.coordinates import Coordinate, coordinate, proposals
from interpmd.views.geometry.lab import GeometryLab

__all__ = [
    "Coordinate",
    "GeometryLab",
    "NormalMode",
    "coordinate",
    "normal_modes",
    "proposals",
]
