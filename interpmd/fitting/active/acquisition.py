"""What a label would tell: the variance that it takes from a goal, in closed form.

The covariance of two rows x, y of the linear problem is that of the potential's error bars: what
the data leave open, v x . H^-1 y, and what the form of the model misses, the covariance of its
misfit samples (`interpmd.fitting.posterior`), scaled to the same size on the frames learned from. A
candidate's rows C reduce the variance of the goal's rows T by

    trace[ K_TC (K_CC + v 1)^-1 K_CT ]

(Bayesian A-optimal design: Chaloner and Verdinelli, Statist. Sci. 10, 273 (1995)). It is greedy
and aware of its batch: after each choice all covariances are those given the chosen labels too,
whatever these will say.

Bayes alone trusts the form of the model and knows nothing of where that is wrong: hence the second
part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from ase import Atoms
from jaxtyping import Float

from interpmd import arguments
from interpmd.errors import ArgumentError
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.normal import rows_of
from interpmd.structures.files import Structures, read_frames

#: Most rows of a goal; of more, as many are drawn.
MOST_ROWS = 600

OF = ("forces", "energies")


@dataclass(frozen=True)
class Goal:
    """What the potential is for: where its error bars should become small.

    Attributes:
        frames: structures, without labels.
        atoms: whose forces count; all if None.
        of: "forces", or "energies": the energies relative to the first frame, for a barrier
            (minimum first, then the saddle).
    """

    frames: Sequence[Atoms]
    atoms: Sequence[int] | None = None
    of: str = "forces"

    def __post_init__(self) -> None:
        arguments.one_of(OF, of=self.of)
        if not len(self.frames) or (self.of == "energies" and len(self.frames) < 2):
            raise ArgumentError(
                "a goal is at least one structure, and of energies at least two: what counts are "
                "their differences from the first"
            )
        for atom in self.atoms or ():
            if not 0 <= atom < min(len(frame) for frame in self.frames):
                raise ArgumentError(f"the frames of the goal have no atom {atom}")

    def rows(self, fit: GrowingFit, seed: int = 0) -> Float[np.ndarray, "rows weights"]:
        """Rows of the linear problem, in units of a force label."""
        found = []
        for atoms in self.frames:
            design = rows_of(fit.equations.term, atoms)
            if self.of == "energies":
                weight = fit.problem.settings.energy_weight / len(atoms) ** 0.5
                found.append(weight * design.energy.numpy() / fit.scale)
            else:
                chosen = list(range(len(atoms))) if self.atoms is None else list(self.atoms)
                found.append(design.forces.numpy()[chosen].reshape(-1, len(fit.scale)) / fit.scale)
        stacked = np.concatenate(found).astype(float, copy=False)
        if self.of == "energies":
            return stacked[1:] - stacked[0]
        if len(stacked) > MOST_ROWS:
            keep = np.random.default_rng(seed).permutation(len(stacked))[:MOST_ROWS]
            stacked = stacked[np.sort(keep)]
        return stacked


@dataclass(frozen=True)
class Choice:
    """A candidate that was chosen, and why.

    Attributes:
        index: among the candidates.
        gain: part of the goal's variance that its label takes away, 0 to 1.
        std: of the goal before, root mean square in units of its rows (eV/Å for forces).
        misfit: part of the gain's variance that comes from the form of the model.
    """

    index: int
    gain: float
    std: float
    misfit: float


def choose(
    fit: GrowingFit,
    candidates: Structures,
    goal: Goal | None = None,
    count: int = 1,
    misfit: float = 1.0,
    most: int = 300,
    seed: int = 0,
) -> list[Choice]:
    """The candidates whose labels reduce the variance over a goal most.

    Args:
        fit: what has been learned so far.
        candidates: structures that could be labelled.
        goal: where error bars should become small; the candidates themselves if None.
        count: how many to choose.
        misfit: size of the misfit part relative to the posterior's, on frames learned from; 0 is
            Bayes alone.
        most: candidates that are looked at; of more, as many are drawn at random.
        seed: of what is drawn.

    Returns:
        In the order of choice, each given those before it.

    Raises:
        ArgumentError: fewer candidates than `count`, or a number that makes no sense.
    """
    arguments.count(count=count, most=most)
    arguments.not_negative(misfit=misfit)
    arguments.of_class(GrowingFit, fit=fit)
    if goal is not None:
        arguments.of_class(Goal, goal=goal)
    frames = read_frames(candidates)
    if len(frames) < count:
        raise ArgumentError(f"{count} of {len(frames)} candidates cannot be chosen")
    rng = np.random.default_rng([seed, len(fit.frames)])
    drawn = np.sort(rng.permutation(len(frames))[: max(most, count)])
    if goal is None:
        goal = Goal([frames[i] for i in drawn])
    fit.settle()
    space = _Space(fit, misfit)
    blocks = [_rows(fit, frames[i]) for i in drawn]
    ends = np.cumsum([0, *(len(block) for block in blocks)])
    slices = [slice(a, b) for a, b in zip(ends[:-1], ends[1:], strict=True)]
    pool = space.features(np.concatenate(blocks))
    aim = space.features(goal.rows(fit, seed))
    cross = aim.T @ pool
    own = [pool[:, s].T @ pool[:, s] for s in slices]
    left = float((aim**2).sum())
    total, of_misfit = left, float((aim[space.posterior :] ** 2).sum())
    found: list[Choice] = []
    taken = np.zeros((0, pool.shape[1]))
    taken_aim = np.zeros((0, aim.shape[1]))
    open_ = list(range(len(drawn)))
    while len(found) < count:
        gains = [_gain(cross[:, slices[k]], own[k], space.noise) for k in open_]
        best = open_.pop(int(np.argmax(gains)))
        std = float(np.sqrt(max(left, 0.0) / aim.shape[1]))
        found.append(Choice(int(drawn[best]), max(gains) / left, std, of_misfit / total))
        left -= max(gains)
        # condition everything on the label of the best
        here = slices[best]
        factor = scipy.linalg.cholesky(
            own[best] + space.noise * np.eye(len(own[best])), lower=True, check_finite=False
        )
        with_all = pool[:, here].T @ pool - taken[:, here].T @ taken
        with_aim = cross[:, here].T
        update, of_aim = (
            scipy.linalg.solve_triangular(factor, each, lower=True, check_finite=False)
            for each in (with_all, with_aim)
        )
        taken, taken_aim = np.concatenate([taken, update]), np.concatenate([taken_aim, of_aim])
        cross = cross - of_aim.T @ update
        own = [k - update[:, s].T @ update[:, s] for k, s in zip(own, slices, strict=True)]
    return found


def _gain(cross: np.ndarray, own: np.ndarray, noise: float) -> float:
    """Variance that a block of rows takes from the goal."""
    factor = scipy.linalg.cholesky(own + noise * np.eye(len(own)), lower=True, check_finite=False)
    half = scipy.linalg.solve_triangular(factor, cross.T, lower=True, check_finite=False)
    return float((half**2).sum())


def _rows(fit: GrowingFit, atoms: Atoms) -> Float[np.ndarray, "rows weights"]:
    """Rows of all labels that a structure would get: its energy and forces, weighted."""
    design = rows_of(fit.equations.term, atoms)
    settings = fit.problem.settings
    energy = settings.energy_weight / len(atoms) ** 0.5 * design.energy.numpy()
    forces = design.forces.numpy().reshape(3 * len(atoms), -1)
    return (np.concatenate([energy, forces]) / fit.scale).astype(float, copy=False)


class _Space:
    """Vectors whose products are the covariances of rows.

    Attributes:
        noise: variance of a weighted label.
        posterior: number of components that stem from the posterior; the others are misfits.
    """

    def __init__(self, fit: GrowingFit, misfit: float) -> None:
        self._fit = fit
        self.noise = max(fit.solution.variance, 1e-12)
        self.posterior = len(fit.scale)
        self._misfits = np.zeros((len(fit.scale), 0))
        if misfit:
            samples = fit.misfits()
            some = fit.frames[:: max(1, len(fit.frames) // 20)][:20]
            rows = np.concatenate([_rows(fit, atoms) for atoms in some])
            size = ((rows @ samples) ** 2).mean()
            bare = self.noise * (fit.halves(rows) ** 2).sum() / len(rows)
            if size:
                factor = misfit * np.sqrt(bare / size / samples.shape[1])
                self._misfits = factor * samples

    def features(self, rows: Float[np.ndarray, "rows weights"]) -> np.ndarray:
        """Shape (components, rows)."""
        halves = np.sqrt(self.noise) * self._fit.halves(rows)
        return np.concatenate([halves, (rows @ self._misfits).T])
