"""From an explanation to bars: its contributions, summed as the question groups them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.attribution.contributions import Contributions, keys_of, summed
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.kinds import fragment_names
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.structures.fragments import fragments_of

#: Bars of their own, and lines in the molecule; the contributions that are left share one bar.
MOST = 500


@dataclass(frozen=True)
class Bar:
    """One contribution.

    Attributes:
        key: the same in every frame; begins with "rest " where it is a remainder.
        label: for people.
        value: eV or eV/Å, along the direction of the answer.
        std: standard deviation under the posterior where it is known.
        atoms: those that take part.
        vector: of forces in eV/Å, shape (3,).
    """

    key: str
    label: str
    value: float
    std: float | None = None
    atoms: tuple[int, ...] = ()
    vector: tuple[float, ...] | None = None


def groups_of(
    explanation: Explanation, grouping: str, kinds: Sequence[str] | None = None
) -> list[list[Any]]:
    """For each cluster the groups that share its value in equal parts.

    Args:
        explanation: whose values are grouped.
        grouping: one of `questions.GROUPINGS`.
        kinds: of the clusters; as the explanation names them if None.
    """
    clusters = explanation.clusters
    if grouping == "interaction":
        # several coordinates may be of the same atoms, as the two bends of a linear angle
        named = explanation.kinds_of_terms is not None
        if named:
            names = list(explanation.labels)
        else:
            # atoms in other cells are other atoms, but what is left over stands at its site
            images = [key[3] for key in clusters.identities()]
            names = ["" if rest or not np.any(image) else str(image) for image, rest in
                     zip(images, clusters.remainder, strict=True)]  # fmt: skip
        return [
            [(bool(rest), members, name)]
            for rest, members, name in zip(
                clusters.remainder, explanation.members, names, strict=True
            )
        ]
    if grouping == "kind":
        kinds = explanation.kinds if kinds is None else kinds
    else:
        kinds = ()
    fragments = ()
    if grouping == "fragment":
        fragments = explanation.fragments or fragments_of(explanation.atoms)
    return keys_of(clusters, grouping, kinds, fragments)


def bars_of(
    explanation: Explanation,
    rows: Contributions,
    groups: Sequence[Sequence[Hashable]],
    grouping: str,
    labels: Sequence[str] | None = None,
) -> tuple[tuple[Bar, ...], dict[Hashable, int], tuple[float, ...]]:
    """The bars, the largest first, the place among them of each group, and error bars of rests.

    Groups beyond `MOST` share the last bar and have no place. The error bar of a rest is that of
    the sum of all bars after one; there are none where the error bars are not known.

    Args:
        explanation: with the vectors and names.
        rows: its values as numbers, along the direction of the answer.
        groups: of every cluster, from `groups_of`.
        grouping: that made them.
        labels: of the clusters; as the explanation names them if None.
    """
    values = summed(groups, rows.values)
    spread = None if rows.samples is None else summed(groups, rows.samples)
    vectors = summed(groups, explanation.values) if explanation.values.ndim == 2 else {}
    atoms, left_over = _who(explanation, groups, grouping)
    names = _names(explanation, groups, grouping, left_over, labels)
    order = sorted(values, key=lambda group: -abs(values[group]))

    def std(some: Sequence[Hashable]) -> float | None:
        # errors of different rows are correlated, so that samples are added, not squares
        if spread is None:
            return None
        return float(standard_deviation(np.sum([spread[group] for group in some], axis=0)))

    bars = [
        Bar(
            *names[group],
            float(values[group]),
            std([group]),
            atoms[group],
            tuple(vectors[group].tolist()) if vectors else None,
        )
        for group in order[:MOST]
    ]
    if rest := order[MOST:]:
        total = float(sum(values[group] for group in rest))
        bars.append(Bar("others", f"{len(rest)} smaller ones", total, std(rest)))
    rests: tuple[float, ...] = ()
    if spread is not None and order:
        # from the smallest on
        sums = np.cumsum([spread[group] for group in reversed(order)], axis=0)[::-1]
        after = [*sums[1:], np.zeros_like(sums[0])][: len(bars)]
        if len(order) > MOST:
            after[-1] = np.zeros_like(sums[0])
        rests = tuple(float(x) for x in standard_deviation(np.array(after)))
    return tuple(bars), {group: place for place, group in enumerate(order[:MOST])}, rests


def _who(
    explanation: Explanation, groups: Sequence[Sequence[Any]], grouping: str
) -> tuple[dict[Any, tuple[int, ...]], set[Any]]:
    """Atoms of each group, and the groups with remainders in them."""
    atoms: dict[Any, set[int]] = {}
    left_over = set()
    remainder = explanation.clusters.remainder.tolist()
    for members, shared, rest in zip(explanation.members, groups, remainder, strict=True):
        for group in shared:
            atoms.setdefault(group, set()).update(group if grouping == "pair" else members)
            if rest:
                left_over.add(group)
    return {group: tuple(sorted(inside)) for group, inside in atoms.items()}, left_over


def _names(
    explanation: Explanation,
    groups: Sequence[Sequence[Any]],
    grouping: str,
    left_over: set[Any],
    labels: Sequence[str] | None,
) -> dict[Any, tuple[str, str]]:
    """Key and label of each group."""
    atoms = explanation.atoms
    all_groups = dict.fromkeys(group for shared in groups for group in shared)
    if grouping == "interaction":
        # values of single atoms, which methods share pairs among, are no interactions
        plain = explanation.fragments is None and explanation.method in ("shapley", "owen")
        if plain:
            labels = [_joined(atoms, members) for members in explanation.members]
        elif labels is None:
            labels = explanation.labels
        first: dict[Any, tuple[str, str]] = {}
        for [(rest, members, name)], label in zip(groups, labels, strict=True):
            of = f"{members} {name}" if name.startswith("((") else name or members
            key = f"{'rest ' if rest else ''}{of}"
            first.setdefault((rest, members, name), (key, label))
        return first
    if grouping == "pair":
        return {
            pair: (f"rest {pair}", f"rest at {_joined(atoms, pair)}")
            if pair in left_over
            else (str(pair), _joined(atoms, pair))
            for pair in all_groups
        }
    if grouping == "order":
        return {
            order: (str(order), f"{order}-body" if order else "remainder") for order in all_groups
        }
    if grouping == "fragment":
        names = fragment_names(atoms, explanation.fragments or fragments_of(atoms))
        return {
            touched: (
                str(list(touched)),
                ("within " if len(touched) == 1 else "") + "···".join(names[f] for f in touched),
            )
            for touched in all_groups
        }
    return {name: (name, name) for name in all_groups}


def _joined(atoms: Atoms, members: Sequence[int]) -> str:
    """Atoms by name, as "O0···H8"."""
    return "···".join(f"{atoms.symbols[a]}{a}" for a in members)
