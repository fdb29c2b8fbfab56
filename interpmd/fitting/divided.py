"""Frames of a fit in one order, those learned before those held out, and where their rows stand."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.fitting.channels import columns_of_every, every
from interpmd.fitting.least_rows import of_atoms
from interpmd.fitting.motions import without_rigid_motions
from interpmd.fitting.normal import column_scales, weighted_rows, weighted_values
from interpmd.fitting.problem import Problem
from interpmd.fitting.targets import Targets
from interpmd.fitting.turns import MOST, held_out
from interpmd.potentials.expansion import ClusterExpansion


class Divided:
    """What is learned and what is held out of the frames of a fit.

    Args:
        problem: whose expansion has the channels of all members.
        members: how many: a ridge strength means the same for each number.
        frames, valid, fraction: see `Problem.solve`.

    Attributes:
        learned, judging: frames; `frames` are both, in this order.
        joins: whether those held out join the solution once the ridge strength is chosen.
        targets: of each frame. values: of each row, shape (rows,); of frames that are learned
            rows know nothing of rigid motions (`interpmd.fitting.motions`).
        places: where the rows of each frame stand. ends: where they end.
        size: how many rows are learned. labels: for how many labels they stand.
    """

    def __init__(
        self,
        problem: Problem,
        members: int,
        frames: Sequence[Atoms],
        valid: Sequence[Atoms] | None = None,
        fraction: float = 0.0,
    ) -> None:
        self.problem, self.members, self.given = problem, members, frames
        seed = problem.settings.seed
        held = held_out(frames, valid, fraction, seed)
        shuffled = np.random.default_rng(seed).permutation(len(frames))
        self.learned = [frames[i] for i in shuffled[~np.isin(shuffled, held)]]
        self.judging = [frames[i] for i in held] if valid is None else list(valid)
        self.joins = valid is None
        self.frames = [*self.learned, *self.judging]
        self.targets = problem.targets(self.frames)
        values = [
            _values(atoms, target, k >= len(self.learned))
            for k, (atoms, target) in enumerate(zip(self.frames, self.targets, strict=True))
        ]
        self.values = np.concatenate(values)
        self.ends = np.cumsum([len(each) for each in values])
        starts = [0, *self.ends.tolist()]
        self.places = [slice(a, b) for a, b in itertools.pairwise(starts)]
        self.size = starts[len(self.learned)]
        known = zip(self.learned, self.targets, strict=False)
        self.labels = sum(int(np.isfinite(weighted_values(*each)).sum()) for each in known)

    @cached_property
    def usual(self) -> bool:
        """Whether many frames are learned on a CPU, without a penalty on rows, with comparable
        energies and forces that count by component alone."""
        spec, settings = self.problem.spec, self.problem.settings
        plain = settings.device == "cpu" and settings.mean_weight is None
        rare = bool(spec.least_rows) or (spec.least_rows is None and of_atoms(self.learned))
        return plain and not settings.soft_weight and not rare and len(self.frames) > MOST

    def rows_of(
        self, frame: int, term: ClusterExpansion, scale: Float[np.ndarray, " columns"]
    ) -> Float[np.ndarray, "rows columns"]:
        """Weighted rows of a frame for some channels, divided by a scale."""
        atoms, target = self.frames[frame], self.targets[frame]
        rows, values = weighted_rows(term, atoms, target, scale)
        if frame < len(self.learned):
            rows, _ = without_rigid_motions(atoms, target.forces, rows, values)
        return rows

    def scale_of(self, units: int) -> Float[np.ndarray, " weights"]:
        """Divisors of columns after which the prior of all weights is one number; of K members each
        weight has the K-th part of the variance.

        Args:
            units: in how many parts the channels are looked at.
        """
        term, seed = self.problem.term, self.problem.settings.seed
        scale = np.zeros(len(term.columns))
        for unit in range(units):
            part = every(term, unit, units)
            scale[columns_of_every(term, unit, units)] = column_scales(part, self.given, seed)
        return scale * np.sqrt(self.members * self.problem.prices(scale))


def _values(atoms: Atoms, target: Targets, whole: bool) -> Float[np.ndarray, " rows"]:
    """Targets of the rows of one frame."""
    values = weighted_values(atoms, target)
    values = values[np.isfinite(values)]
    nothing = np.zeros((len(values), 0))
    return values if whole else without_rigid_motions(atoms, target.forces, nothing, values)[1]
