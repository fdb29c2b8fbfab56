"""Sums over the values of an explanation."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from interpmd.attribution.fragments import Fragments
from interpmd.attribution.kinds import KINDS, chemistry
from interpmd.errors import InterpmdError

if TYPE_CHECKING:
    from interpmd.attribution.explanation import Explanation

#: What `Explanation.by` sums over. Shares of atoms and pairs are equal parts of a value: for
#: atoms that is the Shapley value, for pairs a convention.
GROUPINGS = ("order", "term", "kind", "pair", "atom", "fragment")


class GroupingError(InterpmdError, ValueError):
    """An unknown way of summing values."""


def sums(
    explanation: Explanation, what: str, fragments: Fragments | None = None
) -> pd.Series | pd.DataFrame:
    """Values summed over one of `GROUPINGS`; see `Explanation.by`.

    Raises:
        GroupingError: another word.
    """
    if what not in GROUPINGS:
        raise GroupingError(f"cannot sum by {what!r}; choose one of {', '.join(GROUPINGS)}")
    values, found = explanation.values, {}
    for keys, value in zip(_keys(explanation, what, fragments), values, strict=True):
        for key in keys:
            found[key] = found.get(key, 0.0) + value / len(keys)
    order = sorted(found, key=lambda k: KINDS.index(k) if k in KINDS else 0)
    column = f"value_{explanation.unit}"
    index = pd.Index(order, name=what, tupleize_cols=False)
    stacked = np.array([found[k] for k in order]).reshape(-1, *values.shape[1:])
    if values.ndim == 1:
        return pd.Series(stacked, index=index, name=column)
    return pd.DataFrame(stacked, index=index, columns=[f"{column}_{x}" for x in "xyz"])


def pair_matrix(explanation: Explanation) -> pd.DataFrame:
    """Values players by players; see `Explanation.pair_matrix`."""
    atoms = explanation.atoms
    groups = explanation.fragments or tuple((a,) for a in range(len(atoms)))
    number = {a: index for index, members in enumerate(groups) for a in members}
    matrix = np.where(np.tri(len(groups), dtype=bool), 0.0, np.nan)
    flat = explanation.flat(explanation.values)
    for members, value in zip(explanation.members, flat, strict=True):
        players = sorted({number[a] for a in members})
        cells = list(combinations(players, 2)) or [(players[0], players[0])]
        for first, second in cells:
            matrix[second, first] += value / len(cells)
    names = [
        f"{atoms.symbols[list(m)].get_chemical_formula()}{'' if len(m) == 1 else '·'}{m[0]}"
        for m in groups
    ]
    return pd.DataFrame(matrix, index=names, columns=names)


def _keys(explanation: Explanation, what: str, fragments: Fragments | None) -> list[list[Any]]:
    """The groups that share each value."""
    clusters, members = explanation.clusters, explanation.members
    if what == "order":
        return [[int(order)] for order in explanation.orders]
    if what == "term":
        return [[clusters.terms[term]] for term in clusters.term]
    if what == "kind":
        return [[kind] for kind in explanation.kinds]
    if what == "atom":
        return [list(inside) for inside in members]
    if what == "pair":
        return [[tuple(sorted(p)) for p in combinations(m, 2)] or [m] for m in members]
    number = chemistry(explanation.atoms).fragments
    if (given := fragments or explanation.fragments) is not None:
        number = np.zeros(len(explanation.atoms), dtype=int)
        for index, inside in enumerate(given):
            number[list(inside)] = index
    return [[tuple(sorted({int(number[a]) for a in inside}))] for inside in members]
