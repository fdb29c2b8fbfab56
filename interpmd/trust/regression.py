"""Whether an explanation is still what it was, for tests of notebooks and packages."""

from __future__ import annotations

import numpy as np

from interpmd.attribution.explanation import Explanation
from interpmd.keywords import renamed


@renamed(found="explanation")
def assert_explanation_close(
    explanation: Explanation, expected: Explanation, atol: float = 1e-6, rtol: float = 1e-6
) -> None:
    """Raise if two explanations differ; for regression tests and notebooks.

    Args:
        explanation, expected: of the same target, by the same method.
        atol, rtol: absolute tolerance in the unit of the target, and relative.

    Raises:
        AssertionError: naming the cluster that differs most and both its values.
    """
    about = [(e.method, e.context, e.unit, str(e.target)) for e in (explanation, expected)]
    if about[0] != about[1]:
        raise AssertionError(f"explanations of different questions: {about[0]} and {about[1]}")
    difference = explanation - expected
    sizes = np.abs(difference.values).reshape(len(difference), -1).max(1)
    expected_values = dict(zip(expected.clusters.identities(), expected.values, strict=True))
    zero = np.zeros(expected.values.shape[1:])
    reference = [expected_values.get(key, zero) for key in difference.clusters.identities()]
    limits = atol + rtol * np.abs(reference).reshape(len(difference), -1).max(1, initial=0.0)
    if len(sizes) and (sizes > limits).any():
        row = int(np.argmax(sizes - limits))
        raise AssertionError(
            f"{(sizes > limits).sum()} of {len(sizes)} values differ; most of all "
            f"{difference.labels[row]} ({difference.clusters.terms[difference.clusters.term[row]]})"
            f": {reference[row] + difference.values[row]} instead of {reference[row]} "
            f"{explanation.unit}"
        )
