"""The neural cluster expansion."""

from interpmd.potentials.expansion.expansion import ClusterExpansion

__all__ = ["ClusterExpansion"]
