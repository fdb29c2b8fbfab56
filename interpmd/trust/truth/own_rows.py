"""Rows of an explanation beside those of the reference method itself, in the same gauge.

Completeness proves nothing: rows may sum to a force and be wrong. Where the method is at hand that
made the training data, its own rows, with the same players or coordinates, are the truth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from interpmd.attribution.certificate import Check
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.methods.dispatch import explain, options_of
from interpmd.trust.removal import gauge_of
from interpmd.trust.rows import compared, correlation, relative_difference

#: Kinds of rows whose order counts players.
PLAYER_KINDS = (
    "fragment",
    "between fragments",
    "group",
    "two groups",
    "three groups",
    "larger groups",
)


def reference_rows(explanation: Explanation, reference: Any) -> Explanation:
    """The same question, asked of another model.

    Args:
        explanation: of one structure.
        reference: any model that `explain` takes, as the calculator that made the labels.

    Raises:
        ModelError: it fails for the structure or a part of it.
        MethodError: the method needs an interpmd potential.
    """
    options = {"error_bars": False} if "error_bars" in options_of(explanation.method) else {}
    return explain(
        reference,
        explanation.atoms,
        explanation.target,
        explanation.method,
        _order(explanation),
        explanation.context,
        gauge=gauge_of(explanation),
        reference=explanation.reference,
        **options,
    )


def truth_checks(explanation: Explanation, reference: Any) -> list[Check]:
    """Difference of the rows from the reference method's own, beside that of the target.

    Energies of single players are left out: they are those of its isolated atoms, and would drown
    what players do to each other.

    Returns:
        Root mean square error of the rows (over components that either has), its share of the
        rows, their correlation, and the error of what they explain; noted, without limits.

    Raises:
        See `reference_rows`.
    """
    own, unit = reference_rows(explanation, reference), explanation.unit
    first, second = compared(explanation, own)
    if not len(first):
        return []
    error = float(np.sqrt(np.mean((first - second) ** 2)))
    missed = np.asarray(explanation.predicted) - np.asarray(own.predicted)
    size = float(np.sqrt(np.mean(missed**2)))
    relative, r = relative_difference(first, second), correlation(first, second)
    return [
        Check("truth", "rows", error, None, unit, "RMSE against the reference's own rows"),
        Check("truth", "relative error of rows", relative, words="their difference over the rows"),
        Check("truth", "correlation of rows", r, words="with the reference's own rows"),
        Check("truth", "target", size, None, unit, "error of what the rows explain"),
    ]


def _order(explanation: Explanation) -> int | str | None:
    """Largest number of players in a row, if larger sets were left together; else all."""
    if explanation.gauge == "internal":
        return "auto"
    players = explanation.orders
    if explanation.fragments is not None:
        of_players = [kind in PLAYER_KINDS for kind in explanation.kinds]
        players = players[np.array(of_players, dtype=bool)]
    cut = (explanation.orders == 0).any()
    return int(players.max(initial=1)) if cut else None
