"""Sums over the values of an explanation."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from interpmd.attribution.fragments import Fragments
from interpmd.attribution.kinds import KINDS, chemistry
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.errors import InterpmdError

if TYPE_CHECKING:
    from interpmd.attribution.explanation import Explanation

#: What `Explanation.by` sums over. Shares of atoms and pairs are equal parts of a value: for
#: atoms that is the Shapley value, for pairs a convention.
GROUPINGS = ("order", "term", "kind", "pair", "atom", "fragment")


class GroupingError(InterpmdError, ValueError):
    """An unknown way of summing values."""


def sums(
    explanation: Explanation, what: str, fragments: Fragments | None = None, std: bool = False
) -> pd.Series | pd.DataFrame:
    """Values summed over one of `GROUPINGS`; see `Explanation.by`.

    Raises:
        GroupingError: another word.
    """
    if what not in GROUPINGS:
        raise GroupingError(f"cannot sum by {what!r}; choose one of {', '.join(GROUPINGS)}")
    keys, values = keys_of(explanation, what, fragments), explanation.values
    found = _summed(keys, values)
    order = sorted(found, key=lambda k: KINDS.index(k) if k in KINDS else 0)
    index = pd.Index(order, name=what, tupleize_cols=False)
    stacked = np.array([found[k] for k in order]).reshape(-1, *values.shape[1:])
    columns = _columns("value", explanation, stacked)
    if std:
        spread = np.full(stacked.shape, np.nan)
        if explanation.samples is not None:
            found = _summed(keys, explanation.samples)
            spread = np.array([standard_deviation(found[k]) for k in order]).reshape(stacked.shape)
        columns |= _columns("std", explanation, spread)
    if len(columns) == 1:
        [(name, column)] = columns.items()
        return pd.Series(column, index=index, name=name)
    return pd.DataFrame(columns, index=index)


def _columns(word: str, explanation: Explanation, stacked: np.ndarray) -> dict[str, np.ndarray]:
    name = f"{word}_{explanation.unit}"
    if stacked.ndim == 1:
        return {name: stacked}
    return {f"{name}_{x}": column for x, column in zip("xyz", stacked.T, strict=True)}


def _summed(keys: list[list[Any]], parts: np.ndarray) -> dict[Any, Any]:
    """Each part in equal shares to its keys."""
    found: dict[Any, Any] = {}
    for mine, part in zip(keys, parts, strict=True):
        for key in mine:
            found[key] = found.get(key, 0.0) + part / len(mine)
    return found


def spreads(explanation: Explanation, by: str) -> dict[str, float] | None:
    """Standard deviations of values by name; see `Explanation.spreads`."""
    if explanation.samples is None:
        return None
    along = explanation.samples
    if explanation.values.ndim > 1:
        along = np.einsum("csn,s->cn", along, explanation.flat(np.eye(3)))
    names = [[x] for x in explanation.labels] if by == "label" else keys_of(explanation, by)
    found = _summed([[str(key) for key in keys] for keys in names], along)
    return {key: float(standard_deviation(samples)) for key, samples in found.items()}


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
        f"{atoms.symbols[list(m)].get_chemical_formula()}{m[0] if len(m) == 1 else f'({m[0]})'}"
        for m in groups
    ]
    return pd.DataFrame(matrix, index=names, columns=names)


def keys_of(
    explanation: Explanation, what: str, fragments: Fragments | None = None
) -> list[list[Any]]:
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
