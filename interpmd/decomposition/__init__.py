"""The table: energies and forces as an exact sum of rows, one per interaction and cluster."""

from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.curves import PairCurve, pair_curve
from interpmd.decomposition.decomposition import Decomposition, Row
from interpmd.decomposition.maps import TripletMap, triplet_map
from interpmd.decomposition.posterior import force_samples

__all__ = [
    "Clusters",
    "Decomposition",
    "PairCurve",
    "Row",
    "TripletMap",
    "decompose",
    "force_samples",
    "pair_curve",
    "triplet_map",
]
