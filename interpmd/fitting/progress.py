"""What a fit reports while it runs: how far it is, and how good it is so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from interpmd.fitting.report import Evaluation

#: Parts of the frames after which a watched fit is solved for the first, second, ... time.
PARTS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)


@dataclass(frozen=True)
class FitProgress:
    """How far a fit is, and how good it is so far.

    Attributes:
        stage: "smoothness" (trial fits choose the number of Bessel functions), "refinement" (of
            the channels), "frames" (from which the fit has learned), "ridge" (strengths of
            the prior that are tried) or "test" (the fit is done).
        done, total: of the stage: trials, rounds, frames, strengths or sets.
        value: what was tried: a number of Bessel functions, or a ridge strength.
        error: of the trial or round on held-out frames; it is what the fit minimises.
        evaluation: predictions for held-out frames (in stage "test" for the test set) from what
            was learned so far; None if nothing new was learned or no frames are held out.
    """

    stage: str
    done: int
    total: int
    value: float | None = None
    error: float | None = None
    evaluation: Evaluation | None = None


#: Called at every step of a fit; an exception in it ends the fit.
Watch = Callable[[FitProgress], None]
