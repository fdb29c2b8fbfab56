"""What an explanation knows of itself: sums, conservation, readability, and error bars."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from interpmd.attribution.certificate import TOLERANCE, UNREADABLE, Check
from interpmd.attribution.contributions import Contributions
from interpmd.decomposition.decomposition import standard_deviation

#: Name of the torque that a pair exerts on itself.
TURNS = "torque of a pair on itself"

#: Name of an extrapolation grade that says nothing of the parts that were evaluated.
WHOLE = "grade of the whole"


def own_checks(
    residual: float, complete: bool, method: str, unit: str, measured: Mapping[str, float]
) -> list[Check]:
    """What an explanation knows of itself without its model.

    Args:
        residual: completeness error, in `unit`.
        complete: whether the method claims that its values add up.
        method: its name.
        unit: of the values.
        measured: by the method, by name: "momentum" (eV/A), "torque" and `TURNS` (eV), "grade"
            or `WHOLE`, errors of estimates.
    """
    words = "" if complete else f"{method} does not claim that its values add up"
    limit = TOLERANCE if complete else None
    checks = [Check("axioms", "completeness", residual, limit, unit, words)]
    units = {"momentum": "eV/A", "torque": "eV"}
    checks += [
        Check("axioms", name, measured[name], TOLERANCE, of)
        for name, of in units.items()
        if name in measured
    ]
    if TURNS in measured:
        words = "the largest: pair forces do not point along the pair"
        checks.append(Check("convention", TURNS, measured[TURNS], None, "eV", words))
    for name, of in {"grade": "what was evaluated", WHOLE: "the whole; parts not graded"}.items():
        if name in measured:
            words = f"largest extrapolation grade of {of}; above 1 beyond the data"
            checks.append(Check("on the data", name, measured[name], None, "", words))
    return checks + [
        Check("faithfulness", name, value)
        for name, value in measured.items()
        if name not in (*units, TURNS, "grade", WHOLE)
    ]


def of_both(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """What is known of a sum or difference of explanations: the larger grade."""
    graded = [next((n for n in ("grade", WHOLE) if n in m), None) for m in (first, second)]
    if None in graded:
        return {}
    name = WHOLE if WHOLE in graded else "grade"
    return {name: max(m[n] for m, n in zip((first, second), graded, strict=True))}


def of_rows(
    rows: Contributions,
    predicted: np.ndarray,
    total_std: float | np.ndarray | None,
    unit: str,
    gauge: str,
) -> list[Check]:
    """`readability` of the rows, and their `determination`."""
    return [
        *readability(rows.values, predicted, gauge),
        *determination(rows.values, rows.samples, total_std, unit),
    ]


def determination(
    values: np.ndarray,
    samples: np.ndarray | None,
    total_std: float | np.ndarray | None,
    unit: str,
) -> list[Check]:
    """How well the data determine sum and single values; noted, for there is no limit.

    Args:
        values: shape (clusters,) or (clusters, 3); without the energies of single players, beside
            which every error bar is small.
        samples: deviations under the posterior, shape (clusters, ..., samples), where it is known.
        total_std: standard deviation of the sum.
        unit: of all.
    """
    if samples is None or total_std is None:
        return []
    spread = np.abs(standard_deviation(samples)).reshape(len(values), -1).max(1, initial=0.0)
    largest = np.abs(values).reshape(len(values), -1).max(1, initial=0.0)
    # isolated atoms and terms with fixed formulas have none: they would pass for well known
    learned = np.flatnonzero(spread)
    some = spread[learned[np.argsort(-largest[learned])[:10]]]
    total = float(np.max(total_std))
    words = "posterior standard deviation of the sum"
    checks = [Check("identifiability", "sum", total, None, unit, words)]
    if len(some):
        words = "that of a single one of the ten largest values that were learned (median)"
        single = float(np.median(some))
        checks.append(Check("identifiability", "single values", single, None, unit, words))
        ten = learned[np.argsort(-largest[learned])[:10]]
        relative = float(np.sqrt((spread[ten] ** 2).sum() / max((largest[ten] ** 2).sum(), 1e-300)))
        words = "error bars of the ten largest values over the values themselves"
        checks.append(Check("identifiability", "relative", relative, None, "", words))
    return checks


def readability(values: np.ndarray, predicted: np.ndarray, gauge: str) -> list[Check]:
    """How much larger the rows are than what they explain: beyond `UNREADABLE` they cancel.

    Args:
        values: shape (clusters,) or (clusters, 3).
        predicted: what they sum to.
        gauge: of the rows.
    """
    total = float(np.linalg.norm(predicted))
    if not len(values) or total < 1e-9:
        return []
    rows = float(np.linalg.norm(values.reshape(len(values), -1), axis=1).sum())
    words = "sum of the rows over what they explain"
    if rows / total > UNREADABLE:
        better = {"atoms": '"internal" or "groups"', "groups": '"internal"'}.get(gauge, "another")
        words += f": they cancel and cannot be read; take the gauge {better}"
    return [Check("readability", "rows over total", rows / total, None, "", words)]
