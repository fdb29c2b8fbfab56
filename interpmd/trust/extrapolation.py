"""Whether the training data vouch for what was explained, and for its fragments by themselves."""

from __future__ import annotations

from typing import Any

from interpmd.attribution.certificate import Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.models import as_model
from interpmd.potentials.uncertainty import uncertainty


def extrapolation_checks(model: Any, explanation: Explanation) -> list[Check]:
    """Largest extrapolation grade of an atom, in the whole and in each fragment by itself.

    The rows of fragments are differences of the energies of parts. Data of whole molecules say
    nothing about the parts, and the grade shows it.

    Args:
        model: what was explained.
        explanation: any, of atoms or of fragments.

    Returns:
        Grades (no unit) without a limit; none for models without a posterior.
    """
    potential = as_model(model).potential
    if potential is None:
        return []
    structures = {"extrapolation grade": [explanation.atoms]}
    # groups are evaluated closed with hydrogen, and graded by the explanation itself
    if explanation.fragments is not None and explanation.gauge != "groups":
        parts = [explanation.atoms[list(members)] for members in explanation.fragments]
        structures["extrapolation grade of fragments"] = parts
    words = "above 1 the training data do not vouch for it"
    grades = {
        name: float(uncertainty(potential, potential.batch(frames)).extrapolation.max())
        for name, frames in structures.items()
    }
    if not any(grades.values()):
        return []
    return [Check("on the data", name, grade, words=words) for name, grade in grades.items()]
