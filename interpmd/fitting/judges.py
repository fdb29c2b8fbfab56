"""Held-out frames, which judge what a fit has learned so far."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.fitting import labels
from interpmd.fitting.normal import weighted_rows, weighted_values
from interpmd.fitting.report import Evaluation
from interpmd.fitting.soft import softened
from interpmd.fitting.targets import Targets
from interpmd.fitting.zeros import centred
from interpmd.potentials.expansion import ClusterExpansion

#: Frames of which one read-out can be told to be worse than another.
FEWEST = 5

#: Errors (eV, eV/Å) that are rounding.
NOTHING = 1e-6


@dataclass(frozen=True)
class Judged:
    """Errors of one held-out frame beside its error bars.

    Attributes:
        numbers: atomic numbers of the frame, shape (atoms,).
        energy: in eV. forces: in eV/Å, shape (atoms, 3). NaN where the frame has no label.
        energy_draws, forces_draws: deviations under samples of the read-out, shapes (samples,) and
            (samples, atoms, 3); NaN likewise.
    """

    numbers: Int[np.ndarray, " atoms"]
    energy: float
    energy_draws: Float[np.ndarray, " samples"]
    forces: Float[np.ndarray, "atoms 3"]
    forces_draws: Float[np.ndarray, "samples atoms 3"]

    @property
    def energy_std(self) -> float:
        """Error bar of the energy in eV."""
        return float(np.sqrt(np.square(self.energy_draws).mean()))

    @property
    def forces_std(self) -> Float[np.ndarray, "atoms 3"]:
        """Error bars of the forces in eV/Å."""
        return np.sqrt(np.square(self.forces_draws).mean(0))

    def wider(self, factor: float) -> Judged:
        """The same with all deviations times a factor."""
        return replace(
            self,
            energy_draws=factor * self.energy_draws,
            forces_draws=factor * self.forces_draws,
        )

    def ratios(self) -> tuple[Float[np.ndarray, 1], Float[np.ndarray, " components"]]:
        """Absolute errors over bars of the energy and of the force components, as far as they are
        labelled; 0 where an error vanishes, as by symmetry."""
        errors = np.abs(np.array([self.energy])), np.abs(self.forces.ravel())
        bars = np.array([self.energy_std]), self.forces_std.ravel()
        energy, forces = (
            np.where(e < NOTHING, 0.0, e / np.maximum(s, NOTHING))[np.isfinite(e)]
            for e, s in zip(errors, bars, strict=True)
        )
        return energy, forces


class Judges:
    """Held-out frames and their rows, to measure how good a read-out is.

    Args:
        term: whose features make the rows; they are kept in single precision.
        scale: of the columns, shape (weights,).
        frames: labelled; there may be none.
        targets: what is left of their labels for the term.
        own_zeros: whether energies count relative to the mean of those of one molecule.
    """

    def __init__(
        self,
        term: ClusterExpansion,
        scale: np.ndarray,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
        own_zeros: bool = False,
    ) -> None:
        made = (
            weighted_rows(term, atoms, target, scale)
            for atoms, target in zip(frames, targets, strict=True)
        )
        self._keep(frames, targets, centred(frames, targets, list(made)) if own_zeros else made)

    @classmethod
    def knowing(
        cls,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
        rows: Iterable[tuple[np.ndarray, np.ndarray]],
    ) -> Judges:
        """Judges whose rows are known, in whatever coordinates read-outs have."""
        judges = cls.__new__(cls)
        judges._keep(frames, targets, rows)
        return judges

    @classmethod
    def of_array(
        cls,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
        rows: Float[np.ndarray, "rows columns"],
        values: Float[np.ndarray, " rows"],
        ends: Int[np.ndarray, " frames"],
    ) -> Judges:
        """The same of rows that stand in one array, which is not copied, and where each frame's
        end in it."""
        judges = cls.__new__(cls)
        judges.frames, judges.targets, judges.rows = frames, targets, []
        if len(frames):
            judges._of_array(rows, values, ends)
        return judges

    def _keep(
        self,
        frames: Sequence[Atoms],
        targets: Sequence[Targets],
        rows: Iterable[tuple[np.ndarray, np.ndarray]],
    ) -> None:
        self.frames, self.targets = frames, targets
        self.rows = [(x.astype(np.float32, copy=False), y) for x, y in rows]
        if self.rows:
            ends = np.cumsum([len(y) for _, y in self.rows])
            stacked = np.concatenate([x for x, _ in self.rows])
            self._of_array(stacked, np.concatenate([y for _, y in self.rows]), ends)

    def _of_array(self, stacked: np.ndarray, values: np.ndarray, ends: np.ndarray) -> None:
        self.stacked, self.values = stacked, values
        # views of one array: the rows of many weights are gigabytes
        parts = np.split(stacked, ends[:-1]), np.split(values, ends[:-1])
        self.rows = list(zip(*parts, strict=True))

    def __bool__(self) -> bool:
        return bool(self.rows)

    def to_learn(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows and targets of each frame as a fit learns them; see `interpmd.fitting.soft`."""
        each = zip(self.frames, self.targets, self.rows, strict=True)
        return [softened(atoms, target, *rows) for atoms, target, rows in each]

    def misfit(self, mean: np.ndarray) -> np.ndarray:
        """Weighted errors of all rows."""
        return self.stacked @ mean.astype(np.float32) - self.values

    def error(self, mean: np.ndarray) -> float:
        """Root mean square of the weighted errors."""
        return float(np.sqrt((self.misfit(mean) ** 2).mean()))

    def worse(self, mean: np.ndarray, than: np.ndarray) -> float:
        """Error of one read-out over that of another, and a standard error more, so that few frames
        do not pass for many; infinite for fewer than `FEWEST`."""
        if len(self.rows) < FEWEST:
            return np.inf
        ours, theirs = (self.misfit(each).astype(float) ** 2 for each in (mean, than))
        starts = np.cumsum([0, *(len(y) for _, y in self.rows)])[:-1]
        more = np.add.reduceat(ours - theirs, starts)
        doubt = more.std(ddof=1) * len(more) ** 0.5
        return float(np.sqrt(max(0.0, 1 + (more.sum() + doubt) / max(theirs.sum(), 1e-300))))

    def spread(self, samples: np.ndarray) -> float:
        """Root mean square of posterior samples, weighted like the misfit."""
        return float(np.sqrt(((self.stacked @ samples.astype(np.float32)) ** 2).mean()))

    def judged(self, mean: np.ndarray, samples: np.ndarray) -> Iterator[Judged]:
        """Errors of the frames of most weight, of which others would be no fair sample, beside the
        deviations under samples of the read-out (shape (weights, samples))."""
        most = max((t.force_weight for t in self.targets), default=0.0)
        missed, last = self.misfit(mean), 0
        drawn = self.stacked @ samples.astype(np.float32)
        for atoms, target, (_, values) in zip(self.frames, self.targets, self.rows, strict=True):
            first, last = last, last + len(values)
            if target.force_weight < most or not (target.energy_weight and target.force_weight):
                continue
            known = np.isfinite(weighted_values(atoms, target))
            both = np.full((max(len(known), 1 + 3 * len(atoms)), 1 + drawn.shape[1]), np.nan)
            both[: len(known)][known, 0] = missed[first:last]
            both[: len(known)][known, 1:] = drawn[first:last]
            energies = both[0] / target.energy_weight
            forces = both[1 : 1 + 3 * len(atoms)].T.reshape(-1, len(atoms), 3) / target.force_weight
            yield Judged(atoms.numbers, float(energies[0]), energies[1:], forces[0], forces[1:])

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
