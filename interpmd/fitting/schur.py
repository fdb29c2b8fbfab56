"""More weights than one matrix holds: some of them eliminated, the others by conjugate gradients.

With the weights in two parts, of rows X = (A B), the second part w solves the equations that are
left when the first is eliminated (its Schur complement; Golub and Van Loan, Matrix Computations,
4.2 and 11.5),

    (B^T Q B + P) w = B^T Q y,   Q = 1 - A (A^T A + P)^-1 A^T,   v = (A^T A + P)^-1 A^T (y - B w)

with the prior P. Random channels are alike: what the first part says of the rows, the second nearly
repeats, so that Q B is little more than the prior in every direction, and conjugate gradients end
after fifty to a hundred steps (random features as their own preconditioner; compare Rudi,
Carratino, Rosasco, NIPS 30 (2017)). The rows are kept in single precision, and the matrix is that
of the first part alone: 30,000 weights of 20,000 labels take 3 GiB.

Rows held out join at the end by Woodbury's formula (`interpmd.fitting.solution`). Samples are those
of the first part with the second as it is: they are sized on the frames held out, as all are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.linalg
import torch
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from interpmd.errors import SingularError
from interpmd.fitting.channels import columns_of_every, every, first_channels
from interpmd.fitting.checkpoint import Checkpoint, uninterrupted
from interpmd.fitting.divided import Divided
from interpmd.fitting.judges import Judges
from interpmd.fitting.normal import GIB, quick
from interpmd.fitting.posterior import (
    LEVERAGE_DRAWS,
    MOST_FRAMES,
    calibrated,
    median_of,
    pulls,
)
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.fitting.single import SingleRows
from interpmd.fitting.solved import Solved
from interpmd.fitting.spec import MOST
from interpmd.fitting.strengths import FIRST_RIDGE, RIDGES, first_of_the_good, scanned
from interpmd.fitting.threads import one_thread_each
from interpmd.fitting.tiles import Tiles

#: Parts of equal size, of which the first is eliminated.
PARTS = 3

#: Fewest weights that are solved in this way: up to so many have one matrix.
FEWEST = MOST + 1

#: Conjugate gradients end where so many steps lower the sum of squares, the prior's included, by
#: less than these parts: to see how good the fit is, and for good. A fit that ends after most steps
#: has a slightly stronger prior.
STEPS, GLANCE, DONE, MOST_STEPS = 5, 0.1, 1e-3, 300

#: Rows that are added to the matrix at once.
ROWS = 1_600

Vector = Float[np.ndarray, " numbers"]


class Schur(Divided):
    """The solution of many weights, of which one part has a matrix; see `Divided`."""

    @cached_property
    def columns(self) -> list[Int[np.ndarray, " some"]]:
        """Those of each part among the columns of all."""
        return [columns_of_every(self.problem.term, k, PARTS) for k in range(PARTS)]

    @cached_property
    def where(self) -> list[slice]:
        """Where they stand in the rows, part after part."""
        ends = [0, *np.cumsum([len(c) for c in self.columns]).tolist()]
        return [slice(a, b) for a, b in itertools.pairwise(ends)]

    @property
    def first(self) -> slice:
        """Those that are eliminated."""
        return self.where[0]

    @property
    def others(self) -> slice:
        """Those that are left."""
        return slice(self.first.stop, self.where[-1].stop)

    @staticmethod
    def memory_of(weights: int, rows: int, held: int) -> float:
        """Bytes that it needs, of so many weights and rows, and of rows held out among them."""
        first = -(-weights // PARTS)
        scan = 2 * 8 * (first // 2) ** 2
        joining = 2 * 8 * held * first
        return 4.0 * rows * weights + Tiles.bytes_of(first) + max(scan, joining)

    def fits(self) -> bool:
        """Whether this fit is one of those that it serves, in the memory of the fit: of fewer rows
        the matrix is small (`interpmd.fitting.joint`)."""
        term, rows = self.problem.term, len(self.values)
        weights, fewest = len(term.columns), int(term.channels_of.min())
        many = weights >= FEWEST and fewest >= PARTS and self.size >= weights / 2
        needed = self.memory_of(weights, rows, rows - self.size)
        return self.usual and many and needed <= self.problem.settings.memory * GIB

    def solve(
        self,
        *,
        ridge: float | None = None,
        out: str | Path | None = None,
        progress: bool = False,
        watch: Watch | None = None,
    ) -> Solved:
        """As `Problem.solve`."""
        count, size = self.problem.spec.samples, self.size
        rng = np.random.default_rng(self.problem.term.seed)
        scale = self.scale_of(PARTS)
        self.rows = SingleRows(len(self.values), len(scale))
        matrix = self._accumulate(scale, out, progress, watch)
        judges = self._judges()
        scan = self._scan(matrix, judges, ridge, progress, watch)
        strength = float(first_of_the_good(scan).ridge)
        scan.attrs |= {"ridge": strength, "least_rows": 0.0}
        diagonal = strength * self.labels
        matrix.factorise(diagonal)
        inverse = _Inverse(matrix)
        known = self.values[:size]
        mean = self._mean(inverse, known, diagonal, GLANCE, progress)
        missed = known - self.rows.times(mean, slice(0, len(mean)), size)
        variance = float(missed @ missed) / self.labels
        if watch is not None and judges:
            told = strength, judges.error(mean), judges.evaluation(mean)
            watch(FitProgress("ridge", len(scan), len(scan), *told))
        kinds = tuple(
            np.concatenate([kind, np.zeros((len(mean) - len(kind), count))])
            for kind in self._kinds(matrix, missed, variance, count, rng)
        )
        samples, larger = calibrated(kinds, mean, judges)
        held = list(judges.judged(mean, samples)) if judges else []
        if self.joins and judges:
            del judges
            inverse = inverse.knowing(self.rows.values[size:, self.first])
            known = self.values
        mean = self._mean(inverse, known, diagonal, DONE, progress, mean)
        order = np.argsort(np.concatenate(self.columns))
        return Solved(mean[order], scale, strength, samples[order], held, larger, scan)

    def _accumulate(
        self, scale: Vector, out: str | Path | None, progress: bool, watch: Watch | None
    ) -> Tiles:
        """Make all rows; the matrix of the first part of those that are learned."""
        matrix, done = Tiles(len(self.columns[0])), 0
        checkpoint = None
        if out is not None:
            key = f"{self.problem.key(self.frames)} {self.members} {len(self.learned)} {PARTS}"
            checkpoint = Checkpoint(out, "parts", key)
            if (stored := checkpoint.read([*matrix.state(), "done"])) is not None:
                matrix.restore(stored)
                done = int(stored["done"])
        parts = [quick(every(self.problem.term, k, PARTS)) for k in range(PARTS)]
        scales = [scale[columns] for columns in self.columns]

        def make(frame: int) -> None:
            for where, part, divisors in zip(self.where, parts, scales, strict=True):
                self.rows.values[self.places[frame], where] = self.rows_of(frame, part, divisors)

        make(0)  # what threads share is made
        first, total, start = self.rows.values[:, self.first], len(self.frames), 0
        threads = torch.get_num_threads()
        bar = tqdm(total=total, desc="frames", unit="frame", disable=not progress)
        try:
            with bar, ThreadPoolExecutor(threads) as pool:
                while start < total:
                    begin = self.places[start].start
                    stop = min(int(np.searchsorted(self.ends, begin + ROWS)) + 1, total)
                    with one_thread_each():
                        list(pool.map(make, range(start, stop)))
                    new = slice(begin, min(self.places[stop - 1].stop, self.size))
                    with uninterrupted():
                        if new.start >= done and new.start < new.stop:
                            matrix.add(np.ascontiguousarray(first[new].T, dtype=float))
                            done = new.stop
                    bar.update(stop - start)
                    start = stop
                    if checkpoint is not None and checkpoint.due:
                        checkpoint.write(**matrix.state(), done=done)
                    if watch is not None:
                        watch(FitProgress("frames", start, total))
        except KeyboardInterrupt:
            if checkpoint is not None:
                checkpoint.write(**matrix.state(), done=done)
            raise
        return matrix

    def _scan(
        self,
        matrix: Tiles,
        judges: Judges,
        ridge: float | None,
        progress: bool,
        watch: Watch | None,
    ) -> pd.DataFrame:
        """Ridge strengths, tried by half of the channels of the first part."""
        if ridge is not None or not judges:
            only = FIRST_RIDGE if ridge is None else ridge
            return pd.DataFrame([{"ridge": only, "validation_error": np.nan}])
        some = first_channels(every(self.problem.term, 0, PARTS), 0.5)
        half = matrix.of(some)
        right = self.rows.back(self.values[: self.size], self.first)[some]
        across = self.rows.values[self.size :, some]

        def judge(strength: float) -> tuple[float, None]:
            shifted = half.copy(order="F")
            shifted[np.diag_indices_from(shifted)] += strength * self.labels
            factor, info = scipy.linalg.lapack.dpotrf(shifted, lower=1, overwrite_a=1)
            if info:
                raise SingularError("the normal equations are singular; use a stronger ridge")
            weights = scipy.linalg.cho_solve((factor, True), right, check_finite=False)
            missed = across @ weights.astype(np.float32) - self.values[self.size :]
            return float(np.sqrt(np.mean(missed**2))), None

        return scanned(judge, sorted(RIDGES, reverse=True), progress, watch)

    def _mean(
        self,
        inverse: _Inverse,
        values: Vector,
        diagonal: float,
        tolerance: float,
        progress: bool,
        start: Vector | None = None,
    ) -> Vector:
        """Weights of all parts, one part after the other, from those of an earlier solution."""
        first, others, rows = self.first, self.others, len(values)

        def left_over(vector: Vector) -> Vector:
            explained = inverse(self.rows.back(vector, first))
            return vector - self.rows.times(explained, first, rows)

        def complement(weights: Vector) -> Vector:
            left = left_over(self.rows.times(weights, others, rows))
            return self.rows.back(left, others) + diagonal * weights

        given = left_over(values)
        with tqdm(desc="solution", unit="step", disable=not progress) as bar:
            weights = conjugate_gradients(
                complement,
                self.rows.back(given, others),
                float(values @ given),
                tolerance,
                None if start is None else start[others],
                bar.update,
            )
        left = values - self.rows.times(weights, others, rows)
        eliminated = inverse(self.rows.back(left, first))
        return np.concatenate([eliminated, weights])

    def _kinds(
        self,
        factor: Tiles,
        missed: Vector,
        variance: float,
        count: int,
        rng: np.random.Generator,
    ) -> tuple[Float[np.ndarray, "first samples"], Float[np.ndarray, "first samples"]]:
        """Samples of the posterior, and of misfits; see `interpmd.fitting.posterior`."""
        posterior = np.sqrt(variance) * factor.backward(rng.normal(size=(factor.size, count)))
        some = int(self.ends[min(MOST_FRAMES, len(self.learned)) - 1])
        rows = self.rows.values[:some, self.first]
        draws = factor.backward(rng.normal(size=(factor.size, LEVERAGE_DRAWS)))
        leverage = ((rows @ draws.astype(np.float32)) ** 2).mean(1).astype(float)
        del draws
        pulled = pulls(missed[:some], leverage, median_of(leverage), count, rng)
        columns = np.ascontiguousarray(pulled.T)
        total = np.stack([self.rows.back(each, self.first) for each in columns], axis=1)
        return posterior, factor.backward(factor.forward(total))

    def _judges(self) -> Judges:
        """The frames held out; read-outs are those of the parts, one after the other."""
        held = slice(self.size, None)
        rows = self.rows.values[held], self.values[held]
        ends = self.ends[len(self.learned) :] - self.size
        return Judges.of_array(self.judging, self.targets[len(self.learned) :], *rows, ends)


def conjugate_gradients(
    matrix: Callable[[Vector], Vector],
    right: Vector,
    square: float,
    tolerance: float,
    start: Vector | None = None,
    tell: Callable[[], object] = lambda: None,
) -> Vector:
    """The least sum of squares w S w - 2 b w + c (Golub and Van Loan, algorithm 11.3.3).

    Args:
        matrix: w to S w. right: b. square: c.
        tolerance: see `STEPS`.
        start: where to begin. tell: called at each step.
    """
    weights = np.zeros_like(right) if start is None else start.copy()
    residual = right if start is None else right - matrix(weights)
    direction, size = residual.copy(), float(residual @ residual)
    squares = [square - float(weights @ (right + residual))]
    for _ in range(MOST_STEPS):
        if not size:
            break
        product = matrix(direction)
        step = size / float(direction @ product)
        weights += step * direction
        residual = residual - step * product
        before, size = size, float(residual @ residual)
        tell()
        squares.append(square - float(weights @ (right + residual)))
        earlier = squares[max(0, len(squares) - 1 - STEPS)]
        if len(squares) > STEPS and earlier - squares[-1] <= tolerance * squares[-1]:
            break
        direction = residual + size / before * direction
    return weights


class _Inverse:
    """The inverse of the first part's precision, perhaps with some more rows.

    Args:
        factor: of the matrix without them.
    """

    def __init__(self, factor: Tiles) -> None:
        self.factor = factor
        self.halves: Float[np.ndarray, "size rows"] = np.zeros((factor.size, 0))
        self.inner: Float[np.ndarray, "rows rows"] = np.zeros((0, 0))

    def knowing(self, rows: Float[np.ndarray, "rows size"]) -> _Inverse:
        """The same with some rows."""
        other = _Inverse(self.factor)
        other.halves = self.factor.forward(np.ascontiguousarray(rows.T, dtype=float))
        inner = other.halves.T @ other.halves
        inner[np.diag_indices_from(inner)] += 1.0
        other.inner = scipy.linalg.cholesky(inner, lower=True, check_finite=False)
        return other

    def __call__(self, vector: Vector) -> Vector:
        half = self.factor.forward(vector[:, None])[:, 0]
        if len(self.inner):
            known = self.halves.T @ half
            half -= self.halves @ scipy.linalg.cho_solve((self.inner, True), known)
        return self.factor.backward(half[:, None])[:, 0]
