"""One explanation against the model that it explains."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from interpmd.attribution.certificate import Certificate
from interpmd.attribution.explanation import Explanation
from interpmd.trust.extrapolation import extrapolation_checks
from interpmd.trust.prediction import infidelity
from interpmd.trust.rankings import faithfulness
from interpmd.trust.removal import check_same


def certify_explanation(explanation: Explanation, model: Any) -> Certificate:
    """The certificate of an explanation, with what only its model can say.

    Beyond `Explanation.certificate`: faithfulness (deletion and insertion curves, infidelity), at
    the cost of some hundred evaluations, and how far the structure and its fragments by
    themselves are from the training data.

    Args:
        explanation: of any method.
        model: what was explained.

    Raises:
        MethodError: captum is not installed, no player can be taken away, or another model was
            explained.
        ModelError: the model gives no energies and forces.
    """
    check_same(model, explanation)
    own = explanation.certificate()
    learned = extrapolation_checks(model, explanation)
    if explanation.gauge != "internal":  # its coordinates cannot leave
        removal = (faithfulness(model, explanation), infidelity(model, explanation))
        learned = [*removal[0].checks(), *removal[1].checks(), *learned]
    axioms = own.group("axioms")
    others = [check for check in own.checks if check not in axioms]
    return replace(own, checks=(*axioms, *learned, *others))
