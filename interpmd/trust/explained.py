"""One explanation against the model that it explains."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from interpmd.attribution.certificate import Certificate, Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.models import as_model
from interpmd.errors import GaugeError
from interpmd.trust.extrapolation import extrapolation_checks
from interpmd.trust.prediction import infidelity
from interpmd.trust.rankings import faithfulness
from interpmd.trust.removal import check_same, game_of, removable
from interpmd.trust.truth.own_rows import truth_checks

#: Why faithfulness is not checked.
NOBODY = "no player can leave without the atoms that the target is about"


def certify_explanation(explanation: Explanation, model: Any, reference: Any = None) -> Certificate:
    """The certificate of an explanation, with what only its model can say.

    Beyond `Explanation.certificate`: faithfulness (deletion and insertion curves, infidelity), at
    the cost of some hundred evaluations; how far the structure and its fragments by themselves
    are from the training data; and, with the reference method at hand, its own rows.

    Args:
        explanation: of any method, in any gauge. Where no player can leave, as coordinates cannot,
            faithfulness is not checked, and the certificate says why.
        model: what was explained.
        reference: the method that made its training data, as an ASE calculator; checks in the
            group "truth" say how far the rows are from its own.

    Raises:
        MissingPackageError: captum is not installed.
        MethodError: another model was explained.
        ModelError: a model gives no energies and forces.
    """
    check_same(model, explanation)
    own = explanation.certificate()
    learned = [*_leaving(explanation, model), *extrapolation_checks(model, explanation)]
    if reference is not None:
        learned += truth_checks(explanation, reference)
    axioms = own.group("axioms")
    others = [check for check in own.checks if check not in axioms]
    return replace(own, checks=(*axioms, *learned, *others))


def _leaving(explanation: Explanation, model: Any) -> list[Check]:
    """What happens when players leave, or why none can."""
    try:
        game = game_of(as_model(model), explanation)
        why = "" if removable(game, explanation.target).any() else NOBODY
    except GaugeError as error:
        why = str(error)
    if why:
        return [Check("faithfulness", "players leaving", math.nan, words=why)]
    removal = faithfulness(model, explanation), infidelity(model, explanation)
    return [*removal[0].checks(), *removal[1].checks()]
