"""Samples of the read-out that know how wrong the form of the model is.

The posterior of a linear problem says what the data leave open within the form of the model; with
many data it is nearly nothing, however wrong the form. What the form misses shows in single rows:
the smallest change of the weights that makes the model right about row i is

    d_i = H^-1 x_i r_i / h_i,   r_i = y_i - x_i . m,   h_i = x_i . H^-1 x_i   (the leverage)

(Swinburne and Perez, Mach. Learn.: Sci. Technol. 2025, doi:10.1088/2632-2153/ad9fce). All these
pointwise optimal changes together are the ensemble of misfits; a sum of them with random signs is a
sample of it, which needs one pass over the rows and no matrix of all of them. As there, rows of
less than median leverage, which no change of weights could serve, are left out.

A sample of the read-out is one of the posterior, which alone knows of directions without data, and
one of the misfits, of equal size on held-out frames, times one factor. It is chosen so that 95 % of
the held-out energies, and 95 % of their force components, lie within two standard deviations. Of
few frames each is held out once (`interpmd.fitting.left_out`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.fitting.judges import Judged, Judges
from interpmd.fitting.normal import weighted_rows
from interpmd.fitting.soft import softened
from interpmd.fitting.solution import Solution
from interpmd.fitting.targets import Targets
from interpmd.potentials.expansion import ClusterExpansion

#: Frames whose misfits are looked at, and draws of the posterior that measure leverages (their
#: error is 9 %).
MOST_FRAMES, LEVERAGE_DRAWS = 1000, 256

#: Rows that are multiplied together.
ROWS_AT_ONCE = 500

#: Share of held-out labels that lie within two standard deviations.
WITHIN_TWO = 0.95


def misfit_samples(
    term: ClusterExpansion,
    frames: Sequence[Atoms],
    targets: Sequence[Targets],
    scale: Float[np.ndarray, " weights"],
    solution: Solution,
    count: int,
    seed: int,
) -> Float[np.ndarray, "weights samples"]:
    """Sums of pointwise optimal changes of the read-out with random signs, in scaled columns.

    Args:
        term: whose features make the rows; see `normal.quick`.
        frames, targets: what the solution has learned from, in random order; the first
            `MOST_FRAMES` are looked at.
        scale: divisor of each column, shape (weights,).
        solution: posterior of the read-out.
        count: number of samples.
        seed: of the signs.
    """
    rng = np.random.default_rng([seed, 1])
    draws = solution.unit_samples(LEVERAGE_DRAWS, seed)
    total = np.zeros((len(scale), count))
    some = list(zip(frames, targets, strict=True))[:MOST_FRAMES]
    least = _median_leverage(term, some, scale, draws)
    for rows, values in _blocks(term, some, scale):
        missed = values - rows @ solution.mean
        total += rows.T @ pulls(missed, _leverage(rows, draws), least, count, rng)
    return solution.solve(total)


def pulls(
    missed: Float[np.ndarray, " rows"],
    leverage: Float[np.ndarray, " rows"],
    least: float,
    count: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "rows samples"]:
    """Misfits over leverages with random signs; 0 for rows of no more than a least leverage."""
    kept = np.flatnonzero(leverage > least)
    pulled = np.zeros((len(missed), count))
    signs = rng.choice([-1.0, 1.0], size=(len(kept), count))
    pulled[kept] = (missed[kept] / leverage[kept])[:, None] * signs
    return pulled


def median_of(leverage: Float[np.ndarray, " rows"]) -> float:
    """Of the rows that have any; those that vanish by symmetry do not count."""
    return float(np.median(leverage[leverage > 0])) if leverage.any() else 0.0


def _median_leverage(
    term: ClusterExpansion,
    frames: Sequence[tuple[Atoms, Targets]],
    scale: Float[np.ndarray, " weights"],
    draws: Float[np.ndarray, "weights draws"],
    most: int = 50,
) -> float:
    """Of the rows of some frames."""
    found = [_leverage(rows, draws) for rows, _ in _blocks(term, frames[:most], scale)]
    return median_of(np.concatenate([np.zeros(0), *found]))


def _leverage(
    rows: Float[np.ndarray, "rows weights"], draws: Float[np.ndarray, "weights draws"]
) -> Float[np.ndarray, " rows"]:
    return ((rows @ draws.astype(rows.dtype, copy=False)) ** 2).mean(1)


def _blocks(
    term: ClusterExpansion,
    frames: Sequence[tuple[Atoms, Targets]],
    scale: Float[np.ndarray, " weights"],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and targets of some frames at a time: products of few rows are slow."""
    rows: list[np.ndarray] = []
    values: list[np.ndarray] = []
    for atoms, target in frames:
        x, y = softened(atoms, target, *weighted_rows(term, atoms, target, scale))
        rows, values = [*rows, x], [*values, y]
        if sum(map(len, values)) >= ROWS_AT_ONCE:
            yield np.concatenate(rows), np.concatenate(values)
            rows, values = [], []
    if rows:
        yield np.concatenate(rows), np.concatenate(values)


def calibrated(
    samples: Sequence[Float[np.ndarray, "weights samples"]], mean: np.ndarray, judges: Judges
) -> tuple[Float[np.ndarray, "weights samples"], float]:
    """The sum of several kinds of samples, each of equal size on held-out frames, times a factor.

    Args:
        samples: deviations from the mean in scaled columns, of one shape.
        mean: of the posterior, which must not have seen the held-out frames.
        judges: the held-out frames; without any the samples are added as they are.

    Returns:
        Calibrated samples, and their size over that of the first kind.
    """
    if not judges:
        return sum(samples[1:], samples[0]), 1.0
    first = judges.spread(samples[0])
    both = together(samples, sizes_alike(samples, judges))
    if not first or not (judged := list(judges.judged(mean, both))):
        return sum(samples[1:], samples[0]), 1.0
    factor = factor_of(judged)
    return factor * both, factor * judges.spread(both) / first


def sizes_alike(
    samples: Sequence[Float[np.ndarray, "weights samples"]], judges: Judges
) -> Float[np.ndarray, " kinds"]:
    """Factors that make all kinds of samples as large as the first on held-out frames."""
    sizes = np.array([judges.spread(kind) for kind in samples])
    return np.divide(sizes[0], sizes, out=np.zeros_like(sizes), where=sizes > 0)


def together(
    samples: Sequence[Float[np.ndarray, "weights samples"]], factors: Sequence[float]
) -> Float[np.ndarray, "weights samples"]:
    """Sums of one sample of each kind, times factors."""
    both = np.zeros_like(samples[0])
    for kind, factor in zip(samples, factors, strict=True):
        both += factor * kind
    return both


def factor_of(judged: Sequence[Judged]) -> float:
    """The factor by which error bars of held-out frames hold 95 % of their energies, and of their
    force components, within two."""
    ratios = [np.concatenate(each) for each in zip(*(f.ratios() for f in judged), strict=True)]
    return max(float(np.quantile(each, WITHIN_TWO)) / 2 for each in ratios if len(each))
