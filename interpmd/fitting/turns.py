"""Few frames judge in turns: each is held out once, by a fit to the others.

Of a hundred labels a tenth would choose the ridge strength, of twenty-five two or three: what they
say is chance. Here all of them do (cross-validation: Stone, J. R. Stat. Soc. B 36, 111 (1974)). The
rows of a part are taken from the sums of all, so that it costs a factorisation for each part and
strength. Error bars are sized by leaving out one frame at a time (`interpmd.fitting.left_out`).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.fitting import labels
from interpmd.fitting.judges import Judges
from interpmd.fitting.normal import GIB, NormalEquations, weighted_rows
from interpmd.fitting.report import Evaluation
from interpmd.fitting.soft import softened
from interpmd.fitting.targets import Targets

#: Parts in which frames are held out; fewest and most frames, and most weights, where that is done.
PARTS, FEWEST, MOST, FEW_WEIGHTS = 4, 8, 110, 6_000

#: Most frames that are held out where they do not judge in turns, and most of their atoms, whose
#: rows are kept.
MOST_JUDGES, MOST_JUDGED_ATOMS = 100, 3_200


@dataclass(frozen=True, eq=False)
class Turn:
    """Normal equations of some frames, and the frames that were held out.

    Attributes:
        equations: of what was learned. judges: the others.
    """

    equations: NormalEquations
    judges: Judges


def in_turns(equations: NormalEquations, frames: int) -> bool:
    """Whether frames are so few, and weights not too many, that all of them judge."""
    size = len(equations.scale)
    fits = 8 * size**2 * (PARTS + 1) <= equations.memory * GIB
    on_cpu = type(equations) is NormalEquations
    return on_cpu and fits and FEWEST <= frames <= MOST and size <= FEW_WEIGHTS


def parts_of(count: int, seed: int) -> list[Int[np.ndarray, " held"]]:
    """Numbers of the frames that are held out together."""
    order = np.random.default_rng(seed).permutation(count)
    return [np.sort(part) for part in np.array_split(order, PARTS)]


def turns_of(
    first: Turn,
    frames: Sequence[Atoms],
    targets: Sequence[Targets],
    parts: Sequence[np.ndarray],
) -> list[Turn]:
    """All turns, of which the first is known; its equations see all frames from now on.

    Args:
        first: whose judges are the first part.
        frames, targets: all of them.
        parts: numbers of frames that are held out together.
    """
    whole = first.equations
    turns = [replace(first, equations=_without(whole, []))]
    whole.add(first.judges.frames, first.judges.targets)
    for part in parts[1:]:
        held = [frames[k] for k in part], [targets[k] for k in part]
        judges = Judges(whole.term, whole.scale, *held)
        rows = [
            softened(a, t, *weighted_rows(whole.term, a, t, whole.scale))
            for a, t in zip(*held, strict=True)
        ]
        turns.append(Turn(_without(whole, rows), judges))
    return turns


def _without(
    equations: NormalEquations, rows: Sequence[tuple[np.ndarray, np.ndarray]]
) -> NormalEquations:
    """A copy that has not seen some rows that it has learned."""
    some = copy.copy(equations)
    some._both = equations._both.copy(order="F")
    some.matrix, some.vector = some._both[:, :-1], equations.vector.copy()
    if rows:
        values = np.concatenate([y for _, y in rows])
        some.remove(np.concatenate([x for x, _ in rows]).astype(float, copy=False), values)
    return some


def held_out(
    frames: Sequence[Atoms], valid: Sequence[Atoms] | None, fraction: float, seed: int
) -> Int[np.ndarray, " held"]:
    """Numbers of the frames that are held out where they do not judge in turns."""
    _, held = labels.split(len(frames), 0.0 if valid is not None else fraction, seed)
    held = held[:MOST_JUDGES]
    return held[: judged([frames[i] for i in held])]


def judged(frames: Sequence[Atoms]) -> int:
    """How many of some frames, of which rows are kept, are not too many: at least one."""
    atoms = np.cumsum([len(each) for each in frames])
    return max(1, int((atoms <= MOST_JUDGED_ATOMS).sum()))


def error_of(turns: Sequence[Turn], means: Float[np.ndarray, "turns weights"]) -> float:
    """Root mean square of the weighted errors of what was held out.

    Where frames judge in turns it is the mean over the frames of their own: a single one that lies
    beyond the others would outweigh them.
    """
    if len(turns) == 1:
        return turns[0].judges.error(means[0])
    found = []
    for turn, mean in zip(turns, means, strict=True):
        ends = np.cumsum([len(values) for _, values in turn.judges.rows])[:-1]
        squares = np.split(turn.judges.misfit(mean) ** 2, ends)
        found += [np.sqrt(each.mean()) for each in squares if len(each)]
    return float(np.mean(found))


def evaluation_of(
    turns: Sequence[Turn], means: Float[np.ndarray, "turns weights"]
) -> Evaluation | None:
    """Predictions beside the labels of what was held out, each frame by the fit to the others."""
    each = [turn.judges.evaluation(mean) for turn, mean in zip(turns, means, strict=True)]
    known = [evaluation for evaluation in each if evaluation is not None]
    if not known:
        return None
    return Evaluation(
        energy=np.concatenate([e.energy for e in known]),
        forces=np.concatenate([e.forces for e in known]),
        n_atoms=np.concatenate([e.n_atoms for e in known]),
        numbers=np.concatenate([e.numbers for e in known]),
        subsets=tuple(name for e in known for name in e.subsets),
    )
