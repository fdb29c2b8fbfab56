"""More weights than one matrix of normal equations holds, solved together through the labels.

The mean of the posterior of w for rows X (labels in them, weights in their columns) is

    w = P^-1 X^T (X P^-1 X^T + 1)^-1 y

(Rasmussen and Williams, Gaussian Processes for Machine Learning, equation 2.12): a matrix of
as many rows as there are labels, to which the columns of some channels after the others are added.
So the number of weights costs time and no memory. It is the solution of one matrix of all weights.

The rows held out are the last ones. As the factor of the leading part of a matrix is the leading
part of its factor, one factorisation tells what was learned without them and with them. In
coordinates t = L^-1 y of the rows learned, what is predicted for those held out is L_21 t, whatever
the number of weights: `Judges` sees such rows in the place of those of weights.

Samples of the posterior come from samples w0 of the prior and e of the noise,

    w0 - P^-1 X^T (X P^-1 X^T + 1)^-1 (X w0 + e)

(Wilson et al., J. Mach. Learn. Res. 22, 105 (2021), equation 11), those of misfits from the same
matrix, as H^-1 X^T = P^-1 X^T (X P^-1 X^T + 1)^-1; see `interpmd.fitting.posterior`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.linalg
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd.errors import SingularError
from interpmd.fitting.channels import columns_of_every, every
from interpmd.fitting.checkpoint import Checkpoint, uninterrupted
from interpmd.fitting.divided import Divided
from interpmd.fitting.judges import Judges
from interpmd.fitting.normal import GIB, quick
from interpmd.fitting.posterior import LEVERAGE_DRAWS, MOST_FRAMES, calibrated
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.fitting.solved import Solved
from interpmd.fitting.strengths import FIRST_RIDGE, RIDGES, first_of_the_good, scanned
from interpmd.fitting.tiles import Tiles

#: Columns whose rows are held at once.
COLUMNS = 2_000

#: Rows of the frames by which ridge strengths are tried first.
FEW_ROWS = 8_000


class Joint(Divided):
    """The solution of many weights through the matrix of their rows; see `Divided`."""

    @cached_property
    def units(self) -> int:
        """In how many parts the columns are taken."""
        term = self.problem.term
        return max(1, min(-(-len(term.columns) // COLUMNS), int(term.channels_of.min())))

    def fits(self) -> bool:
        """Whether the matrix of rows goes into the memory of the fit, and this fit is one of those
        that it serves."""
        needed = Tiles.bytes_of(len(self.values)) + 2.5 * 8 * len(self.values) * COLUMNS
        return self.usual and needed <= self.problem.settings.memory * GIB

    def solve(
        self,
        *,
        ridge: float | None = None,
        out: str | Path | None = None,
        progress: bool = False,
        watch: Watch | None = None,
    ) -> Solved:
        """As `Problem.solve`."""
        count, seed = self.problem.spec.samples, self.problem.term.seed
        rng = np.random.default_rng(seed)
        self.scale = self.scale_of(self.units)
        prior = rng.normal(size=(len(self.scale), count))
        matrix, drawn = self._accumulate(prior, out, progress, watch)
        scan = self._scan(matrix, ridge, progress, watch)
        strength = float(first_of_the_good(scan).ridge)
        scan.attrs |= {"ridge": strength, "least_rows": 0.0}
        size, diagonal = self.size, strength * self.labels
        factor = matrix
        factor.factorise(diagonal)
        mean = _masked(factor.forward(self.values[:, None]), size)
        weights = factor.backward(mean)
        missed = diagonal * weights[:size, 0]
        variance = float(missed @ missed) / self.labels
        judges = self._judges(factor, drawn[size:] / np.sqrt(diagonal))
        where = np.concatenate([mean[:size, 0], np.zeros(count)])
        if watch is not None and judges:
            told = strength, judges.error(where), judges.evaluation(where)
            watch(FitProgress("ridge", len(scan), len(scan), *told))
        # samples in coordinates (t, samples of the prior)
        noise = drawn / np.sqrt(diagonal) + rng.normal(size=drawn.shape)
        posterior = -_masked(factor.forward(noise), size)[:size]
        pulls = self._pulls(factor, missed, diagonal, count, rng)
        misfits = _masked(factor.forward(pulls), size)[:size]
        kinds = (
            np.sqrt(variance) * np.concatenate([posterior, np.eye(count)]),
            np.concatenate([misfits, np.zeros((count, count))]),
        )
        samples, larger = calibrated(kinds, where, judges)
        held = list(judges.judged(where, samples)) if judges else []
        if self.joins and judges:
            weights = factor.backward(factor.forward(self.values[:, None]))
        changes = np.zeros(drawn.shape)
        changes[:size] = samples[:size]
        changes = factor.backward(changes)
        del factor, matrix
        both = np.concatenate([weights, changes], axis=1)
        found = prior @ samples[size:] / np.sqrt(diagonal)
        solution = np.zeros(len(self.scale))
        for columns, rows in self._units(progress, "weights"):
            each = rows.T @ both
            solution[columns] = each[:, 0]
            found[columns] += each[:, 1:]
        return Solved(solution, self.scale, strength, found, held, larger, scan)

    def _units(self, progress: bool, name: str, done: int = 0) -> Iterator[tuple[np.ndarray, ...]]:
        """Columns of some channels after the others, and their rows, shape (rows, columns)."""
        with tqdm(
            total=self.units, initial=done, desc=name, unit="part", disable=not progress
        ) as bar:
            for unit in range(done, self.units):
                columns = columns_of_every(self.problem.term, unit, self.units)
                part = quick(every(self.problem.term, unit, self.units))
                rows = np.zeros((len(self.values), len(columns)))
                for k, some in enumerate(self.places):
                    rows[some] = self.rows_of(k, part, self.scale[columns])
                yield columns, rows
                bar.update()

    def _accumulate(
        self,
        prior: Float[np.ndarray, "weights samples"],
        out: str | Path | None,
        progress: bool,
        watch: Watch | None,
    ) -> tuple[Tiles, Float[np.ndarray, "rows samples"]]:
        """X P^-1 X^T for a ridge of one label, and X w0 for samples of the prior."""
        matrix, done = Tiles(len(self.values)), 0
        drawn = np.zeros((len(self.values), prior.shape[1]))
        checkpoint = None
        if out is not None:
            key = f"{self.problem.key(self.frames)} {self.members} {len(self.learned)} {self.units}"
            checkpoint = Checkpoint(out, "rows", key)
            if (stored := checkpoint.read([*matrix.state(), "drawn", "done"])) is not None:
                matrix.restore(stored)
                drawn, done = stored["drawn"], int(stored["done"])

        def keep() -> None:
            if checkpoint is not None:
                checkpoint.write(**matrix.state(), drawn=drawn, done=done)

        try:
            for columns, some in self._units(progress, "rows", done):
                with uninterrupted():
                    matrix.add(some)
                    drawn += some @ prior[columns]
                    done += 1
                if checkpoint is not None and checkpoint.due:
                    keep()
                if watch is not None:
                    total = len(self.learned)
                    watch(FitProgress("frames", total * done // self.units, total))
        except KeyboardInterrupt:
            keep()
            raise
        return matrix, drawn

    def _scan(
        self, matrix: Tiles, ridge: float | None, progress: bool, watch: Watch | None
    ) -> pd.DataFrame:
        """Ridge strengths from strong to weak, until validation stops improving.

        They are tried on some of the frames first. The more labels there are, the weaker is the
        best one: where memory holds the matrix twice, it is sought with all of them from there.
        """
        if ridge is not None or not self.judging:
            only = FIRST_RIDGE if ridge is None else ridge
            return pd.DataFrame([{"ridge": only, "validation_error": np.nan}])
        few = int(np.searchsorted(self.ends[: len(self.learned)], FEW_ROWS, side="right"))
        rows = int(self.ends[max(few, 1) - 1])
        part = slice(0, rows)
        across, labels = matrix.part(slice(self.size, None), part), self.labels * rows / self.size

        def judge_few(strength: float) -> tuple[float, None]:
            shifted = matrix.part(part, part)
            shifted[np.diag_indices(rows)] += strength * labels
            factor, info = scipy.linalg.lapack.dpotrf(shifted, lower=1, overwrite_a=1)
            if info:
                raise SingularError("the matrix of rows is singular; use a stronger ridge")
            weights = scipy.linalg.cho_solve((factor, True), self.values[part], check_finite=False)
            return _rms(across @ weights - self.values[self.size :]), None

        def judge_all(strength: float) -> tuple[float, None]:
            factor = matrix.copy()
            factor.factorise(strength * self.labels)
            mean = _masked(factor.forward(self.values[:, None]), self.size)
            return _rms(factor.times(mean)[self.size :, 0] - self.values[self.size :]), None

        scan = scanned(judge_few, sorted(RIDGES, reverse=True), progress, watch)
        twice = 2 * Tiles.bytes_of(len(self.values)) <= self.problem.settings.memory * GIB
        if not twice or rows == self.size:
            return scan
        best = float(first_of_the_good(scan).ridge)
        weaker = sorted((r for r in RIDGES if r <= best), reverse=True)
        return scanned(judge_all, weaker, progress, watch)

    def _pulls(
        self,
        factor: Tiles,
        missed: Float[np.ndarray, " rows"],
        diagonal: float,
        count: int,
        rng: np.random.Generator,
    ) -> Float[np.ndarray, "rows samples"]:
        """Misfits over leverages with random signs; see `interpmd.fitting.posterior`."""
        some = int(self.ends[min(MOST_FRAMES, len(self.learned)) - 1])
        draws = np.zeros((len(self.values), LEVERAGE_DRAWS))
        draws[: self.size] = rng.normal(size=(self.size, LEVERAGE_DRAWS))
        left = diagonal * (factor.backward(draws)[: self.size] ** 2).mean(1)
        leverage = np.maximum(1.0 - left, 1e-6)
        kept = np.flatnonzero(leverage[:some] > np.median(leverage[:some]))
        signs = rng.choice([-1.0, 1.0], size=(len(kept), count))
        pulls = np.zeros((len(self.values), count))
        pulls[kept] = (missed[kept] / leverage[kept])[:, None] * signs
        return pulls

    def _judges(self, factor: Tiles, drawn: Float[np.ndarray, "held samples"]) -> Judges:
        """The frames held out, in coordinates t and samples of the prior."""
        known = factor.part(slice(self.size, None), slice(0, self.size))
        rows = np.concatenate([known, drawn], axis=1, dtype=np.float32)
        values = self.values[self.size :]
        ends = self.ends[len(self.learned) :] - self.size
        parts = zip(np.split(rows, ends[:-1]), np.split(values, ends[:-1]), strict=True)
        targets = self.targets[len(self.learned) :]
        return Judges.knowing(self.judging, targets, parts if self.judging else ())


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _masked(vectors: np.ndarray, size: int) -> np.ndarray:
    """The vectors with zeros from some row on."""
    vectors[size:] = 0.0
    return vectors
