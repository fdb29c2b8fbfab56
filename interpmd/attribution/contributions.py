"""Values of clusters that add up: their sums, differences, groups, and error bars.

Numbers and clusters only. What they explain, and in which words, is the business of
`interpmd.attribution.explanation`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from interpmd.decomposition.clusters import Clusters
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.errors import GroupingError
from interpmd.structures.fragments import Fragments, numbered

#: What values are summed over. Shares of atoms and pairs are equal parts of a value: for atoms
#: that is the Shapley value, for pairs a convention.
GROUPINGS = ("order", "term", "kind", "pair", "atom", "fragment")


@dataclass(frozen=True, eq=False)
class Contributions:
    """One value for each cluster.

    Attributes:
        clusters: the atoms that each value belongs to.
        values: shape (clusters,), or (clusters, 3) for vectors.
        samples: deviations under joint samples of the posterior, shape (clusters, samples) or
            (clusters, 3, samples); None where it is not known.
    """

    clusters: Clusters
    values: Float[np.ndarray, "clusters ..."]
    samples: Float[np.ndarray, "clusters ... samples"] | None = None

    def take(self, chosen: np.ndarray) -> Contributions:
        """Some of them, by index or mask."""
        chosen = np.atleast_1d(np.arange(len(self.clusters))[chosen])
        samples = None if self.samples is None else self.samples[chosen]
        return Contributions(self.clusters.take(chosen), self.values[chosen], samples)

    def scaled(self, factor: float) -> Contributions:
        """All of them times a number."""
        samples = None if self.samples is None else factor * self.samples
        return replace(self, values=factor * self.values, samples=samples)

    def along(self, vector: Float[np.ndarray, 3]) -> Contributions:
        """Numbers as they are; vectors, and their samples, along the direction of another one."""
        if self.values.ndim == 1:
            return self
        samples = None
        if self.samples is not None:
            samples = np.einsum("csn,s->cn", self.samples, direction_of(vector))
        return replace(self, values=directed(self.values, vector), samples=samples)

    def merged(self) -> Contributions:
        """One value for each cluster, terms added up."""
        keys = [("all", *key[1:]) for key in self.clusters.identities()]
        return _of_keys(keys, self.values, self.samples)

    def plus(self, other: Contributions, sign: float, same_draws: bool) -> Contributions:
        """These plus `sign` times others, cluster by cluster.

        Args:
            other: values of the same shape.
            sign: 1 or -1.
            same_draws: whether the samples of both are draws of one posterior. Draws of two
                have nothing in common, which the same place does not assure: both may come from
                the same random numbers.
        """
        samples = None
        if self.samples is not None and other.samples is not None:
            size = min(self.samples.shape[-1], other.samples.shape[-1])
            theirs = other.samples[..., :size]
            if not same_draws:
                theirs = np.roll(theirs, 1, axis=-1)
            samples = np.concatenate([self.samples[..., :size], sign * theirs])
        return _of_keys(
            [*self.clusters.identities(), *other.clusters.identities()],
            np.concatenate([self.values, sign * other.values]),
            samples,
        )


def _of_keys(
    keys: Sequence[tuple], values: np.ndarray, samples: np.ndarray | None
) -> Contributions:
    """Values, and samples, of the same key added up."""
    place = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    index = np.array([place[key] for key in keys], dtype=int)

    def summed(parts: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(place), *parts.shape[1:]))
        np.add.at(sums, index, parts)
        return sums

    clusters = Clusters.of_identities(list(place))
    return Contributions(clusters, summed(values), None if samples is None else summed(samples))


def directed(
    values: Float[np.ndarray, "clusters ..."], along: Float[np.ndarray, 3]
) -> Float[np.ndarray, " clusters"]:
    """Numbers as they are; vectors along the direction of another one.

    Where that has no length no direction is preferred, and x is taken, so that what is shown
    still adds up.
    """
    if values.ndim == 1:
        return values
    return values @ direction_of(along)


def direction_of(vector: Float[np.ndarray, 3]) -> Float[np.ndarray, 3]:
    """Unit vector along a vector; x where it has no length."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector) / length if length > 1e-12 else np.array([1.0, 0.0, 0.0])


def keys_of(
    clusters: Clusters,
    what: str,
    kinds: Sequence[str] = (),
    fragments: Fragments = (),
) -> list[list[Any]]:
    """For each cluster the groups that share its value in equal parts.

    Args:
        clusters: whose values are summed.
        what: one of `GROUPINGS`.
        kinds: of every cluster, for "kind".
        fragments: for "fragment"; a cluster belongs to the set of those that it touches.

    Raises:
        GroupingError: another word.
    """
    members = clusters.tuples()
    if what == "order":
        return [[int(order)] for order in clusters.order]
    if what == "term":
        return [[clusters.terms[term]] for term in clusters.term]
    if what == "kind":
        return [[kind] for kind in kinds]
    if what == "atom":
        return [list(inside) for inside in members]
    if what == "pair":
        return [
            [(atom,) for atom in m]
            if rest
            else [tuple(sorted(p)) for p in combinations(m, 2)] or [m]
            for m, rest in zip(members, clusters.remainder, strict=True)
        ]
    if what == "fragment":
        number = numbered(fragments)
        return [[tuple(sorted({number[a] for a in inside}))] for inside in members]
    raise GroupingError(f"cannot sum by {what!r}; choose one of label, {', '.join(GROUPINGS)}")


def summed(keys: Sequence[Sequence[Hashable]], parts: np.ndarray) -> dict[Any, Any]:
    """Each part in equal shares to its keys."""
    sums: dict[Any, Any] = {}
    for shared, part in zip(keys, parts, strict=True):
        for key in shared:
            sums[key] = sums.get(key, 0.0) + part / len(shared)
    return sums


def sums_of(
    rows: Contributions,
    keys: Sequence[Sequence[Hashable]],
    ranking: Mapping[Any, int],
    name: str,
    unit: str,
    std: bool = False,
) -> pd.Series | pd.DataFrame:
    """Values summed over groups, as a column (or three) with a unit.

    Args:
        rows: the values.
        keys: from `keys_of`.
        ranking: order of the groups where they have one; others stand as they come.
        name: of the index.
        unit: of the values.
        std: whether to add columns with standard deviations under the posterior.
    """
    sums = summed(keys, rows.values)
    order = sorted(sums, key=lambda key: ranking.get(key, 0))
    index = pd.Index(order, name=name, tupleize_cols=False)
    stacked = np.array([sums[k] for k in order]).reshape(-1, *rows.values.shape[1:])
    columns = _columns(f"value_{unit}", stacked)
    if std:
        spread = np.full(stacked.shape, np.nan)
        if rows.samples is not None:
            samples = summed(keys, rows.samples)
            spread = np.array([standard_deviation(samples[k]) for k in order])
        columns |= _columns(f"std_{unit}", spread.reshape(stacked.shape))
    if len(columns) == 1:
        [(column_name, column)] = columns.items()
        return pd.Series(column, index=index, name=column_name)
    return pd.DataFrame(columns, index=index)


def _columns(name: str, stacked: np.ndarray) -> dict[str, np.ndarray]:
    if stacked.ndim == 1:
        return {name: stacked}
    return {f"{name}_{x}": column for x, column in zip("xyz", stacked.T, strict=True)}


def frame_of(
    rows: Contributions,
    names: Mapping[str, Any],
    unit: str,
    periodic: bool,
    convention: np.ndarray | None = None,
) -> pd.DataFrame:
    """One line per cluster that contributes, the largest first.

    Args:
        rows: the values.
        names: columns "label", "kind" and "atoms".
        unit: of the values.
        periodic: whether to add the images of the atoms.
        convention: how far each value moves with the free choices of its gauge.
    """
    clusters, values = rows.clusters, rows.values
    frame = pd.DataFrame(
        {
            "label": names["label"],
            "kind": names["kind"],
            "term": [clusters.terms[t] for t in clusters.term],
            "order": clusters.order,
            "atoms": names["atoms"],
            "remainder": clusters.remainder,
        }
    )
    if periodic:
        frame["shifts"] = pd.Series([key[3] for key in clusters.identities()], dtype=object)
    columns = _columns(f"value_{unit}", values)
    if rows.samples is not None:
        columns |= _columns(f"std_{unit}", standard_deviation(rows.samples))
    if convention is not None:
        columns |= _columns(f"convention_{unit}", convention)
    frame = frame.assign(**columns)
    size = np.abs(values) if values.ndim == 1 else np.linalg.norm(values, axis=1)
    order = np.argsort(-size, kind="stable")
    return frame.iloc[order[size[order] > 0]].reset_index(drop=True)


def pair_matrix(
    clusters: Clusters, values: Float[np.ndarray, " clusters"], players: Fragments
) -> Float[np.ndarray, "players players"]:
    """Values of pairs of players, and of larger clusters in equal parts to their pairs, below
    the diagonal; single players, and remainders in equal parts, on it; NaN above."""
    number = numbered(players)
    matrix = np.where(np.tri(len(players), dtype=bool), 0.0, np.nan)
    for members, rest, value in zip(clusters.tuples(), clusters.remainder, values, strict=True):
        inside = sorted({number[a] for a in members})
        alone = [(player, player) for player in inside]
        cells = alone if rest else list(combinations(inside, 2)) or alone
        for first, second in cells:
            matrix[second, first] += value / len(cells)
    return matrix
