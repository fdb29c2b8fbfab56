"""What a fit knows beyond its potential: its normal equations, for a fit that grows at once.

They take 8 bytes times the square of the number of weights, so that a report holds them only where
that is asked for, and only until somebody takes them: who does goes on with the arrays themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Int

from interpmd.fitting import labels
from interpmd.fitting.normal import NormalEquations
from interpmd.fitting.solution import Solution


@dataclass(frozen=True, eq=False)
class Sums:
    """Normal equations of one fit.

    Attributes:
        equations: of its frames but some, without a penalty on rows.
        left: numbers of the frames that they lack.
        solution: theirs with the prior of the fit, where they lack none.
    """

    equations: NormalEquations
    left: Int[np.ndarray, " frames"]
    solution: Solution | None = None


def sums_before(
    equations: NormalEquations,
    seen: int,
    left: Int[np.ndarray, " frames"],
    rows: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[Sums, ...]:
    """Equations as they were before some frames joined them, if they did; none of a GPU.

    Args:
        equations: they change.
        seen: how many rows they had then.
        left: numbers of these frames. rows: theirs, in single precision.
    """
    if type(equations) is not NormalEquations:
        return ()
    if equations.rows > seen:
        made, values = zip(*rows, strict=True)
        equations.remove(np.concatenate(made).astype(float), np.concatenate(values))
    equations.penalty, equations.penalty_weight = None, 0.0
    return (Sums(equations, left),)


class KeptEquations:
    """Normal equations of a fit, or of each of its members, which are handed over once.

    A copy of them, and what a file keeps of them, is empty: `GrowingFit` makes its own then.

    Args:
        members: of each fit whose mean is the potential, in their order.
        frames: that it was fitted to, with what the expansion had to reproduce.
        labelled: the same frames with their own labels.
        weights: factors on subsets.
    """

    def __init__(
        self,
        members: Sequence[Sums] = (),
        frames: Sequence[Atoms] = (),
        labelled: Sequence[Atoms] = (),
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._members, self.frames = list(members), list(frames)
        self._digests = {labels.digest_of(some) for some in (frames, labelled) if some}
        self._weights = dict(weights or {})

    def __len__(self) -> int:
        """Of how many members they are there."""
        return len(self._members)

    def take(self, frames: Sequence[Atoms], weights: Mapping[str, float] | None) -> Sums | None:
        """Those of the next member; None if there are none, or of other frames or weights."""
        asked = dict(weights or {})
        if not self._members or asked != self._weights:
            return None
        return self._members.pop(0) if labels.digest_of(frames) in self._digests else None

    def __reduce__(self) -> tuple[type[KeptEquations], tuple[()]]:
        return KeptEquations, ()
