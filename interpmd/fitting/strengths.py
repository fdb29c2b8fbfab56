"""Ridge strengths that a fit tries, and which of them it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from tqdm.auto import tqdm

from interpmd.errors import SingularError
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.fitting.report import Evaluation

#: Ridge strengths that are tried, per row (columns have unit root mean square in force rows).
RIDGES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)

#: Those that refined channels try, from near that of the rounds, which suits them, to strong.
OF_REFINED = (1e-7, 1e-6, 1e-5, 1e-4)

#: Ridge strength that a watched fit uses before it has chosen one.
FIRST_RIDGE = 1e-7

#: A strength that was tried earlier is preferred while its validation error is within this factor.
TOLERANCE = 1.03


def first_of_the_good(scan: pd.DataFrame) -> pd.Series:
    """The line of the first strength whose validation error is within `TOLERANCE` of the least."""
    errors = scan.validation_error
    good = scan if errors.isna().all() else scan[errors <= errors.min() * TOLERANCE]
    return good.iloc[0]


def scanned(
    judge: Callable[[float], tuple[float, Evaluation | None]],
    strengths: Sequence[float],
    progress: bool,
    watch: Watch | None,
    until: float = 1 / TOLERANCE,
) -> pd.DataFrame:
    """Validation errors of strengths, in turn.

    Args:
        judge: error of a strength, and predictions for who watches.
        strengths: to be tried.
        progress: whether to show a progress bar.
        watch: called after every strength.
        until: the next one is not tried where an error exceeds so many times the least before.
    """
    tried: list[dict[str, float]] = []
    for strength in tqdm(strengths, desc="ridge", unit="strength", disable=not progress):
        try:
            error, evaluation = judge(strength)
        except SingularError:
            if not tried:
                raise
            break
        errors = [t["validation_error"] for t in tried]
        tried.append({"ridge": strength, "validation_error": error})
        if watch is not None:
            watch(FitProgress("ridge", len(tried), len(strengths), strength, error, evaluation))
        if errors and error > until * min(errors):
            break
    return pd.DataFrame(tried)
