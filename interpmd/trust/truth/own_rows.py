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
    mine, theirs = (each.interactions if unit == "eV" else each for each in (explanation, own))
    first, second = aligned(mine, theirs)
    some = (first != 0) | (second != 0)  # an atom feels few of the coordinates
    first, second = first[some], second[some]
    if not len(first):
        return []
    error = float(np.sqrt(np.mean((first - second) ** 2)))
    missed = np.asarray(explanation.predicted) - np.asarray(own.predicted)
    checks = [
        Check("truth", "rows", error, None, unit, "RMSE against the reference's own rows"),
        Check("truth", "relative difference", relative(first, second), words="the same over them"),
    ]
    if len(first) > 2 and first.std() > 0 < second.std():
        correlation = float(np.corrcoef(first, second)[0, 1])
        checks.append(Check("truth", "correlation", correlation, words="of the rows with them"))
    words = "error of what the rows explain"
    size = float(np.sqrt(np.mean(missed**2)))
    return [*checks, Check("truth", "target", size, None, unit, words)]


def aligned(first: Explanation, second: Explanation) -> tuple[np.ndarray, np.ndarray]:
    """Values of both, row by row and component by component, 0 where one lacks a row.

    Remainders are left out: what stands in them depends on the model.

    Returns:
        Two arrays of the same shape (rows x components,).
    """
    merged = [each[~each.clusters.remainder].merged() for each in (first, second)]
    tables = [dict(zip(e.clusters.identities(), e.values, strict=True)) for e in merged]
    zero = np.zeros(first.values.shape[1:])
    keys = dict.fromkeys([*tables[0], *tables[1]])
    columns = [np.array([table.get(key, zero) for key in keys]).ravel() for table in tables]
    return columns[0], columns[1]


def relative(first: np.ndarray, second: np.ndarray) -> float:
    """Norm of a difference over the root mean square of both norms."""
    size = np.sqrt((np.sum(first**2) + np.sum(second**2)) / 2)
    return float(np.linalg.norm(first - second) / size) if size else 0.0


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
