"""The normal equations of the read-out: accumulated in blocks, solved in float64.

With rows X (one per force component, energy and virial component), targets y and weights
included, the posterior of the read-out is normal with

    precision  X^T X + P,   mean  (X^T X + P)^-1 X^T y,   P diagonal (the prior)

(Bishop, Pattern Recognition and Machine Learning, equations 3.53 and 3.54).

Weights belong to the element of a site, so that frames without an element leave its columns zero:
they are not multiplied.

One array of one column more than a square holds the two triangles that are needed, X^T X and the
Cholesky factor: a fit takes 8 bytes times the square of the number of weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from ase import Atoms
from jaxtyping import Int

from interpmd.errors import MemoryLimitError, SingularError
from interpmd.fitting.checkpoint import uninterrupted
from interpmd.fitting.design import Design, design
from interpmd.fitting.motions import without_rigid_motions
from interpmd.fitting.soft import softened
from interpmd.fitting.solution import Extended, Solution
from interpmd.fitting.targets import Targets
from interpmd.fitting.threads import as_many_as_fit
from interpmd.potentials import fast
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.structures.edges import CLOSEST_APPROACH, nearest_distances, neighbours
from interpmd.structures.systems import Batch

GIB = 2.0**30

#: Residual, relative to the right-hand side, at which conjugate gradients end, and most steps.
ROUNDING, MOST_STEPS = 1e-13, 50

#: Standard deviation in Å of displacements that break the symmetry of a frame.
DISPLACEMENT = 0.1

#: What a checkpoint stores.
STATE = ("matrix", "vector", "square", "rows", "done")

#: By the elements of frames: rows, targets, how many labels they stand for, and their squares.
Pending = dict[tuple[int, ...], list[tuple[np.ndarray, np.ndarray, int, float]]]


class NormalEquations:
    """X^T X and X^T y, to which blocks of frames are added.

    Args:
        term: the expansion whose read-out is to be fitted.
        scale: divisor of each column, shape (weights,).
        memory: limit in GiB for the matrix and one block.

    Raises:
        MemoryLimitError: the matrix alone exceeds the limit.
    """

    def __init__(self, term: ClusterExpansion, scale: np.ndarray, memory: float) -> None:
        self.term = quick(term)
        self.scale = scale
        size = len(scale)
        block = memory * GIB - 8.0 * size**2
        if block < 2**27:
            raise MemoryLimitError(
                f"{size} weights need {8 * size**2 / GIB + 0.125:.2f} GiB, more than the limit "
                f"of {memory} GiB; raise memory= or use fewer channels"
            )
        self.block_rows = int(min(2000, max(1, block / 4 / (8 * size))))
        self._both = np.zeros((size, size + 1), order="F")
        self.matrix = self._both[:, :-1]
        self.vector = np.zeros(size)
        self.square = 0.0
        self.rows = 0
        self.memory = memory
        self.penalty: np.ndarray | None = None
        self.penalty_weight = 0.0

    def penalise(self, sums: Iterable[np.ndarray], count: int) -> None:
        """Take a quadratic form that counts `penalty_weight` times per row in every solution.

        Args:
            sums: blocks of rows, shape (rows, weights), whose squares add up to it.
            count: by which the sum is divided.

        Raises:
            MemoryLimitError: it does not fit beside the matrix.
        """
        size = len(self.scale)
        needed = (2 * 8 * size**2 + 2**27) / GIB
        if needed > self.memory:
            raise MemoryLimitError(
                f"{size} weights with a penalty on rows need {needed:.2f} GiB, more than the limit "
                f"of {self.memory} GiB; raise memory=, use fewer channels, or least_rows=0"
            )
        self.penalty = np.zeros((size, size), order="F")
        with as_many_as_fit(size):
            for block in sums:
                scipy.linalg.blas.dsyrk(
                    1.0 / count, block.T, beta=1.0, c=self.penalty, overwrite_c=1, lower=0
                )

    def add(
        self,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        """Add frames, a block of rows at a time; an interrupt comes between blocks."""
        pending: Pending = {}
        count = done = 0
        for atoms, target in zip(frames, targets, strict=True):
            made = weighted_rows(self.term, atoms, target, self.scale)
            rows, values = softened(atoms, target, *made)
            labels = len(values), float(values @ values)
            rows, values = without_rigid_motions(atoms, target.forces, rows, values)
            pending.setdefault(self._present(atoms), []).append((rows, values, *labels))
            count += len(values)
            done += 1
            if count >= self.block_rows:
                with uninterrupted():
                    self._flush(pending)
                    progress(done)
                pending, count, done = {}, 0, 0
        if pending:
            with uninterrupted():
                self._flush(pending)
                progress(done)

    def add_rows(self, rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        """Add rows that `weighted_rows` has already made."""
        step = max(1, self.block_rows // max(1, max(len(y) for _, y in rows)))
        for first in range(0, len(rows), step):
            some = [(x, y, len(y), float(y @ y)) for x, y in rows[first : first + step]]
            self._flush({self._all: some})

    def remove(self, rows: np.ndarray, values: np.ndarray) -> None:
        """Take away rows (weighted, columns scaled) that others hold, shape (rows, weights)."""
        with as_many_as_fit(len(self.scale)):
            scipy.linalg.blas.dsyrk(-1.0, rows.T, beta=1.0, c=self.matrix, overwrite_c=1, lower=1)
        self.vector -= rows.T @ values
        self.square -= float(values @ values)
        self.rows -= len(values)

    def state(self, done: int) -> Mapping[str, np.ndarray | float]:
        """What a checkpoint stores after `done` frames."""
        sums = (self.matrix, self.vector, self.square, self.rows, done)
        return dict(zip(STATE, sums, strict=True))

    def restore(self, state: dict[str, np.ndarray]) -> int:
        """Take the sums of a checkpoint; returns the number of frames that they hold."""
        self.matrix[...] = state["matrix"]
        self.vector = state["vector"]
        self.square, self.rows = float(state["square"]), int(state["rows"])
        return int(state["done"])

    def solve(self, prior: np.ndarray) -> Solution:
        """Mean and Cholesky factor for a diagonal prior precision (scaled columns)."""
        upper = self._both[:, 1:]
        _mirror(self.matrix, upper)
        np.fill_diagonal(upper, self.matrix.diagonal() + prior)
        weight = self.penalty_weight * self.rows
        if self.penalty is not None and weight:
            for first in range(0, len(prior), 512):  # what is below its diagonal is zero
                upper[:, first : first + 512] += weight * self.penalty[:, first : first + 512]
        with as_many_as_fit(len(prior)):
            factor, info = scipy.linalg.lapack.dpotrf(upper, lower=0, clean=0, overwrite_a=1)
        if info:
            raise SingularError(
                f"the normal equations are singular (column {info - 1}); use a stronger ridge"
            )
        mean = scipy.linalg.cho_solve((factor, False), self.vector, check_finite=False)
        # X^T X mean = X^T y - P mean, where P holds the penalty too
        misfit = self.square - mean @ self.vector - mean @ (prior * mean)
        if self.penalty is not None and weight:
            misfit -= weight * mean @ scipy.linalg.blas.dsymv(1.0, self.penalty, mean, lower=0)
        return Solution(mean, factor.T, max(misfit, 0.0) / max(self.rows, 1))

    def mean_with(
        self,
        rows: Sequence[tuple[np.ndarray, np.ndarray]],
        prior: np.ndarray,
        near: Solution | None = None,
    ) -> np.ndarray:
        """Mean of the posterior with the last rows, those that `weighted_rows` has made.

        Where they are few, an earlier solution saves a factorisation: with the rows put into it
        (`Extended`) its inverse is so close that conjugate gradients end after some ten steps.

        Args:
            rows: of some frames, with their targets.
            prior: diagonal precision for scaled columns.
            near: a solution without the rows, with almost the same prior.
        """
        count, size = sum(len(y) for _, y in rows), len(self.scale)
        room = self.memory * GIB - 8.0 * size**2
        if near is not None and 2 * count < size and 2 * 8 * count * size < room:
            more = np.concatenate([x for x, _ in rows]).astype(float, copy=False)
            known = Extended(near).extended(more)
            weight = self.penalty_weight * (self.rows + count)

            def precision(vector: np.ndarray) -> np.ndarray:
                product = scipy.linalg.blas.dsymv(1.0, self.matrix, vector, lower=1)
                product += more.T @ (more @ vector) + prior * vector
                if self.penalty is not None and weight:
                    product += weight * scipy.linalg.blas.dsymv(1.0, self.penalty, vector, lower=0)
                return product

            square = (size, size)
            right = self.vector + more.T @ np.concatenate([y for _, y in rows])
            mean, failed = scipy.sparse.linalg.cg(
                scipy.sparse.linalg.LinearOperator(square, precision, dtype=float),
                right,
                x0=known.inverse(right),
                rtol=ROUNDING,
                maxiter=MOST_STEPS,
                M=scipy.sparse.linalg.LinearOperator(square, known.inverse, dtype=float),
            )
            if not failed:
                return mean
        self.add_rows(rows)
        return self.solve(prior).mean

    def part(self, columns: Int[np.ndarray, " columns"]) -> NormalEquations:
        """The equations of some of the weights, in ascending order; the others are zero."""
        some = copy.copy(self)
        some.scale, some.vector = self.scale[columns], self.vector[columns]
        some._both = np.zeros((len(columns), len(columns) + 1), order="F")
        some.matrix = some._both[:, :-1]
        some.matrix[...] = self.matrix[np.ix_(columns, columns)]
        return some

    @property
    def _all(self) -> tuple[int, ...]:
        return tuple(range(len(self.term.elements)))

    def _present(self, atoms: Atoms) -> tuple[int, ...]:
        """Which of the elements a frame has; the columns of the others are zero."""
        there = set(atoms.numbers.tolist())
        return tuple(k for k, z in enumerate(self.term.elements) if z in there)

    def _flush(self, pending: Pending) -> None:
        with as_many_as_fit(len(self.scale)):
            self._add_all(pending)

    def _add_all(self, pending: Pending) -> None:
        for present, many in pending.items():
            rows = np.concatenate([x for x, *_ in many]).astype(np.float64, copy=False)
            values = np.concatenate([y for _, y, *_ in many])
            self.rows += sum(count for *_, count, _ in many)
            self.square += sum(square for *_, square in many)
            if present == self._all:
                scipy.linalg.blas.dsyrk(
                    1.0, rows.T, beta=1.0, c=self.matrix, overwrite_c=1, lower=1
                )
                self.vector += rows.T @ values
                continue
            edges = self.term.n_features * np.arange(len(self.term.elements) + 1)
            starts = np.searchsorted(self.term.columns, edges)
            blocks = [slice(starts[k], starts[k + 1]) for k in present]
            for number, block in enumerate(blocks):
                some = np.asfortranarray(rows[:, block])
                self.vector[block] += some.T @ values
                self.matrix[block, block] += scipy.linalg.blas.dsyrk(1.0, some, trans=1, lower=1)
                for before in blocks[:number]:
                    self.matrix[block, before] += some.T @ rows[:, before]


def _mirror(lower: np.ndarray, upper: np.ndarray, size: int = 512) -> None:
    """Copy what is below the diagonal of one square to what is above that of another."""
    for first in range(0, len(lower), size):
        part = slice(first, first + size)
        upper[:first, part] = lower[part, :first].T
        corner = np.triu_indices_from(lower[part, part], 1)
        upper[part, part][corner] = lower[part, part].T[corner]


def quick(term: ClusterExpansion) -> ClusterExpansion:
    """A copy in the type in which its rows are made fastest.

    That is float64 for generated code and float32 for torch, where twice the size takes twice the
    time; sums are in float64 in either case.
    """
    copied = copy.deepcopy(term)
    return copied if fast.feature_maker(copied) is not None else copied.float()


def rows_of(term: ClusterExpansion, atoms: Atoms, virial: bool = False) -> Design:
    """Design matrix of one frame in the precision of the term."""
    batch = Batch.from_ase(atoms)
    pairs = neighbours(batch, term.cutoff)
    return design(term, batch.to(term.mixing.dtype), pairs, virial)


def weighted_rows(
    term: ClusterExpansion, atoms: Atoms, target: Targets, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one frame and their targets, weighted, columns scaled; of labels that it has."""
    return weighted(rows_of(term, atoms, target.stress is not None), atoms, target, scale)


def weighted(
    frame: Design, atoms: Atoms, target: Targets, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same of a frame whose design matrix is known."""
    dtype = frame.energy.numpy().dtype.type
    scale = scale.astype(dtype)
    rows = [frame.energy.numpy() / scale * dtype(target.energy_weight)]
    if has_forces(atoms):
        rows.append(frame.forces.flatten(0, 1).numpy() / scale * dtype(target.force_weight))
    if target.stress is not None and frame.virial is not None:
        rows.append(frame.virial.flatten(0, 2).numpy() / scale * dtype(target.virial_weight))
    values = weighted_values(atoms, target)
    known = np.isfinite(values)
    stacked = np.concatenate(rows)
    return (stacked, values) if known.all() else (stacked[known], values[known])


def weighted_values(atoms: Atoms, target: Targets) -> np.ndarray:
    """Targets of the rows of one frame, weighted: energy, forces, virial; NaN where missing."""
    values = [np.array([target.energy * target.energy_weight])]
    if has_forces(atoms):
        values.append(target.forces.ravel() * target.force_weight)
    if target.stress is not None:
        values.append(-target.stress.ravel() * atoms.get_volume() * target.virial_weight)
    return np.concatenate(values)


def has_forces(atoms: Atoms) -> bool:
    """Whether forces of a frame say anything: not those of a single atom in nothing."""
    return len(atoms) > 1 or bool(atoms.pbc.any())


def column_scales(
    term: ClusterExpansion, frames: Sequence[Atoms], seed: int, most: int = 30
) -> np.ndarray:
    """Root mean square force of each feature over some frames, in 1/Å.

    Columns divided by it have forces of the same size, so that one ridge strength for all weights
    is a smoothness prior: it costs features that vary fast more. Where symmetry makes all forces
    of a feature vanish, as in a perfect crystal, what is left is rounding; the scale is then that
    of the same frames with every atom displaced by `DISPLACEMENT`.
    """
    term = quick(term)
    many = [a for a in frames if len(a) > 1 or a.pbc.any()] or list(frames)
    order = np.random.default_rng(seed).permutation(len(many))[:most]
    chosen = [many[i] for i in order]
    scale = _root_mean_square(term, chosen)
    moved = [displaced(atoms, seed + k) for k, atoms in enumerate(chosen[:8])]
    general = _root_mean_square(term, moved)
    scale = np.where(scale > 1e-6 * general, scale, general)
    typical = np.median(scale[scale > 0]) if (scale > 0).any() else 1.0
    return np.where(scale > 1e-9 * typical, scale, typical)


def displaced(atoms: Atoms, seed: int) -> Atoms:
    """A frame of which no symmetry is left: repeated if it has one atom, every atom displaced; by
    less where atoms would come closer than nuclei ever do, as in H2 that is compressed."""
    whole = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    if len(whole) == 1 and whole.pbc.any():
        whole = whole.repeat([2 if periodic else 1 for periodic in whole.pbc])
    size = DISPLACEMENT
    while True:
        moved = whole.copy()
        moved.rattle(size, seed=seed)
        if nearest_distances(moved, 2 * CLOSEST_APPROACH).min() > CLOSEST_APPROACH:
            return moved
        size /= 2


def _root_mean_square(term: ClusterExpansion, frames: Sequence[Atoms]) -> np.ndarray:
    """Of the forces of each feature."""
    total, count = np.zeros(len(term.columns)), 0
    for atoms in frames:
        rows = rows_of(term, atoms).forces.flatten(0, 1).double()
        total, count = total + rows.pow(2).sum(0).numpy(), count + len(rows)
    return np.sqrt(total / max(count, 1))
