"""Few frames judge in turns: each is held out once, by a fit to the others.

Of a hundred labels a tenth would choose the ridge strength and set the size of the error bars, of
twenty-five two or three: what they say is chance. Here all of them do (cross-validation: Stone,
J. R. Stat. Soc. B 36, 111 (1974)). The rows of a part are taken from the sums of all, so that it
costs a factorisation for each part and strength.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from interpmd.fitting import labels
from interpmd.fitting.judges import Judged, Judges
from interpmd.fitting.normal import GIB, NormalEquations, weighted_rows
from interpmd.fitting.posterior import even_factor, sizes_alike, together
from interpmd.fitting.report import Evaluation
from interpmd.fitting.soft import softened
from interpmd.fitting.solution import Solution
from interpmd.fitting.targets import Targets

#: Parts in which frames are held out; fewest and most frames, and most weights, where that is done.
PARTS, FEWEST, MOST, FEW_WEIGHTS = 4, 8, 110, 6_000

#: Most frames that are held out where they do not judge in turns, and most of their atoms, whose
#: rows are kept.
MOST_JUDGES, MOST_JUDGED_ATOMS = 100, 3_200

#: Learned frames on which sizes of samples are compared.
MOST_LEARNED = 20


@dataclass(frozen=True, eq=False)
class Turn:
    """Normal equations of some frames, and the frames that were held out.

    Attributes:
        equations: of what was learned. learned: these frames, in random order.
        judges: the others.
    """

    equations: NormalEquations
    learned: Sequence[Atoms]
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
    learned: Callable[[np.ndarray], Sequence[Atoms]],
) -> list[Turn]:
    """All turns, of which the first is known; its equations see all frames from now on.

    Args:
        first: whose judges are the first part.
        frames, targets: all of them.
        parts: numbers of frames that are held out together.
        learned: the frames that are left of them, in random order.
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
        turns.append(Turn(_without(whole, rows), learned(part), judges))
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
    atoms = np.cumsum([len(frames[i]) for i in held])
    return held[: max(1, int((atoms <= MOST_JUDGED_ATOMS).sum()))]


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


@dataclass(frozen=True, eq=False)
class Found:
    """What a turn has learned.

    Attributes:
        solution: posterior of the read-out.
        kinds: samples of it and of the misfits, shape (weights, samples) each.
        sizes: of these on frames that were learned, shape (kinds,).
    """

    solution: Solution
    kinds: Sequence[Float[np.ndarray, "weights samples"]]
    sizes: Float[np.ndarray, " kinds"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """How samples of the read-out of all frames are added, by what was held out in turns.

    Attributes:
        ratios: sizes of the kinds over that of the first, on frames that were learned, where they
            are alike on those held out; mean of the turns.
        variance: of the weighted labels; mean of the turns.
        factor: by which the samples are too small.
        size: of the samples over that of the bare posterior.
        judged: the frames held out, beside bars that lack the factor.
    """

    ratios: Float[np.ndarray, " kinds"]
    variance: float
    factor: float
    size: float
    judged: Sequence[Judged]

    def samples(
        self,
        kinds: Sequence[Float[np.ndarray, "weights samples"]],
        sizes: Float[np.ndarray, " kinds"],
        variance: float,
    ) -> Float[np.ndarray, "weights samples"]:
        """Calibrated samples, from the kinds, sizes on learned frames and variance of all.

        The variance is the misfit of what was learned: of many weights it grows with the labels,
        where errors fall. With that of all frames bars of 90 % held 98 % of new forces, with that
        of the turns 84 %; it is half-way between.
        """
        first = (self.variance / variance) ** 0.25 if variance else 1.0
        wanted = first * sizes[0] * self.ratios
        factors = np.divide(wanted, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        return self.factor * together(kinds, factors)


def calibrated_in_turns(turns: Sequence[Turn], found: Sequence[Found]) -> Calibration:
    """How samples are to be added; see `interpmd.fitting.posterior.calibrated`."""
    judged: list[Judged] = []
    ratios, sizes = [], []
    for turn, known in zip(turns, found, strict=True):
        alike = sizes_alike(known.kinds, turn.judges)
        both = together(known.kinds, alike)
        first = turn.judges.spread(known.kinds[0])
        sizes.append(turn.judges.spread(both) / first if first else 1.0)
        ratios.append(alike * known.sizes / max(known.sizes[0], 1e-300))
        judged += turn.judges.judged(known.solution.mean, both)
    factor = even_factor(judged) if judged else 1.0
    variance = float(np.mean([known.solution.variance for known in found]))
    return Calibration(
        np.mean(ratios, axis=0), variance, factor, factor * float(np.mean(sizes)), judged
    )


def samples_of_turns(
    turns: Sequence[Turn],
    solution: Solution,
    frames: Sequence[Atoms],
    prior: Callable[[NormalEquations], Float[np.ndarray, " weights"]],
    kinds_of: Callable[[NormalEquations, Sequence[Atoms], Solution], Sequence[np.ndarray]],
    targets: Callable[[Sequence[Atoms]], Sequence[Targets]],
    progress: bool = False,
) -> tuple[Float[np.ndarray, "weights samples"], list[Judged], float]:
    """Samples of the read-out of all frames, calibrated on each by a fit to the others.

    Args:
        turns: all of them. solution: of all frames.
        frames: all, in random order.
        prior: of equations, in scaled columns.
        kinds_of: samples of each kind for equations, frames that they have seen and their solution.
        targets: what the expansion has to reproduce.
        progress: whether to show a progress bar.

    Returns:
        Samples, the frames beside their bars, and the size of samples over the bare posterior's.
    """

    def sizes(kinds: Sequence[np.ndarray], equations: NormalEquations, seen: Sequence[Atoms]):
        some = seen[:MOST_LEARNED]
        judges = Judges(equations.term, equations.scale, some, targets(some))
        return np.array([judges.spread(kind) for kind in kinds])

    found = []
    for turn in tqdm(turns, desc="error bars", unit="turn", disable=not progress):
        known = turn.equations.solve(prior(turn.equations))
        kinds = kinds_of(turn.equations, turn.learned, known)
        found.append(Found(known, kinds, sizes(kinds, turn.equations, turn.learned)))
    calibration = calibrated_in_turns(turns, found)
    equations = turns[0].equations
    kinds = kinds_of(equations, frames, solution)
    samples = calibration.samples(kinds, sizes(kinds, equations, frames), solution.variance)
    judged = [frame.wider(calibration.factor) for frame in calibration.judged]
    return samples, judged, calibration.size
