"""Error bars of means over time: values that follow each other are not independent."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def correlation_length(values: Float[np.ndarray, " frames"]) -> float:
    """Frames after which a series forgets: twice the integrated autocorrelation time, 1 or more.

    The sum of the autocorrelation ends where it first falls below zero (initial positive sequence;
    Geyer, Statist. Sci. 7, 473, 1992).
    """
    centred = np.asarray(values, dtype=float) - np.mean(values)
    variance = float(centred @ centred)
    if variance <= 0:
        return 1.0
    size = len(centred)
    spectrum = np.abs(np.fft.rfft(centred, 2 * size)) ** 2
    correlation = np.fft.irfft(spectrum)[:size] / variance
    below = np.flatnonzero(correlation <= 0)
    end = int(below[0]) if len(below) else size
    return float(max(1.0, 1.0 + 2.0 * correlation[1:end].sum()))


def drawn_blocks(
    frames: int, length: int, draws: int, seed: int
) -> Int[np.ndarray, "draws frames"]:
    """Frames of a moving-block bootstrap (Künsch, Ann. Statist. 17, 1217, 1989).

    Args:
        frames: how many there are.
        length: of each block.
        draws: how many times.
        seed: of the random numbers.
    """
    length = max(1, min(length, frames))
    blocks = -(-frames // length)
    starts = np.random.default_rng(seed).integers(0, frames - length + 1, (draws, blocks))
    chosen = starts[:, :, None] + np.arange(length)
    return chosen.reshape(draws, -1)[:, :frames]
