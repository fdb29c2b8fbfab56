"""One way of choosing labels, followed from the first of them: actively, or at random."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.errors import LabelError
from interpmd.fitting import labels
from interpmd.fitting.active.growing import GrowingFit
from interpmd.fitting.closed_form import fit
from interpmd.fitting.members import usual_members
from interpmd.fitting.report import Evaluation, FitReport, evaluate
from interpmd.potentials.baseline import without_baseline
from interpmd.potentials.potential import Potential

#: A fit is made anew, size and prior chosen again, once it has learned from so many times more
#: labels than the last one; in between it is updated.
ANEW = 1.5

#: Share of the largest force errors that "worst" is the mean of.
WORST = 0.05

#: Fewest labels to start with.
FEWEST = 5


def check_start(frames: Sequence[Atoms]) -> None:
    """Raise LabelError unless these are enough to start with, before anything is labelled."""
    if (count := sum(not labels.is_isolated(a) for a in frames)) < FEWEST:
        raise LabelError(
            f"{count} structure{' is' if count == 1 else 's are'} too few to start with; a first "
            f"fit needs {FEWEST}, isolated atoms not counted (im.sample, or interpmd sample, makes "
            "more of one)"
        )


@dataclass
class Branch:
    """Labelled frames in the order in which they came, and the fit to them.

    Attributes:
        how: "active" or "random".
        frames: labelled frames that it learns from.
        single: isolated atoms, of which every fit knows.
        arguments: of `interpmd.fit`. members: of the fit that `whole` makes; see there. All
            others are of one.
        tried: numbers of the candidates that were chosen, in order.
        fitted: how many frames the last fit that was made anew has seen.
        report: of that fit.
    """

    how: str
    frames: list[Atoms]
    single: Sequence[Atoms]
    arguments: Mapping[str, Any]
    members: int | None = None
    tried: list[int] = field(default_factory=list)
    fitted: int = 0
    report: FitReport | None = None
    _grown: GrowingFit | None = None

    def __post_init__(self) -> None:
        self.fitted = len(self.frames)

    @property
    def fresh(self) -> bool:
        """Whether the next look at the fit makes it anew."""
        return self._grown is None

    @property
    def grown(self) -> GrowingFit:
        """The fit to all frames, updated from the last one that was made anew."""
        if self._grown is None:
            seen = self.frames[: self.fitted]
            options = {**self.arguments, "members": 1, "keep_equations": True}
            self.report = fit([*self.single, *seen], **options)
            self._grown = GrowingFit(
                self.report.potential,
                seen,
                self.arguments.get("subset_weights"),
                self.arguments.get("memory", 5.0),
                self.report.equations,
            )
        if (count := len(self._grown.frames)) < len(self.frames):
            self._grown.add(self.frames[count:])
        return self._grown

    def take(self, numbers: Sequence[int], frames: Sequence[Atoms]) -> None:
        """More labels; the fit is made anew once they are enough."""
        self.tried += numbers
        self.frames += frames
        if len(self.frames) >= ANEW * self.fitted:
            self.fitted, self._grown = len(self.frames), None

    def whole(self) -> FitReport:
        """A fit to all frames that is made anew, with its report."""
        corrects = self.arguments.get("baseline") is not None
        if (self.members or usual_members(corrects, len(self.frames), weights=0)) > 1:
            return fit([*self.single, *self.frames], **self.arguments, members=self.members)
        if self.report is None or self.fresh or self.fitted != len(self.frames):
            self.fitted, self._grown = len(self.frames), None
            self.report = fit([*self.single, *self.frames], **self.arguments, members=1)
        return self.report

    def errors_on(self, frames: Sequence[Atoms]) -> list[float]:
        """Force RMSE on each of some labelled frames in meV/Å."""
        learned = without_baseline(self.grown.potential)
        found = [evaluate(learned, atoms) for atoms in self.grown.own(frames)]
        return [each.summary().get("force_rmse_meV/A", np.nan) for each in found]


def measured(
    branch: Branch, judge: Callable[[], Callable[[Potential], Evaluation | None]]
) -> dict[str, Any]:
    """Errors of a branch now, and the seconds that its fit took.

    Args:
        branch: is fitted to all its frames.
        judge: gives the errors on test frames; asked for once the fit is there.
    """
    started = time.perf_counter()
    anew = branch.fresh
    potential = branch.grown.potential
    seconds = time.perf_counter() - started
    line = {
        "labels": len(branch.frames),
        "how": branch.how,
        "fit": "anew" if anew else "updated",
        "seconds": round(seconds, 3),
    }
    found = judge()(potential)
    return line if found is None else line | errors_of(found)


def errors_of(found: Evaluation) -> dict[str, float]:
    """Energy (meV) and force errors (meV/Å): RMSE, and the mean of the worst 5 % of atoms."""
    off = 1e3 * np.linalg.norm(found.forces[..., 1] - found.forces[..., 0], axis=1)
    off = np.sort(off[np.isfinite(off)])
    summary = found.summary()
    worst = off[-max(1, round(WORST * len(off))) :]
    return {
        "energy_rmse_meV": summary.get("energy_rmse_meV", np.nan),
        "force_rmse_meV/A": summary.get("force_rmse_meV/A", np.nan),
        "worst_force_meV/A": float(worst.mean()) if len(worst) else np.nan,
    }


def judge_of(test: Sequence[Atoms], branch: Branch) -> Callable[[Potential], Evaluation | None]:
    """Errors on test frames, whose baseline is asked once."""
    if not test:
        return lambda potential: None
    own = branch.grown.own(test)
    return lambda potential: evaluate(without_baseline(potential), own)
