"""Clusters of atoms: subsets of neighbours, their ranks, and one name for each cluster.

A subset {c_1 < c_2 < ... < c_k} of 0..n-1 has the rank sum_i binom(c_i, i) among all subsets of
its size (combinatorial number system; Knuth, The Art of Computer Programming 4A, 7.2.1.3,
theorem L). Sites with equally many neighbours share the tables.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

MOST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Members:
    """Clusters of one size, atom by atom.

    Attributes:
        atoms: atom index of every member, shape (clusters, size).
        shifts: periodic image of every member in cell vectors, shape (clusters, size, 3).
    """

    atoms: Int[np.ndarray, "clusters size"]
    shifts: Int[np.ndarray, "clusters size 3"]


@lru_cache(maxsize=256)
def subsets(n: int, size: int) -> Int[np.ndarray, "subsets size"]:
    """All subsets of 0..n-1 with `size` elements, ascending within, ordered by their rank.

    The table is shared between calls: do not write to it.
    """
    count = math.comb(n, size)
    if size == 0:
        return np.zeros((1, 0), dtype=np.int64)
    flat = itertools.chain.from_iterable(itertools.combinations(range(n), size))
    table = np.fromiter(flat, dtype=np.int64, count=count * size).reshape(count, size)
    ordered = table[np.argsort(ranks(table))]
    return ordered


@lru_cache(maxsize=1024)
def faces(n: int, size: int, smaller: int) -> list[tuple[list[int], Int[np.ndarray, " subsets"]]]:
    """The parts with `smaller` elements of each subset in `subsets(n, size)`.

    Returns:
        For every choice of places in a subset: the places, and the ranks of the parts there.
    """
    chosen = subsets(n, size)
    places = map(list, itertools.combinations(range(size), smaller))
    return [(place, ranks(chosen[:, place])) for place in places]


def ranks(chosen: Int[np.ndarray, "subsets size"]) -> Int[np.ndarray, " subsets"]:
    """Rank of every subset (elements ascending) among the subsets of its size."""
    rank = np.zeros(len(chosen), dtype=np.int64)
    for place in range(chosen.shape[1]):
        binomial = np.ones(len(chosen), dtype=np.int64)
        for factor in range(place + 1):
            # exact at every step: a product of consecutive integers over a factorial
            binomial = binomial * (chosen[:, place] - factor) // (factor + 1)
        rank += binomial
    return rank


def count_stars(degrees: Int[np.ndarray, " sites"], order: int) -> int:
    """Number of subsets of neighbours with at most `order` − 1 elements, over all sites."""
    values, counts = np.unique(degrees, return_counts=True)
    return sum(
        int(c) * sum(math.comb(int(n), k) for k in range(order))
        for n, c in zip(values, counts, strict=True)
    )


def canonical(members: Members) -> tuple[Members, Int[np.ndarray, "clusters size"]]:
    """The same clusters, each with one name, and the permutation that leads there.

    Members are sorted by (atom, image), then the cluster is moved by whole cells so that its
    first member lies in the original cell. Translation does not change the lexicographic order,
    so that all translated and permuted copies of a cluster get the same name.
    """
    order = np.argsort(_keys(members), axis=1, kind="stable")
    atoms = np.take_along_axis(members.atoms, order, axis=1)
    shifts = np.take_along_axis(members.shifts, order[:, :, None], axis=1)
    return Members(atoms, shifts - shifts[:, :1]), order


def distinct(
    members: Members,
) -> tuple[Int[np.ndarray, " distinct"], Int[np.ndarray, " clusters"]]:
    """Where each distinct cluster occurs first, and the distinct cluster of each, sorted."""
    keys = _keys(members)
    span = int(keys.max(initial=0)) + 1
    label = np.zeros(len(keys), dtype=np.int64)
    for column in keys.T:
        if int(label.max(initial=0)) >= MOST // span:  # the next number would not fit
            _, label = np.unique(label, return_inverse=True)
        label = label * span + column
    _, label = np.unique(label, return_inverse=True)
    first = np.full(label.max(initial=-1) + 1, len(label), dtype=np.int64)
    np.minimum.at(first, label, np.arange(len(label)))
    return first, label


def summed(
    values: Float[np.ndarray, "clusters ..."], label: Int[np.ndarray, " clusters"], count: int
) -> Float[np.ndarray, "distinct ..."]:
    """Values of clusters with the same label added up."""
    columns = values.reshape(len(values), math.prod(values.shape[1:])).T
    total = np.empty((len(columns), count))
    for into, column in zip(total, columns, strict=True):
        into[:] = np.bincount(label, weights=column, minlength=count)
    return total.T.reshape((count, *values.shape[1:]))


def _keys(members: Members) -> Int[np.ndarray, "clusters size"]:
    """One integer per member that orders as (atom, image)."""
    reach = int(np.abs(members.shifts).max(initial=0))
    base = 2 * reach + 1
    keys = members.atoms.astype(np.int64)
    for axis in range(3):
        keys = keys * base + members.shifts[:, :, axis] + reach
    return keys
