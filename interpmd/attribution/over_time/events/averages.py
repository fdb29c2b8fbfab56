"""Means over events, each with its weight, and their errors by bootstrap over events.

Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 6: events are drawn anew with
replacement; the standard deviation of what comes out is the standard error.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


class Averages:
    """Weighted means over events, and the same over events drawn anew.

    Args:
        weights: of the events, shape (events,).
        draws: how often they are drawn.
        seed: of the drawing.
    """

    def __init__(self, weights: Float[np.ndarray, " events"], draws: int, seed: int) -> None:
        weights = np.asarray(weights, dtype=float)
        self._mean = weights / weights.sum()
        rng = np.random.default_rng(seed)
        count = len(weights)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws) * weights
        # none of the weights is drawn: as good as no draw
        drawn = np.where(drawn.sum(1, keepdims=True) > 0, drawn, weights)
        self._drawn = drawn / drawn.sum(1, keepdims=True)

    def mean(self, values: Float[np.ndarray, "events ..."]) -> np.ndarray:
        """The mean over events."""
        return np.tensordot(self._mean, values, axes=1)

    def drawn(self, values: Float[np.ndarray, "events ..."]) -> np.ndarray:
        """The means over events drawn anew, shape (draws, ...)."""
        return np.tensordot(self._drawn, values, axes=1)

    def error(self, values: Float[np.ndarray, "events ..."]) -> np.ndarray:
        """The standard error of the mean; nan of a single event."""
        return self.spread(self.drawn(values))

    def spread(self, drawn: Float[np.ndarray, "draws ..."]) -> np.ndarray:
        """The standard error of what was reckoned from each draw; nan of a single event."""
        return drawn.std(0, ddof=1) if len(self._mean) > 1 else np.full(drawn.shape[1:], np.nan)
