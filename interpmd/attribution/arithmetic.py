"""Sums and differences of explanations, cluster by cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from interpmd.attribution.clusters import Clusters
from interpmd.attribution.groupings import GroupingError

if TYPE_CHECKING:
    from interpmd.attribution.explanation import Explanation


def combined(one: Explanation, other: Explanation, sign: float, symbol: str) -> Explanation:
    """One explanation plus `sign` times another.

    Raises:
        GroupingError: of structures with different atoms, or of targets in different units.
    """
    if len(one.atoms) != len(other.atoms) or (one.atoms.numbers != other.atoms.numbers).any():
        raise GroupingError("explanations of structures with different atoms")
    if one.unit != other.unit or one.values.ndim != other.values.ndim:
        raise GroupingError(f"{one.target} and {other.target} cannot be combined")
    first, second = one, other
    if (one.method, one.context) != (other.method, other.context):
        first, second = one.merged(), other.merged()
    samples = None
    if first.samples is not None and second.samples is not None:
        # of one potential the same draws; of two potentials draws that have nothing in common,
        # which the same place does not assure: both may be made from the same random numbers
        size = min(first.samples.shape[-1], second.samples.shape[-1])
        theirs = second.samples[..., :size]
        if one.provenance != other.provenance:
            theirs = np.roll(theirs, 1, axis=-1)
        samples = np.concatenate([first.samples[..., :size], sign * theirs])

    def either(a: str, b: str) -> str:
        return a if a == b else f"{a} {symbol} {b}"

    found = with_sums(
        first,
        [*first.clusters.identities(), *second.clusters.identities()],
        np.concatenate([first.values, sign * second.values]),
        samples,
    )
    return replace(
        found,
        predicted=one.predicted + sign * other.predicted,
        method=either(one.method, other.method),
        context=either(one.context, other.context),
        statement=either(one.statement, other.statement),
        complete=one.complete and other.complete,
        checks={},
        evaluations=one.evaluations + other.evaluations,
    )


def with_sums(
    explanation: Explanation, keys: list[tuple], values: np.ndarray, samples: np.ndarray | None
) -> Explanation:
    """An explanation with values, and samples, of the same key added up."""
    place = {key: index for index, key in enumerate(dict.fromkeys(keys))}

    def summed(parts: np.ndarray) -> np.ndarray:
        found = np.zeros((len(place), *parts.shape[1:]))
        np.add.at(found, [place[key] for key in keys], parts)
        return found

    return replace(
        explanation,
        clusters=Clusters.of_identities(list(place)),
        values=summed(values),
        samples=None if samples is None else summed(samples),
    )
