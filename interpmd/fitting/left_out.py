"""Each of a few frames sizes the error bars by a fit that lacks it alone, in closed form.

With the rows X of a frame that a fit has learned, what they miss, r = y - X m, and V = X H^-1 X^T
(mean m and precision H of all frames), the fit without the frame, of the same prior, misses

    e = (1 - V)^-1 r,   and the covariance of its predictions is   (1 - V)^-1 V

in place of V (Allen, Technometrics 16, 125 (1974); Woodbury, as in `interpmd.fitting.solution`). So
a sample s of the posterior of all frames says there (1 - V)^-1/2 X s, and a change d of the weights
that other frames pull them to (`interpmd.fitting.posterior`) says (1 - V)^-1 X d. What is judged is
the solution itself but for one frame, with its own bars, for one triangular solution a row; a fit
to three quarters has larger errors and bars, of which it is not known how they shrink.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd.fitting.judges import Judged, Judges
from interpmd.fitting.normal import weighted_rows
from interpmd.fitting.posterior import (
    ROWS_AT_ONCE,
    calibrated,
    median_of,
    pulls,
)
from interpmd.fitting.soft import hardened, softened
from interpmd.fitting.solution import Solution
from interpmd.fitting.targets import Targets
from interpmd.potentials.expansion import ClusterExpansion

#: Least eigenvalue of 1 - V: less is rounding.
LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Frames that were learned, and what the fit without each of them would say of it.

    Attributes:
        frames: labelled. targets: what is left of their labels for the expansion.
        rows: of each frame, as they were learned, and their targets.
    """

    frames: Sequence[Atoms]
    targets: Sequence[Targets]
    rows: Sequence[tuple[Float[np.ndarray, "rows weights"], Float[np.ndarray, " rows"]]]

    @classmethod
    def of(
        cls,
        term: ClusterExpansion,
        scale: Float[np.ndarray, " weights"],
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
    ) -> LeftOut:
        """Some frames, whose rows are made of the features of a term, its columns divided."""
        rows = []
        for atoms, target in zip(frames, targets, strict=True):
            made, values = weighted_rows(term, atoms, target, scale)
            rows.append(softened(atoms, target, made.astype(float, copy=False), values))
        return cls(frames, targets, rows)

    def calibrated(
        self, solution: Solution, count: int, seed: int, progress: bool = False
    ) -> tuple[Float[np.ndarray, "weights samples"], list[Judged], float]:
        """Samples of the read-out, calibrated on each frame by the fit without it.

        Args:
            solution: that has learned all the frames.
            count: number of samples. seed: of them.
            progress: whether to show a progress bar.

        Returns:
            Samples, the frames beside their bars, and the size of samples over the bare
            posterior's.
        """
        each = _without_each(self.rows, solution, progress)
        missed = np.concatenate([y - x @ solution.mean for x, y in self.rows])
        leverage = np.concatenate([without.leverage.diagonal() for without in each])
        pulled = pulls(
            missed, leverage, median_of(leverage), count, np.random.default_rng([seed, 1])
        )
        own = np.split(pulled, np.cumsum([len(y) for _, y in self.rows])[:-1])
        total = np.zeros((len(solution.mean), count))
        for (x, _), mine in zip(self.rows, own, strict=True):
            total += x.T @ mine
        kinds = solution.samples(count, seed), solution.solve(total)
        predicted = []
        for without, (x, y), mine in zip(each, self.rows, own, strict=True):
            mean = y - without.moved(y - x @ solution.mean)
            posterior = without.widened(x @ kinds[0])
            misfits = without.moved(x @ kinds[1] - without.leverage @ mine)
            predicted.append(np.concatenate([mean[:, None], posterior, misfits], axis=1))
        judges = self._judges(predicted)
        # in coordinates (mean, samples of the posterior, samples of the misfits)
        mean, *drawn = np.split(np.eye(1 + 2 * count), (1, 1 + count), axis=1)
        found, size = calibrated(drawn, mean[:, 0], judges)
        held = list(judges.judged(mean[:, 0], found))
        _, first, second = np.split(found, (1, 1 + count))
        return kinds[0] @ first + kinds[1] @ second, held, size

    def _judges(self, predicted: Sequence[Float[np.ndarray, "rows coordinates"]]) -> Judges:
        known = [
            hardened(atoms, target, found, y)
            for atoms, target, found, (_, y) in zip(
                self.frames, self.targets, predicted, self.rows, strict=True
            )
        ]
        return Judges.knowing(self.frames, self.targets, known)


@dataclass(frozen=True, eq=False)
class Without:
    """What rows change that a solution has learned, if it had not.

    Attributes:
        leverage: V. sizes, directions: eigenvalues and vectors of 1 - V.
    """

    leverage: Float[np.ndarray, "rows rows"]
    sizes: Float[np.ndarray, " rows"]
    directions: Float[np.ndarray, "rows rows"]

    def moved(self, values: np.ndarray) -> np.ndarray:
        """(1 - V)^-1 times a vector, or one in each column."""
        return self._times(values, 1 / self.sizes)

    def widened(self, values: Float[np.ndarray, "rows columns"]) -> np.ndarray:
        """(1 - V)^-1/2 times vectors."""
        return self._times(values, self.sizes**-0.5)

    def _times(self, values: np.ndarray, factors: Float[np.ndarray, " rows"]) -> np.ndarray:
        turned = self.directions.T @ values
        return self.directions @ (turned.T * factors).T


def _without_each(
    rows: Sequence[tuple[np.ndarray, np.ndarray]], solution: Solution, progress: bool
) -> list[Without]:
    """Of the rows of each frame; those of several are solved together, which is quicker."""
    found: list[Without] = []
    with tqdm(total=len(rows), desc="error bars", unit="frame", disable=not progress) as bar:
        while some := _block(rows[len(found) :]):
            halves = solution.halves(np.concatenate([x for x, _ in some]))
            ends = np.cumsum([len(y) for _, y in some])[:-1]
            for part in np.split(halves, ends, axis=1):
                leverage = part.T @ part
                left, directions = np.linalg.eigh(np.eye(len(leverage)) - leverage)
                found.append(Without(leverage, np.maximum(left, LEAST), directions))
            bar.update(len(some))
    return found


def _block(
    rows: Sequence[tuple[np.ndarray, np.ndarray]],
) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    """The first frames, up to so many rows."""
    ends = np.cumsum([len(y) for _, y in rows])
    return rows[: max(1, int((ends <= ROWS_AT_ONCE).sum()))]
