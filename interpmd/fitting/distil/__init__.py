"""What a model says when it must be short: curves of pairs, triplets, bonds, angles, ..."""

from interpmd.fitting.distil.result import Curve, Distilled
from interpmd.fitting.distil.verb import distil

__all__ = ["Curve", "Distilled", "distil"]
