"""Held-out frames, which judge what a fit has learned so far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.fitting import labels
from interpmd.fitting.normal import Targets, weighted_rows, weighted_values
from interpmd.fitting.report import Evaluation
from interpmd.potentials.expansion import ClusterExpansion


class Judges:
    """Held-out frames and their rows, to measure how good a read-out is.

    Args:
        term: whose features make the rows; they are kept in single precision.
        scale: of the columns, shape (weights,).
        frames: labelled; there may be none.
        targets: what is left of their labels for the term.
    """

    def __init__(
        self,
        term: ClusterExpansion,
        scale: np.ndarray,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
    ) -> None:
        self.frames, self.targets = frames, targets
        made = (
            weighted_rows(term, atoms, target, scale)
            for atoms, target in zip(frames, self.targets, strict=True)
        )
        self.rows = [(x.astype(np.float32, copy=False), y) for x, y in made]
        if self.rows:
            self.stacked = np.concatenate([x for x, _ in self.rows])
            self.values = np.concatenate([y for _, y in self.rows])

    def __bool__(self) -> bool:
        return bool(self.rows)

    def misfit(self, mean: np.ndarray) -> np.ndarray:
        """Weighted errors of all rows."""
        return self.stacked @ mean.astype(np.float32) - self.values

    def error(self, mean: np.ndarray) -> float:
        """Root mean square of the weighted errors."""
        return float(np.sqrt((self.misfit(mean) ** 2).mean()))

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
            known = np.isfinite(weighted_values(atoms, target))
            wrong = np.full(len(known), np.nan)
            wrong[known] = misfit[first:last]
            true, labelled = labels.energy_of(atoms), labels.forces([atoms])
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
