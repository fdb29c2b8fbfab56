"""Statistics that a few wrong values do not move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def deviation(values: np.ndarray) -> float:
    """Standard deviation about zero, from the median of the absolute values."""
    return float(1.4826 * np.median(np.abs(values))) if values.size else 0.0


@dataclass(frozen=True)
class Slope:
    """The factor k in y = k x.

    Attributes:
        value: the factor. error: its standard error, infinite where x says nothing.
        left: what is left of y, relative to y (robust deviations); 1 where x says nothing.
        count: values that it is of.
    """

    value: float
    error: float
    left: float
    count: int

    def known(self, within: float = 0.25) -> bool:
        """Whether the factor is known to this part of itself, or of one where that is larger."""
        return self.error < within * max(abs(self.value), 1e-300)


def slope(x: np.ndarray, y: np.ndarray, independent: float | None = None) -> Slope:
    """Slope through the origin by iterated weights (Tukey's biweight).

    Args:
        x, y: shape (values,).
        independent: how many of the values are independent; all if None.
    """
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    # values that are zero by symmetry say nothing
    said = (np.abs(x) > 1e-9 * np.abs(x).max(initial=0)) | (
        np.abs(y) > 1e-9 * np.abs(y).max(initial=0)
    )
    x, y = x[said], y[said]
    count = int(min(len(x), independent if independent is not None else len(x)))
    if count < 2 or not np.any(x):
        return Slope(np.nan, np.inf, 1.0, count)
    # start from the weighted median of the ratios, which half of the values may spoil
    moved = np.abs(x) > 1e-12 * np.abs(x).max()
    ratio, weight = y[moved] / x[moved], np.abs(x[moved])
    order = np.argsort(ratio)
    value = ratio[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)]
    kept = np.ones(len(x))
    for _ in range(30):
        left = y - value * x
        scale = max(deviation(left), 1e-12 * np.abs(y).max(), 1e-300)
        kept = np.clip(1 - (left / (6 * scale)) ** 2, 0, None) ** 2
        if not (kept * x * x).sum():
            break
        value = (kept * x * y).sum() / (kept * x * x).sum()
    left = y - value * x
    information = (kept * x * x).sum() * count / len(x)
    spread = np.sqrt((kept * left**2).sum() / max(kept.sum(), 1e-300))
    error = spread / np.sqrt(max(information, 1e-300))
    return Slope(float(value), float(error), deviation(left) / max(deviation(y), 1e-300), count)
