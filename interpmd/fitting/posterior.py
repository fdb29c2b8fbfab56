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
the held-out energies, and 95 % of their force components, lie within two standard deviations; where
few frames judge in turns, 95 % of both together.
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
        leverage = _leverage(rows, draws)
        missed = values - rows @ solution.mean
        kept = leverage > least
        signs = rng.choice([-1.0, 1.0], size=(int(kept.sum()), count))
        total += rows[kept].T @ ((missed[kept] / leverage[kept])[:, None] * signs)
    return solution.solve(total)


def _median_leverage(
    term: ClusterExpansion,
    frames: Sequence[tuple[Atoms, Targets]],
    scale: Float[np.ndarray, " weights"],
    draws: Float[np.ndarray, "weights draws"],
    most: int = 50,
) -> float:
    """Of the rows of some frames that have any; rows that vanish by symmetry do not count."""
    found = [_leverage(rows, draws) for rows, _ in _blocks(term, frames[:most], scale)]
    leverage = np.concatenate(found) if found else np.zeros(0)
    return float(np.median(leverage[leverage > 0])) if leverage.any() else 0.0


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


def even_factor(judged: Sequence[Judged]) -> float:
    """The factor by which error bars of held-out frames hold 95 % of their labels within two.

    Energies together count as much as force components together. What holds 95 % of the worse of
    both (`factor_of`) is, of some dozen energies, the larger of two chances, and holds too many.
    """
    ratios = (np.concatenate(each) for each in zip(*(f.ratios() for f in judged), strict=True))
    known = [each for each in ratios if len(each)]
    both, shares = np.concatenate(known), np.repeat([1 / len(e) for e in known], [*map(len, known)])
    order = np.argsort(both)
    held = np.cumsum(shares[order]) / len(known)
    return float(both[order][np.searchsorted(held, WITHIN_TWO).clip(max=len(both) - 1)]) / 2
