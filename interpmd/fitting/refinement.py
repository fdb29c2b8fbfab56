"""Refinement of the mixing, the read-out solved again in every round.

Channels are random mixings W of radial functions and elements. With the best read-out for each W
the misfit is a function of W alone (variable projection: Golub and Pereyra, SIAM J. Numer. Anal.
10, 413 (1973)), and each round is a step of Gauss and Newton on it: the misfit r of the labels is
taken as linear in W and in the read-out w,

    least |r + X dw + J dW|^2 + dw P dw + lambda |dU|^2,   J = d(X w)/dW,   dW = S dU

The read-out is eliminated by the Cholesky factor of X^T X + P, and some steps of conjugate
gradients solve the rest. S makes directions of W alike that change forces alike: it is the inverse
root of the covariance of the derivatives of the radial functions. The length of each column of U
stays, for that of a feature has no meaning. The first rounds learn from a part of the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.linalg
import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from interpmd.errors import MemoryLimitError, SingularError
from interpmd.fitting.by_mixing import ByMixing, Mixing
from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.normal import GIB, column_scales
from interpmd.fitting.problem import Problem
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.fitting.threads import as_many_as_fit
from interpmd.fitting.turns import held_out
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.mixing import MixingSlopes

#: Ridge strength while the refinement lasts, and steps of conjugate gradients of a round.
RIDGE, STEPS = 3e-8, 10

#: Change of the numbers of U in a round, relative to their size, that the prior expects.
CHANGE = 2.0

#: Least variance that S knows, relative to the mean one, and frames and edges of which it is made.
LEAST, FRAMES, EDGES = 1e-3, 60, 20_000

#: Part of the memory of a fit that rows and matrix of a round take.
PART = 0.7

#: Å between two distances whose radial functions are compared.
APART = 1e-4


@dataclass(frozen=True, eq=False)
class _Solved:
    """The read-out that is best for a mixing.

    Attributes:
        rows: X without rigid motions, columns scaled. factor: of X^T X + P, in its lower triangle.
        mean: w. missed: X w - y. value: the sum of squares, the prior's included.
    """

    rows: Float[np.ndarray, "fewer weights"]
    factor: Float[np.ndarray, "weights weights"]
    mean: Float[np.ndarray, " weights"]
    missed: Float[np.ndarray, " fewer"]
    value: float

    def left_over(self, rows: Float[np.ndarray, " fewer"]) -> Float[np.ndarray, " fewer"]:
        """What of a change of the rows no change of the read-out makes up for."""
        made_up = scipy.linalg.cho_solve(
            (self.factor, True), self.rows.T @ rows, check_finite=False
        )
        return rows - self.rows @ made_up


def refine_mixing(
    problem: Problem,
    frames: Sequence[Atoms],
    valid: Sequence[Atoms] | None,
    rounds: int,
    fraction: float = 0.0,
    progress: bool = False,
    watch: Watch | None = None,
    out: str | Path | None = None,
) -> list[float]:
    """Change the mixing of the problem's term so that its energies and forces are learned better.

    Args:
        problem: the linear problem; its term is changed in place.
        frames: training frames; stresses teach the channels nothing.
        valid: frames that judge. If None, they are the part of `frames` that the fit holds out.
        rounds: number of rounds.
        fraction: of `frames` that is held out.
        progress: whether to show a progress bar.
        watch: called before every round.
        out: output folder of the fit, beside which every round leaves a checkpoint.

    Returns:
        Root mean square error of the forces of the judging frames before each round in eV/Å, NaN
        where there are none. Rounds end where it rises, and what the last one did is taken back.

    Raises:
        MemoryLimitError: rows of half as many labels as there are weights do not fit into memory.
    """
    term, seed = problem.term, problem.settings.seed
    held = held_out(frames, valid, fraction, seed)
    judging = [frames[i] for i in held] if valid is None else valid
    order = np.random.default_rng(term.seed).permutation(len(frames))
    shuffled = [frames[i] for i in order[~np.isin(order, held)]]
    shuffled = shuffled[: _affordable(problem, shuffled)]
    judged = _by_mixing(problem, judging) if judging else None
    root = _roots(term, _by_mixing(problem, shuffled[:FRAMES]))
    found, before, history = np.linalg.solve(root, term.mixing.numpy()), None, []
    checkpoint = None
    if out is not None:
        key = f"{problem.key([*shuffled, *judging])} {rounds}"
        checkpoint = Checkpoint(out, "refinement", key)
        if (stored := checkpoint.read(["found", "before", "history"])) is not None:
            found, before = stored["found"], stored["before"]
            history = stored["history"].tolist()
    left = range(len(history), rounds)
    for index in tqdm(left, desc="refine", unit="round", disable=not progress):
        some = shuffled[: -(-len(shuffled) * (index + 2) // (rounds + 1))]
        labelled = _by_mixing(problem, some)
        term.mixing.copy_(torch.from_numpy(root @ found))
        scale = column_scales(term, some, seed)
        solved = _solve(problem, labelled, scale)
        term.readout.copy_(term.in_readout(solved.mean / scale))
        slopes = MixingSlopes(term)
        history.append(np.nan if judged is None else judged.force_error(slopes))
        if watch is not None:
            watch(FitProgress("refinement", index, rounds, error=history[-1]))
        if before is not None and history[-1] > history[-2]:
            found = before
            break
        before, found = found, _step(labelled, solved, slopes, root, found)
        del solved
        if checkpoint is not None:
            checkpoint.write(found=found, before=before, history=np.array(history))
    term.mixing.copy_(torch.from_numpy(root @ found))
    return history


def _by_mixing(problem: Problem, frames: Sequence[Atoms]) -> ByMixing:
    targets = problem.targets(frames)
    if problem.settings.mean_weight is not None:  # energies have zeros of their own
        targets = [replace(target, energy_weight=0.0) for target in targets]
    return ByMixing(problem.term, frames, targets)


def _affordable(problem: Problem, frames: Sequence[Atoms]) -> int:
    """How many frames have rows that fit into memory beside the matrix."""
    size, memory = len(problem.term.columns), problem.settings.memory
    rows = np.cumsum([1 + 3 * len(atoms) for atoms in frames])
    room = PART * memory * GIB / 8 - size**2
    if room < size * min(size / 2, rows[-1]):
        needed = 8 * size * (size + min(size / 2, rows[-1])) / PART / GIB
        raise MemoryLimitError(
            f"to refine channels of {size} weights needs {needed:.2f} GiB, more than the limit of "
            f"{memory} GiB; raise memory= or use fewer channels"
        )
    return int((rows * size <= room).sum())


def _solve(problem: Problem, labelled: ByMixing, scale: Float[np.ndarray, " weights"]) -> _Solved:
    rows = labelled.design(problem.term, scale)
    prior = RIDGE * labelled.count * problem.prices(scale)
    with as_many_as_fit(len(scale)):
        matrix = scipy.linalg.blas.dsyrk(1.0, rows.T, lower=1)
        matrix[np.diag_indices_from(matrix)] += prior
        factor, info = scipy.linalg.lapack.dpotrf(matrix, lower=1, clean=0, overwrite_a=1)
    if info:
        raise SingularError(
            f"the equations of the refinement are singular (column {info - 1}); take fewer channels"
        )
    values = labelled.fewer(labelled.values)
    right = rows.T @ values
    mean = scipy.linalg.cho_solve((factor, True), right, check_finite=False)
    missed = rows @ mean - values
    return _Solved(rows, factor, mean, missed, float(missed @ missed + prior @ mean**2))


def _step(
    labelled: ByMixing, solved: _Solved, slopes: MixingSlopes, root: Mixing, found: Mixing
) -> Mixing:
    """U after a step of Gauss and Newton, as far as some conjugate gradients solve it."""
    length = np.linalg.norm(found, axis=1, keepdims=True)
    unit = found / length
    mixing = root @ found
    variance = solved.value / max(labelled.count, 1)
    prior = variance / (CHANGE**2 * float(np.mean(found**2)))
    here = labelled.predicted(slopes, mixing)

    def sideways(change: Mixing) -> Mixing:
        return change - unit * (unit * change).sum(1, keepdims=True)

    def curvature(change: Mixing) -> Mixing:
        moved = labelled.forward(slopes, mixing, root @ change, here)
        left = labelled.whole(solved.left_over(labelled.fewer(moved)))
        return sideways(root @ labelled.back(slopes, left)) + prior * change

    residual = -sideways(root @ labelled.back(slopes, labelled.whole(solved.missed)))
    change, along, size = np.zeros_like(found), residual, float((residual**2).sum())
    for _ in range(STEPS):
        if not size:
            break
        product = curvature(along)
        step = size / float((along * product).sum())
        change = change + step * along
        residual = residual - step * product
        before, size = size, float((residual**2).sum())
        along = residual + size / before * along
    new = found + change
    return new * (length / np.linalg.norm(new, axis=1, keepdims=True))


def _roots(
    term: ClusterExpansion, labelled: ByMixing
) -> Float[np.ndarray, "degrees inputs inputs"]:
    """S of each degree: the species of a neighbour are apart."""
    distances, species = (part[:EDGES] for part in labelled.edges(term))
    along = (term.radial(distances + APART) - term.radial(distances - APART)) / (2 * APART)
    across = term.radial(distances) / distances[:, None]
    size, count = term.functions, len(term.elements)
    roots = np.zeros((term.lmax + 1, count * size, count * size))
    for l, whole in enumerate(roots):
        forms = [_form(along[species == s], across[species == s], l) for s in range(count)]
        mean = sum(np.trace(form) for form in forms) / (count * size) or 1.0
        for s, form in enumerate(forms):
            values, vectors = np.linalg.eigh(form / mean)
            place = slice(s * size, (s + 1) * size)
            whole[place, place] = vectors / np.sqrt(np.maximum(values, 0) + LEAST) @ vectors.T
    return roots


def _form(along: Tensor, across: Tensor, l: int) -> Float[np.ndarray, "functions functions"]:
    """Sum over edges of squared gradients of h(r) Y_lm, over all m."""
    return (along.T @ along + l * (l + 1) * across.T @ across).numpy()
