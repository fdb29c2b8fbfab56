"""Groups of clusters: what sums over a table can be taken over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from interpmd.decomposition.clusters import Clusters

#: What `Decomposition.by` can sum over, with what each means.
GROUPINGS = {
    "term": "rows of one name: pair, triplet, dispersion, ...",
    "order": "rows of one body order; 0 holds the remainders",
    "elements": "rows between the same elements, for instance H-H-O",
    "atoms": "rows on the same atoms, whatever their term",
    "atom": "each row's energy shared equally by its atoms; a remainder goes to its site",
}


def groups_of(
    clusters: Clusters, symbols: Sequence[str], what: str
) -> tuple[np.ndarray, Int[np.ndarray, " clusters"]]:
    """Labels of the groups, and the group of each cluster.

    Args:
        clusters: rows of a table.
        symbols: element of each atom.
        what: "term", "order", "elements" or "atoms"; terms come by body order, remainders last.
    """
    named = np.empty(len(clusters), dtype=object)
    named[:] = _labels(clusters, symbols, what)
    labels, index = np.unique(named, return_inverse=True)
    if what != "term":
        return labels, index
    orders = np.where(clusters.remainder, np.inf, clusters.order)
    lowest = [orders[index == group].min() for group in range(len(labels))]
    ranking = np.argsort(lowest, kind="stable")
    return labels[ranking], np.argsort(ranking)[index]


def _labels(clusters: Clusters, symbols: Sequence[str], what: str) -> list[Any]:
    if what == "term":
        return [clusters.terms[t] for t in clusters.term]
    if what == "order":
        return clusters.order.tolist()
    first = clusters.first.tolist()
    members = [
        tuple(clusters.member_atoms[a:b].tolist())
        for a, b in zip(first[:-1], first[1:], strict=True)
    ]
    if what == "atoms":
        return members
    return [
        f"{symbols[atoms[0]]} (remainder)"
        if order == 0
        else "-".join(sorted(symbols[a] for a in atoms))
        for atoms, order in zip(members, clusters.order, strict=True)
    ]


def shares_of_atoms(clusters: Clusters) -> Float[np.ndarray, " members"]:
    """Share of every member in the energy of its cluster: equal, or all to a remainder's site."""
    share = np.where(clusters.remainder, 0.0, 1 / clusters.sizes)[clusters.owner]
    share[clusters.first[:-1][clusters.remainder]] = 1.0
    return share
