"""What the energy is: terms, their sum, analytic potentials with known rows."""

from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.isolated import Isolated
from interpmd.potentials.potential import Card, Potential, Prediction

__all__ = ["Card", "ClusterExpansion", "Isolated", "Potential", "Prediction"]
