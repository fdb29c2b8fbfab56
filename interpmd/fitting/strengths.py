"""Ridge strengths that a fit tries, and which of them it takes."""

from __future__ import annotations

import pandas as pd

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
