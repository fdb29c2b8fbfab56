"""Ridge strengths that a fit tries, and which of them it takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from tqdm.auto import tqdm

from interpmd.errors import SingularError
from interpmd.fitting.progress import FitProgress, Watch

#: Ridge strengths that are tried, per row (columns have unit root mean square in force rows).
RIDGES = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)

#: Ridge strength that a watched fit uses before it has chosen one.
FIRST_RIDGE = 1e-7

#: A stronger ridge is preferred as long as its validation error is within this factor.
TOLERANCE = 1.03


def strongest_of_the_good(scan: pd.DataFrame) -> pd.Series:
    """The line of the strongest ridge whose validation error is within `TOLERANCE` of the least."""
    errors = scan.validation_error
    good = scan if errors.isna().all() else scan[errors <= errors.min() * TOLERANCE]
    return good.loc[good.ridge.idxmax()]


def scanned(
    error_of: Callable[[float], float],
    strengths: Sequence[float],
    progress: bool,
    watch: Watch | None,
) -> pd.DataFrame:
    """Errors of strengths, from strong to weak, as long as they improve."""
    tried: list[dict[str, float]] = []
    for strength in tqdm(strengths, desc="ridge", unit="strength", disable=not progress):
        try:
            error = error_of(strength)
        except SingularError:
            if not tried:
                raise
            break
        tried.append({"ridge": strength, "validation_error": error})
        if watch is not None:
            watch(FitProgress("ridge", len(tried), len(strengths), strength, error))
        errors = [t["validation_error"] for t in tried]
        if len(errors) > 1 and errors[-1] * TOLERANCE > min(errors[:-1]):
            break
    return pd.DataFrame(tried)
