"""Internal coordinates of a structure: names, values, derivatives, stiffness."""

from interpmd.structures.coordinates.build import internal_coordinates
from interpmd.structures.coordinates.coordinates import KINDS, Coordinates
from interpmd.structures.coordinates.stiffness import model_stiffness

__all__ = ["KINDS", "Coordinates", "internal_coordinates", "model_stiffness"]
