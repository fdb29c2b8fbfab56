"""What a potential has learned about pairs and triplets: curves, maps, and a panel of both."""

from interpmd.views.inspector.curves import PairCurve, pair_curve
from interpmd.views.inspector.maps import TripletMap, triplet_map
from interpmd.views.inspector.panel import PotentialInspector

__all__ = ["PairCurve", "PotentialInspector", "TripletMap", "pair_curve", "triplet_map"]
