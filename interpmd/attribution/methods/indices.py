"""From dividends to Shapley values, interactions and Owen values: exact linear sums.

The dividends m (Moebius transform) of a game v among players hold everything about it:
v(S) = sum of m(T) over all T inside S. Every index here is a fixed linear sum of them, so that a
game of few, small dividends needs no sampling. Dividends are a mapping from the players of a
cluster (a sorted tuple of their numbers) to a value, an array of shape (components,).

Sources: Shapley values, Harsanyi, Int. Econ. Rev. 4, 194 (1963), equation 4.1; interaction index,
Grabisch and Roubens, Int. J. Game Theory 28, 547 (1999), equation 17; k-SII, Bordt and
von Luxburg, AISTATS 2023 (arXiv:2209.04012), definition 5; Shapley-Taylor, Sundararajan et al.,
ICML 2020 (arXiv:1902.05622), theorem 2; Owen values, Owen, in Mathematical Economics and
Game Theory: Essays in Honor of Oskar Morgenstern (1977), 76, in dividends: Winter, Handbook of Game
Theory 3, chapter 53.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain, combinations

import numpy as np

from interpmd.errors import ArgumentError

Players = tuple[int, ...]
Values = dict[Players, np.ndarray]

#: Bernoulli numbers with B_1 = -1/2.
BERNOULLI = (1.0, -0.5, 1 / 6, 0.0, -1 / 30, 0.0, 1 / 42)


def dividends(game: Mapping[Players, np.ndarray]) -> Values:
    """Moebius transform of a game given on all subsets up to some size (the empty one is 0)."""
    dividends_of: Values = {}
    for players in sorted(game, key=len):
        rest = [p for size in range(1, len(players)) for p in combinations(players, size)]
        dividends_of[players] = game[players] - sum((dividends_of[p] for p in rest), np.zeros(1))
    return dividends_of


def shapley(values: Mapping[Players, np.ndarray]) -> Values:
    """Shapley values: every dividend in equal parts to its players."""
    if not values:
        return {}
    sizes = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    joined = np.fromiter(chain.from_iterable(values), dtype=np.int64, count=sizes.sum())
    shares = np.stack(list(values.values())) / sizes[:, None]
    players, index = np.unique(joined, return_inverse=True)
    total = np.zeros((len(players), shares.shape[1]))
    np.add.at(total, index, np.repeat(shares, sizes, axis=0))
    return {(player,): value for player, value in zip(players.tolist(), total, strict=True)}


def shapley_taylor(values: Mapping[Players, np.ndarray], order: int) -> Values:
    """Shapley-Taylor indices: dividends up to `order` - 1 as they are, larger ones shared
    equally by the clusters of `order` players inside them."""
    values_of: Values = {}
    for players, value in values.items():
        if len(players) <= order:
            _add(values_of, players, value)
        else:
            share = value / math.comb(len(players), order)
            for inside in combinations(players, order):
                _add(values_of, inside, share)
    return values_of


def interaction_index(values: Mapping[Players, np.ndarray], order: int) -> Values:
    """Shapley interaction index of every cluster of at most `order` players."""
    shares: Values = {}
    for players, value in values.items():
        for size in range(1, min(order, len(players)) + 1):
            for inside in combinations(players, size):
                _add(shares, inside, value / (len(players) - size + 1))
    return shares


def k_shapley(values: Mapping[Players, np.ndarray], order: int) -> Values:
    """k-Shapley interactions (k-SII): interaction indices, made to sum to the whole."""
    if order >= len(BERNOULLI):
        raise ArgumentError(f"interactions are known up to order {len(BERNOULLI) - 1}, not {order}")
    effects: Values = {}
    for players, value in interaction_index(values, order).items():
        for size in range(1, len(players) + 1):
            factor = BERNOULLI[len(players) - size]
            for inside in combinations(players, size):
                _add(effects, inside, factor * value)
    return effects


def owen(values: Mapping[Players, np.ndarray], unions: Sequence[Sequence[int]]) -> Values:
    """Owen values: a dividend in equal parts to its unions, and there to their members."""
    union_of = {player: u for u, members in enumerate(unions) for player in members}
    shares: Values = {}
    for players, value in values.items():
        together: dict[int, list[int]] = {}
        for player in players:
            together.setdefault(union_of[player], []).append(player)
        for members in together.values():
            for player in members:
                _add(shares, (player,), value / (len(together) * len(members)))
    return shares


def in_situ(values: Mapping[Players, np.ndarray], order: int) -> Values:
    """Effect of a cluster in the presence of all others: sum of the dividends around it.

    The discrete derivative of the game by the cluster at the full set (co-Moebius transform,
    Grabisch, Marichal, Roubens, Math. Oper. Res. 25, 157 (2000), equation 8).
    """
    sums: Values = {}
    for players, value in values.items():
        for size in range(1, min(order, len(players)) + 1):
            for inside in combinations(players, size):
                _add(sums, inside, value)
    return sums


def _add(sums: Values, players: Players, value: np.ndarray) -> None:
    sums[players] = sums[players] + value if players in sums else value
