"""What a fit has found: the posterior of a read-out, and how it was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from interpmd.fitting.judges import Judged
from interpmd.fitting.kept import Sums


@dataclass(frozen=True, eq=False)
class Solved:
    """The posterior of a read-out, and how it was chosen.

    Attributes:
        mean: of the posterior in scaled columns, shape (weights,).
        scale: divisor of each column, shape (weights,).
        ridge: the strength that validated best.
        samples: deviations of the weights, shape (weights, samples), in scaled columns.
        held: errors and error bars of held-out frames, under these samples.
        calibration: size of the samples over that of the bare posterior.
        scan: the ridge strengths tried, with their validation errors.
        sums: normal equations, where they are asked for; of each member.
    """

    mean: Float[np.ndarray, " weights"]
    scale: Float[np.ndarray, " weights"]
    ridge: float
    samples: Float[np.ndarray, "weights samples"]
    held: Sequence[Judged]
    calibration: float
    scan: pd.DataFrame
    sums: tuple[Sums, ...] = ()
