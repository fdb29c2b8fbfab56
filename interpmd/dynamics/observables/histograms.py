"""Free energies from weighted counts, and their error bars by blocks.

Umbrella sampling: Torrie and Valleau, J. Comput. Phys. 23, 187 (1977). The weights of frames of
several biased runs are those of the multistate Bennett acceptance ratio (Shirts and Chodera, J.
Chem. Phys. 129, 124105, 2008, eq. 11 and 13), found as the minimum of a convex function (eq. C9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import units
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import logsumexp

from interpmd.dynamics.observables.blocks import drawn_blocks


@dataclass(frozen=True)
class Surface:
    """Free energies of bins.

    Attributes:
        energies: eV, 0 in the bin that weighs most; NaN in bins that no frame visits.
        stds: standard deviations in eV of the difference from that bin; NaN where too few draws
            visit a bin to tell.
        counts: values in each bin, not weighted.
    """

    energies: Float[np.ndarray, " bins"]
    stds: Float[np.ndarray, " bins"]
    counts: Int[np.ndarray, " bins"]


def surface(
    places: Int[np.ndarray, "frames copies"],
    bins: int,
    temperature: float,
    lengths: Sequence[int],
    memories: Sequence[float],
    biases: Float[np.ndarray, "runs frames"] | None,
    draws: int,
    seed: int,
) -> Surface:
    """Free energies of bins from one run or several.

    Args:
        places: bin of each value, `bins` where it lies in none; several for a frame whose copies
            count alike, as the beads of a path integral.
        bins: how many there are.
        temperature: K.
        lengths: frames of each run, one after the other.
        memories: frames after which each forgets; blocks are twice as long.
        biases: eV; the bias of each run in all frames. None if there is none.
        draws: of the bootstrap over blocks of each run. seed: of it.
    """
    kt = units.kB * temperature
    reduced = None if biases is None else biases / kt
    guess = np.zeros(len(lengths))
    if reduced is not None and len(lengths) > 1:
        guess = offsets(reduced, lengths)

    def counted(chosen: np.ndarray, places: np.ndarray = places) -> np.ndarray:
        flat = places[chosen]
        if reduced is None:
            weights = np.ones(len(chosen))
        else:
            some = reduced[:, chosen]
            start = guess if len(lengths) == 1 else offsets(some, lengths, guess)
            logs = log_weights(some, lengths, start)
            weights = np.exp(logs - logs.max())
        each = np.repeat(weights, flat.shape[1])
        return np.bincount(flat.ravel(), each, minlength=bins + 1)[:bins]

    whole = counted(np.arange(sum(lengths)))
    lowest = int(whole.argmax())
    starts = np.cumsum([0, *lengths])
    blocks = [
        start + drawn_blocks(length, round(2 * memory), draws, seed + number)
        for number, (start, length, memory) in enumerate(
            zip(starts, lengths, memories, strict=False)
        )
    ]
    drawn = np.stack([counted(one) for one in np.concatenate(blocks, axis=1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        energies = -kt * np.log(whole / whole[lowest])
        spread = -kt * np.log(drawn / drawn[:, [lowest]])
    energies = np.where(whole > 0, energies, np.nan)
    spread = np.where(np.isfinite(spread), spread, np.nan)
    enough = np.isfinite(spread).mean(0) > 0.5
    stds = np.full(bins, np.nan)
    stds[enough] = np.nanstd(spread[:, enough], axis=0)
    counts = np.bincount(places.ravel(), minlength=bins + 1)[:bins]
    return Surface(energies, stds, counts)


def offsets(
    reduced: Float[np.ndarray, "runs frames"],
    lengths: Sequence[int],
    start: Float[np.ndarray, " runs"] | None = None,
) -> Float[np.ndarray, " runs"]:
    """Reduced free energies of biased runs, 0 for the first one.

    Args:
        reduced: bias of each run in all frames, over kT.
        lengths: frames of each run.
        start: a guess.
    """
    sizes = np.asarray(lengths, dtype=float)
    logs = np.log(sizes)[:, None]
    total = sizes.sum()

    def value(free: np.ndarray) -> tuple[float, np.ndarray]:
        free = np.concatenate([[0.0], free])
        terms = logs + free[:, None] - reduced
        below = logsumexp(terms, axis=0)
        slope = np.exp(terms - below).sum(1) - sizes
        return float(below.sum() - sizes @ free) / total, slope[1:] / total

    guess = np.zeros(len(sizes) - 1) if start is None else np.asarray(start)[1:]
    found = minimize(value, guess, jac=True, method="BFGS", options={"gtol": 1e-9})
    return np.concatenate([[0.0], found.x])


def log_weights(
    reduced: Float[np.ndarray, "runs frames"],
    lengths: Sequence[int],
    free: Float[np.ndarray, " runs"],
) -> Float[np.ndarray, " frames"]:
    """Logarithms of the weights that frames of biased runs have without the bias."""
    sizes = np.log(np.asarray(lengths, dtype=float))
    return -logsumexp((sizes + free)[:, None] - reduced, axis=0)
