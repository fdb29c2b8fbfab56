"""A panel of what a potential has learned about pairs and triplets."""

from interpmd.views.inspector.panel import PotentialInspector

__all__ = ["PotentialInspector"]
