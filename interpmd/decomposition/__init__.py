"""The table: energies and forces as an exact sum of rows, one per interaction and cluster."""

from interpmd.decomposition.decompose import decompose, force_samples
from interpmd.decomposition.decomposition import Decomposition, Row

__all__ = ["Decomposition", "Row", "decompose", "force_samples"]
