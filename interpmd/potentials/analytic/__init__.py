"""Analytic potentials: their rows are known, so that explanations can be checked against them."""

from interpmd.potentials.analytic.axilrod_teller import AxilrodTeller
from interpmd.potentials.analytic.known import AnalyticTerm
from interpmd.potentials.analytic.pairs import LennardJones, Morse
from interpmd.potentials.analytic.stillinger_weber import MW, StillingerWeber

__all__ = ["MW", "AnalyticTerm", "AxilrodTeller", "LennardJones", "Morse", "StillingerWeber"]
