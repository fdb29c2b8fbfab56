"""Why the energy or a force is what it is."""

from interpmd.attribution.certificate import Certificate, Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.export import load_explanation, to_shap
from interpmd.attribution.methods.dispatch import cooperativity, explain
from interpmd.attribution.methods.registry import METHODS
from interpmd.attribution.models import TorchModel
from interpmd.attribution.over_time.frames import explain_trajectory
from interpmd.attribution.over_time.work import ledger
from interpmd.attribution.targets import Energy, Force, Power, Torque

__all__ = [
    "METHODS",
    "Certificate",
    "Check",
    "Energy",
    "Explanation",
    "Force",
    "Power",
    "TorchModel",
    "Torque",
    "cooperativity",
    "explain",
    "explain_trajectory",
    "ledger",
    "load_explanation",
    "to_shap",
]
