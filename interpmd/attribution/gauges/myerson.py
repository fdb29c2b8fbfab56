"""Games on a graph: only connected players have anything to share.

Myerson (Math. Oper. Res. 2, 225, 1977): a set of players that the graph leaves in pieces is worth
the sum of its pieces. Harsanyi's dividends of that game vanish on sets that are not connected; on a
connected set S they are

    d(S) = v(S) - sum over connected T in S, T not S, of d(T).

On a forest the connected sets of each tree are a convex geometry, and in the Moebius function of
their lattice (Edelman and Jamison, Geom. Dedicata 19, 247, 1985) only the ends of S count,

    d(S) = sum over subsets E of the ends of S of (-1)^|E| v(S without E),

so that a dividend is a sum of few values. The Shapley value of the game, Myerson's value, shares
every dividend equally among its players.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations

import numpy as np

from interpmd.errors import ArgumentError

Link = tuple[int, int]
Players = tuple[int, ...]

#: Most connected sets that are listed.
MOST_SETS = 20_000


def connected_sets(count: int, links: Sequence[Link], order: int | None = None) -> list[Players]:
    """Connected sets of players, smallest first; they grow by neighbours, none is tried in vain.

    Args:
        count: number of players.
        links: pairs of players that are joined.
        order: largest size of a set; all if None.

    Raises:
        ArgumentError: an order below 1, or more than `MOST_SETS` sets.
    """
    if order is not None and (not isinstance(order, int | np.integer) or order < 1):
        raise ArgumentError(f"the order is a number of groups from 1 on, or None, not {order!r}")
    neighbours: list[set[int]] = [set() for _ in range(count)]
    for first, second in links:
        neighbours[first].add(second)
        neighbours[second].add(first)
    front = {frozenset([player]) for player in range(count)}
    sets: list[Players] = []
    size = 1
    while front:
        sets += sorted(tuple(sorted(chosen)) for chosen in front)
        if order is not None and size >= order:
            break
        front = {chosen | {k} for chosen in front for m in chosen for k in neighbours[m] - chosen}
        size += 1
        if len(sets) + len(front) > MOST_SETS:
            raise ArgumentError(
                f"{count} groups have more than {MOST_SETS} connected sets of up to {size} groups; "
                f"give an order of {size - 1} or less, or larger groups"
            )
    return sets


def alternating(chosen: Players, links: Sequence[Link]) -> dict[Players, int]:
    """The dividend of a connected set of a forest: which values it adds and which it takes away."""
    inside = set(chosen)
    joined = [player for link in links if inside.issuperset(link) for player in link]
    ends = [player for player in chosen if joined.count(player) <= 1]
    left_out = chain.from_iterable(combinations(ends, size) for size in range(len(ends) + 1))
    signs = {tuple(k for k in chosen if k not in out): (-1) ** len(out) for out in left_out}
    signs.pop((), None)
    return signs
