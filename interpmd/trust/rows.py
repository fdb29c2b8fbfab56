"""Rows of two explanations beside each other, by which they are told apart or found alike."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from interpmd.attribution.explanation import Explanation


def compared(
    first: Explanation, second: Explanation
) -> tuple[Float[np.ndarray, " numbers"], Float[np.ndarray, " numbers"]]:
    """Values of two explanations of one question, row by row and component by component.

    Remainders are left out, for what stands in them depends on the model; so are numbers that
    vanish in both, as an atom feels few of the coordinates; and of energies those of single
    players, which are the energies of its isolated atoms and drown what players do together.

    Args:
        first, second: of one gauge, target and structure.
    """
    tables = []
    for each in (first, second):
        rows = each.interactions if each.unit == "eV" else each
        rows = rows[~rows.clusters.remainder].merged()
        tables.append(dict(zip(rows.clusters.identities(), rows.values, strict=True)))
    zero = np.zeros(first.values.shape[1:])
    keys = dict.fromkeys([*tables[0], *tables[1]])
    ours, theirs = (np.array([table.get(k, zero) for k in keys]).ravel() for table in tables)
    some = (ours != 0) | (theirs != 0)
    return ours[some], theirs[some]


def relative_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Norm of the difference over the root mean square of both norms; 0 of nothing."""
    size = np.sqrt((np.sum(first**2) + np.sum(second**2)) / 2)
    return float(np.linalg.norm(first - second) / size) if size else 0.0


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson's; NaN where either does not vary."""
    if len(first) < 3 or not first.std() or not second.std():
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
