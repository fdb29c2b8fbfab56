"""Why the energy or a force is what it is."""

from interpmd.attribution.certificate import Certificate, Check
from interpmd.attribution.certify import assert_explanation_close, certify
from interpmd.attribution.explain import cooperativity, explain
from interpmd.attribution.explanation import Explanation, load_explanation
from interpmd.attribution.faithfulness import Faithfulness, faithfulness
from interpmd.attribution.fragments import fragments_of
from interpmd.attribution.infidelity import infidelity, sensitivity
from interpmd.attribution.ledger import LedgerError, ledger
from interpmd.attribution.models import TorchModel
from interpmd.attribution.registry import METHODS, methods
from interpmd.attribution.storage import to_shap
from interpmd.attribution.targets import Energy, Force, Power, Torque
from interpmd.attribution.trajectory import explain_trajectory

__all__ = [
    "METHODS",
    "Certificate",
    "Check",
    "Energy",
    "Explanation",
    "Faithfulness",
    "Force",
    "LedgerError",
    "Power",
    "TorchModel",
    "Torque",
    "assert_explanation_close",
    "certify",
    "cooperativity",
    "explain",
    "explain_trajectory",
    "faithfulness",
    "fragments_of",
    "infidelity",
    "ledger",
    "load_explanation",
    "methods",
    "sensitivity",
    "to_shap",
]
