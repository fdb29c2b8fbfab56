"""What may be believed: certificates, axioms, known truths, and what the data determine."""

from interpmd.trust.certification import certify
from interpmd.trust.diagnosis import Diagnosis
from interpmd.trust.examination import doctor
from interpmd.trust.explained import certify_explanation
from interpmd.trust.prediction import Infidelity, infidelity
from interpmd.trust.rankings import Faithfulness, faithfulness
from interpmd.trust.regression import assert_explanation_close
from interpmd.trust.steadiness import Sensitivity, sensitivity
from interpmd.trust.treatment import cure

__all__ = [
    "Diagnosis",
    "Faithfulness",
    "Infidelity",
    "Sensitivity",
    "assert_explanation_close",
    "certify",
    "certify_explanation",
    "cure",
    "doctor",
    "faithfulness",
    "infidelity",
    "sensitivity",
]
