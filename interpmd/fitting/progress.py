"""What a fit tells while it runs: where it stands, and how good it is by now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from interpmd.fitting import labels
from interpmd.fitting.normal import weighted_rows
from interpmd.fitting.report import Evaluation

if TYPE_CHECKING:
    from interpmd.fitting.problem import Problem

#: Parts of the frames after which a watched fit is solved for the first, second, ... time.
PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)


@dataclass(frozen=True)
class FitProgress:
    """Where a fit stands.

    Attributes:
        stage: "smoothness" (trial fits choose the number of Bessel functions), "refinement" (of
            the radial network), "frames" (of which the fit has learned), "ridge" (strengths of
            the prior that are tried) or "test" (the fit is done).
        done, total: of the stage: trials, rounds, frames, strengths or sets.
        value: what was tried: a number of Bessel functions, or a ridge strength.
        error: of the trial or round, on held-out frames: that which the fit makes small.
        evaluation: predictions for held-out frames (in stage "test" for the test set) by what
            was learned so far; None where nothing new was learned or no frames are held out.
    """

    stage: str
    done: int
    total: int
    value: float | None = None
    error: float | None = None
    evaluation: Evaluation | None = None


#: Called with every step of a fit; what it raises ends the fit.
Watch = Callable[[FitProgress], None]


class Judges:
    """Frames that are held out, and their rows: how good a read-out is on them.

    Args:
        problem: of the fit; its `scale` must be there.
        frames: labelled; none is allowed.
    """

    def __init__(self, problem: Problem, frames: Sequence[Atoms]) -> None:
        self.frames, self.targets = frames, problem.targets(frames)
        self.rows = [
            weighted_rows(problem.single, atoms, target, problem.scale)
            for atoms, target in zip(frames, self.targets, strict=True)
        ]
        if self.rows:
            self.stacked = np.concatenate([x for x, _ in self.rows])
            self.values = np.concatenate([y for _, y in self.rows])

    def __bool__(self) -> bool:
        return bool(self.rows)

    def misfit(self, mean: np.ndarray) -> np.ndarray:
        """Weighted errors of all rows."""
        return self.stacked @ mean.astype(np.float32) - self.values

    def spread(self, samples: np.ndarray) -> float:
        """Root mean square of posterior samples, weighted like the misfit."""
        return float(np.sqrt(((self.stacked @ samples.astype(np.float32)) ** 2).mean()))

    def evaluation(self, mean: np.ndarray) -> Evaluation | None:
        """Predictions beside the labels; frames of weight 0 are not judged."""
        misfit, last = self.misfit(mean), 0
        energy, forces, judged = [], [], []
        for atoms, target, (_, values) in zip(self.frames, self.targets, self.rows, strict=True):
            first, last = last, last + len(values)
            if not (target.energy_weight and target.force_weight):
                continue
            wrong = misfit[first:last]
            true, labelled = atoms.calc.results["energy"], labels.forces([atoms])
            energy.append((true, true + wrong[0] / target.energy_weight))
            off = np.zeros(labelled.shape)
            if len(wrong) > 1:  # a single atom has no rows of forces
                off = wrong[1 : 1 + labelled.size].reshape(labelled.shape) / target.force_weight
            forces.append(np.stack([labelled, labelled + off], axis=-1))
            judged.append(atoms)
        if not judged:
            return None
        return Evaluation(
            energy=np.array(energy),
            forces=np.concatenate(forces),
            n_atoms=np.array([len(a) for a in judged]),
            numbers=np.concatenate([a.numbers for a in judged]),
            subsets=tuple(labels.subset_of(a) for a in judged),
        )
