"""The fit: normal equations of the forces, one solution for each order, error bands from groups.

With X the forces for coefficients of one and y the forces of the model, the coefficients c solve

    (Xᵀ X + λ P + Q) c = Xᵀ y

for the first term alone, then for the first two together, and so on. P prefers smooth curves and
small products, in units in which each term has a mean diagonal as large as its own of XᵀX; λ is
chosen on frames that are left out for this. Q is a thousandth of the squares of the forces that
each curve makes by itself: a molecule has more coordinates than degrees of freedom, so that large
curves can cancel and leave the forces as they are, and of all that fit the least are taken.

Groups of consecutive frames are what chance consists of: the covariance of c is A⁻¹ (Σ s sᵀ) A⁻¹
with A the matrix on the left and s = Xᵀ(y - X c) of each group (Liang and Zeger, Biometrika 73, 13,
1986), which allows for a form that is wrong and for frames that resemble the ones before. It does
not know of frames unlike all of these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve

from interpmd.errors import SingularError
from interpmd.fitting.distil.base import Block, DistilTerm, Entries, joined

#: Values of λ that are tried.
STRENGTHS = tuple(10.0**power for power in range(-9, 0))

#: Weight of Q: a thousandth of the force that a curve makes is no error worth a cancellation.
SMALL = 1e-3

#: How much larger the sum of squares may be for a smoother curve.
ENOUGH = 0.01

#: λ where there are too few frames to choose it.
WITHOUT_CHOICE = 1e-6

#: Numbers and entries of one block of frames.
DESIGN, ENTRIES = 4_000_000, 3_000_000

#: Groups of consecutive frames.
GROUPS = 25


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Terms whose coefficients stand one after the other, without those that nothing depends on.

    Attributes:
        terms: in the order in which they are fitted.
        stages: the order that each term belongs to, as "pairs".
        active: which coefficients the frames say anything about, shape (coefficients,).
    """

    terms: tuple[DistilTerm, ...]
    stages: tuple[str, ...]
    active: Bool[np.ndarray, " coefficients"]
    _place: Int[np.ndarray, " coefficients"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # all that nothing depends on stands together at the end, with a coefficient of zero
        place = np.where(self.active, np.cumsum(self.active) - 1, self.active.sum())
        object.__setattr__(self, "_place", place)

    @property
    def size(self) -> int:
        """Active coefficients."""
        return int(self.active.sum())

    @property
    def offsets(self) -> list[int]:
        """First coefficient of each term, and the number of all."""
        return np.cumsum([0, *(term.size for term in self.terms)]).tolist()

    def up_to(self, stage: str) -> int:
        """Active coefficients of the terms of a stage and of all before it."""
        last = max(k for k, name in enumerate(self.stages) if name == stage)
        return int(self.active[: self.offsets[last + 1]].sum())

    def entries(self, block: Block) -> Entries:
        """Entries of all terms, by place among the active coefficients."""
        parts = [term.entries(block) for term in self.terms]
        full = joined(parts, self.offsets[:-1])
        return Entries(
            full.frame,
            self._place[full.of_frame],
            full.energy,
            full.row,
            self._place[full.of_row],
            full.force,
        )

    def full(self, active: Float[np.ndarray, "active ..."]) -> list[np.ndarray]:
        """Coefficients of each term, from the active ones; the rest is zero."""
        padded = np.zeros((len(self.active), *active.shape[1:]))
        padded[np.flatnonzero(self.active)[: len(active)]] = active
        return np.split(padded, self.offsets[1:-1])

    def padded(self, active: Float[np.ndarray, " n"]) -> Float[np.ndarray, " places"]:
        """Coefficients by place, zero for those of later stages and for what is not active."""
        places = np.zeros(self.size + 1)
        places[: len(active)] = active
        return places

    def own(self, normal: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
        """Q: mean squares of the forces of each curve by itself."""
        parts = [term.parts() for term in self.terms]
        before = np.cumsum([0, *(int(p.max()) + 1 for p in parts)])
        part = np.concatenate([p + b for p, b in zip(parts, before, strict=False)])[self.active]
        return SMALL * normal * (part[:, None] == part)

    def penalty(self, normal: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
        """P, in the units of the normal matrix."""
        whole = np.zeros_like(normal)
        for first, term in zip(self.offsets, self.terms, strict=False):
            chosen = np.flatnonzero(self.active[first : first + term.size])
            place = self._place[first + chosen]
            given = term.penalty()
            one = np.diag(given[chosen]) if given.ndim == 1 else given[np.ix_(chosen, chosen)]
            if len(chosen):
                own = np.trace(normal[np.ix_(place, place)]) / max(np.trace(one), 1e-300)
                whole[np.ix_(place, place)] = one * (own or 1.0)
        return whole


@dataclass(frozen=True, eq=False)
class Stage:
    """The solution up to one order.

    Attributes:
        name: of the order.
        coefficients: of the active ones so far.
        strength: λ.
        deviations: coefficients less their mean if one group of frames changed, scaled so that
            sums of squares are variances, shape (coefficients so far, groups).
    """

    name: str
    coefficients: Float[np.ndarray, " n"]
    strength: float
    deviations: Float[np.ndarray, "n groups"]


@dataclass(frozen=True, eq=False)
class Solution:
    """What a fit yields.

    Attributes:
        stages: one for each order.
        left: sums of squares in (eV/Å)² of the forces, and of what each stage leaves of them, on
            the frames of the fit and on those of the test, shape (2, stages + 1).
        rows: components of forces of both.
        tested: frames of the test.
        normal: XᵀX of all frames of the fit.
    """

    stages: tuple[Stage, ...]
    left: Float[np.ndarray, "2 stages_and_none"]
    rows: tuple[int, ...]
    tested: int
    normal: Float[np.ndarray, "n n"]


def groups_of(count: int) -> list[Int[np.ndarray, " frames"]]:
    """Frames in groups that follow each other."""
    return [g for g in np.array_split(np.arange(count), min(GROUPS, count)) if len(g)]


def split(groups: Sequence[np.ndarray]) -> tuple[list[int], list[int], list[int]]:
    """Groups for the fit, for the choice of λ, and for the test: every fifth, none of few."""
    numbers = range(len(groups))
    if len(groups) < 5:
        return list(numbers), [], []
    test = [g for g in numbers if g % 5 == 4]
    choice = [g for g in numbers if g % 5 == 2]
    return [g for g in numbers if g not in test and g not in choice], choice, test


def blocks(
    model: LinearModel, frames: Sequence[Atoms], forces: Sequence[np.ndarray]
) -> Iterator[tuple[Entries, Float[np.ndarray, " rows"]]]:
    """Entries and forces of some frames at a time."""
    start, at_once = 0, 1
    while start < len(frames):
        stop = min(start + at_once, len(frames))
        entries = model.entries(Block.of(frames[start:stop]))
        y = np.concatenate([f.ravel() for f in forces[start:stop]])
        yield entries, y
        each = max(len(entries.row), 1) / (stop - start)
        rows = max(len(y) / (stop - start), 1)
        at_once = int(max(1, min(ENTRIES / each, DESIGN / (rows * (model.size + 1)))))
        start = stop


def normal(
    model: LinearModel, frames: Sequence[Atoms], forces: Sequence[np.ndarray]
) -> tuple[Float[np.ndarray, "n n"], Float[np.ndarray, " n"], float]:
    """Xᵀ X, Xᵀ y, and yᵀ y."""
    n = model.size
    square, right, size = np.zeros((n, n)), np.zeros(n), 0.0
    for entries, y in blocks(model, frames, forces):
        x = entries.design(len(y), n + 1)[:, :n]
        square += x.T @ x
        right += x.T @ y
        size += float(y @ y)
    return square, right, size


def solve(model: LinearModel, frames: Sequence[Atoms], forces: Sequence[np.ndarray]) -> Solution:
    """One solution for each stage, and what each leaves over.

    Raises:
        SingularError: no strength of the penalty makes the equations solvable.
    """
    groups = groups_of(len(frames))
    fitted, choice, test = split(groups)

    def of(numbers: Sequence[int]) -> tuple[list[Atoms], list[np.ndarray]]:
        chosen = [k for g in numbers for k in groups[g]]
        return [frames[k] for k in chosen], [forces[k] for k in chosen]

    square, right, size = normal(model, *of(fitted))
    judged = normal(model, *of(choice)) if choice else None
    penalty, least = model.penalty(square), model.own(square)
    found, strengths = [], []
    for name in dict.fromkeys(model.stages):
        part = slice(0, model.up_to(name))
        own = (square[part, part] + least[part, part], right[part], penalty[part, part])
        strengths.append(_strength(*own, judged))
        found.append((name, part))
    if judged is not None:
        square, right, size = square + judged[0], right + judged[1], size + judged[2]
    solved, left = [], [size]
    for (name, part), strength in zip(found, strengths, strict=True):
        kept = strength * penalty[part, part] + least[part, part]
        factor = _factor(square[part, part] + kept)
        if factor is None:
            raise SingularError(
                f"the equations of {name} have no solution: give more frames or fewer terms"
            )
        c = cho_solve(factor, right[part])
        left.append(float(c @ square[part, part] @ c - 2 * c @ right[part] + size))
        solved.append((name, c, strength, factor))
    used = [*fitted, *choice]
    scores = _scores(model, [of([g]) for g in used], [c for _, c, _, _ in solved])
    scale = np.sqrt(len(used) / max(len(used) - 1, 1))
    stages = [
        Stage(name, c, strength, scale * cho_solve(factor, s))
        for (name, c, strength, factor), s in zip(solved, scores, strict=True)
    ]
    tested = of(test)
    return Solution(
        stages=tuple(stages),
        left=np.array([left, _left(model, stages, *tested)]),
        rows=tuple(sum(f.size for f in part) for part in (of(used)[1], tested[1])),
        tested=len(tested[0]),
        normal=square,
    )


def _left(
    model: LinearModel, stages: Sequence[Stage], frames: list[Atoms], forces: list[np.ndarray]
) -> list[float]:
    """Sums of squares of the forces, and of what each stage leaves of them."""
    left = np.zeros(len(stages) + 1)
    for entries, y in blocks(model, frames, forces):
        left[0] += float(y @ y)
        for number, stage in enumerate(stages, start=1):
            rest = y - entries.forces_for(model.padded(stage.coefficients), len(y))
            left[number] += float(rest @ rest)
    return left.tolist()


def _strength(
    square: np.ndarray,
    right: np.ndarray,
    penalty: np.ndarray,
    judged: tuple[np.ndarray, np.ndarray, float] | None,
) -> float:
    """The largest λ that is hardly worse than the best on the frames that were left out for it."""
    if judged is None:
        return WITHOUT_CHOICE
    n, (other, to_right, size) = len(right), judged
    errors = {}
    for strength in STRENGTHS:
        factor = _factor(square + strength * penalty)
        if factor is not None:
            c = cho_solve(factor, right)
            errors[strength] = float(c @ other[:n, :n] @ c - 2 * c @ to_right[:n])
    enough = (1 + ENOUGH) * (min(errors.values(), default=0.0) + size) - size
    return max((s for s, error in errors.items() if error <= enough), default=STRENGTHS[-1])


def _factor(matrix: Float[np.ndarray, "n n"]):
    try:
        return cho_factor(matrix, lower=True, check_finite=False)
    except np.linalg.LinAlgError:
        return None


def _scores(
    model: LinearModel,
    groups: Sequence[tuple[list[Atoms], list[np.ndarray]]],
    coefficients: Sequence[np.ndarray],
) -> list[Float[np.ndarray, "n groups"]]:
    """Xᵀ (y - X c) of each group, for each stage."""
    n = model.size
    found = [np.zeros((len(c), len(groups))) for c in coefficients]
    for number, (frames, forces) in enumerate(groups):
        for entries, y in blocks(model, frames, forces):
            for score, c in zip(found, coefficients, strict=True):
                left = y - entries.forces_for(model.padded(c), len(y))
                weighted = entries.force * left[entries.row]
                score[:, number] += np.bincount(entries.of_row, weighted, n + 1)[: len(c)]
    return found
