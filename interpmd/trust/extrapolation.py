"""Whether the training data vouch for what was explained, and for its fragments by themselves."""

from __future__ import annotations

from typing import Any

from interpmd.attribution.certificate import Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.models import as_model
from interpmd.potentials.uncertainty import uncertainty
from interpmd.trust.removal import frames_of


def extrapolation_checks(model: Any, explanation: Explanation) -> list[Check]:
    """Largest extrapolation grade of an atom, in the whole and in each fragment by itself.

    The rows of fragments are differences of the energies of parts. Data of whole molecules say
    nothing about the parts, and the grade shows it.

    Args:
        model: what was explained.
        explanation: any, of atoms or of fragments.

    Returns:
        Grades (no unit) without a limit, and the number of parts where it falls into several;
        none for models without a posterior.
    """
    potential = as_model(model).potential
    if potential is None:
        return []
    structures = {"extrapolation grade": frames_of(explanation)}
    # groups are evaluated closed with hydrogen, and graded by the explanation itself
    if explanation.fragments is not None and explanation.gauge != "groups":
        whole = frames_of(explanation)
        parts = [atoms[list(members)] for atoms in whole for members in explanation.fragments]
        structures["extrapolation grade of fragments"] = parts
    words = "above 1 the training data do not vouch for it"
    found = {n: uncertainty(potential, potential.batch(many)) for n, many in structures.items()}
    if not any(term.n_samples for term in potential.learned_terms.values()):
        return []
    checks = [
        Check("on the data", name, float(bars.extrapolation.max()), words=words)
        for name, bars in found.items()
    ]
    if (parts := int(found["extrapolation grade"].parts.max())) > 1:
        words = "further apart than the cutoff: what they do to each other was not learned"
        checks.append(Check("on the data", "separate parts", parts, words=words))
    return checks
