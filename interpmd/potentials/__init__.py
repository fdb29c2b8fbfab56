"""What the energy is: terms, their sum, analytic potentials with known rows."""

from interpmd.potentials.analytic import MW, AxilrodTeller, LennardJones, Morse, StillingerWeber
from interpmd.potentials.baseline import Baseline
from interpmd.potentials.card import Card
from interpmd.potentials.dispersion import D3
from interpmd.potentials.electrostatics import EEQ
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.isolated import Isolated
from interpmd.potentials.long_range import LongRange
from interpmd.potentials.potential import Potential
from interpmd.potentials.repulsion import ZBL
from interpmd.potentials.sum import Prediction

__all__ = [
    "D3",
    "EEQ",
    "MW",
    "ZBL",
    "AxilrodTeller",
    "Baseline",
    "Card",
    "ClusterExpansion",
    "Isolated",
    "LennardJones",
    "LongRange",
    "Morse",
    "Potential",
    "Prediction",
    "StillingerWeber",
]
