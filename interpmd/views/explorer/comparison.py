"""Two answers side by side: the same rows of two frames, gauges, methods or models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.methods.registry import METHODS
from interpmd.errors import QuestionError
from interpmd.units import number_sign, unit_sign
from interpmd.views.explorer.answers import Answer, rounded
from interpmd.views.explorer.bars import Bar
from interpmd.views.explorer.questions import Question

#: What an answer can be put beside, and how the choice begins.
KINDS = ("frame", "gauge", "method", "model")


@dataclass(frozen=True)
class Beside:
    """What an answer is put beside.

    Attributes:
        kind: one of `KINDS`.
        which: number of the frame, or name.
    """

    kind: str
    which: str

    @classmethod
    def of(cls, text: str, frames: int, models: Sequence[str] = ()) -> Beside:
        """From words, as "frame 3", "gauge atoms", "method shapley", "model GFN2-xTB".

        Raises:
            QuestionError: there is no such thing; names what there is.
        """
        kind, _, which = text.partition(" ")
        known: dict[str, Sequence[str]] = {
            "gauge": tuple(GAUGES),
            "method": tuple(METHODS),
            "model": tuple(models),
        }
        if kind == "frame":
            if not (which.isdigit() and int(which) < frames):
                raise QuestionError(f"there is no {text!r}: frames are 0 to {frames - 1}")
        elif kind not in known:
            raise QuestionError(
                f"an answer is put beside 'frame 3', 'gauge atoms', 'method shapley' or 'model "
                f"...', not {text!r}"
            )
        elif which not in known[kind]:
            there = ", ".join(known[kind]) or "none; give them with models={name: model}"
            raise QuestionError(f"no {kind} is called {which!r}; known: {there}")
        return cls(kind, which)

    def question(self, asked: Question) -> Question:
        """The question of the other side.

        Args:
            asked: that of this side, settled.
        """
        if self.kind == "gauge":
            return replace(asked, gauge=self.which, method=None, order="auto")
        if self.kind == "method":
            suits = asked.gauge in METHODS[self.which].gauges
            gauge = asked.gauge if suits else None
            return replace(asked, method=self.which, gauge=gauge, order="auto")
        return asked


@dataclass(frozen=True)
class Pair:
    """One row on both sides, or on one.

    Attributes:
        key, label: of the row.
        first, second: contributions in eV or eV/Å; None where a side has no such row.
        first_std, second_std: standard deviations under the posterior where they are known.
    """

    key: str
    label: str
    first: float | None
    second: float | None
    first_std: float | None = None
    second_std: float | None = None

    @property
    def difference(self) -> float:
        """First less second; a row that is not there counts as nothing."""
        return (self.first or 0.0) - (self.second or 0.0)


@dataclass(frozen=True)
class Comparison:
    """Two answers, row by row; the rows of each side add up to its sum.

    Attributes:
        title: what is explained.
        names: of the sides, as ("frame 1", "frame 3").
        headline: what differs most, in a sentence.
        unit: "eV" or "eV/A".
        pairs: the rows, the largest of either side first.
        total, total_std: of the sides.
        same_rows: whether rows are matched by their names; if not, by their atoms, for the two
            sides mean different things by a row.
        verdicts: of the sides.
    """

    title: str
    names: tuple[str, str]
    headline: str
    unit: str
    pairs: tuple[Pair, ...]
    total: tuple[float, float]
    total_std: tuple[float | None, float | None]
    same_rows: bool
    verdicts: tuple[str, str]

    def to_json(self) -> dict[str, Any]:
        """For the browser; numbers rounded to what a float32 holds."""
        return rounded(asdict(self))

    def to_frame(self) -> pd.DataFrame:
        """One line a row: both values, their error bars, and first less second; then the sums."""
        first, second = self.names
        lines = [
            (p.label, p.first, p.first_std, p.second, p.second_std, p.difference)
            for p in self.pairs
        ]
        (a, b), (a_std, b_std) = self.total, self.total_std
        lines.append(("sum", a, a_std, b, b_std, a - b))
        columns = ["row", first, f"± {first}", second, f"± {second}", "difference"]
        return pd.DataFrame(lines, columns=columns).set_index("row").astype(float)


def compare(first: Answer, second: Answer, names: tuple[str, str]) -> Comparison:
    """Put two answers side by side.

    Args:
        first, second: about the same target, counted along the same direction.
        names: of the sides.
    """
    same = (first.gauge, first.method) == (second.gauge, second.method)
    partner = _partners(first.bars, second.bars, same)
    by_key = {bar.key: bar for bar in second.bars}
    pairs = []
    for bar in first.bars:
        other = by_key.pop(partner[bar.key]) if bar.key in partner else None
        pairs.append(
            Pair(
                bar.key,
                bar.label,
                bar.value,
                None if other is None else other.value,
                bar.std,
                None if other is None else other.std,
            )
        )
    pairs += [Pair(bar.key, bar.label, None, bar.value, None, bar.std) for bar in by_key.values()]
    pairs.sort(key=lambda p: -max(abs(p.first or 0.0), abs(p.second or 0.0)))
    return Comparison(
        title=first.title,
        names=names,
        headline=_headline(pairs, names, first, second),
        unit=first.unit,
        pairs=tuple(pairs),
        total=(first.total, second.total),
        total_std=(first.total_std, second.total_std),
        same_rows=same,
        verdicts=(first.verdict, second.verdict),
    )


def _partners(first: Sequence[Bar], second: Sequence[Bar], same: bool) -> Mapping[str, str]:
    """Key of the bar of the second side for each of the first that has one."""
    keys = {bar.key for bar in second}
    found = {bar.key: bar.key for bar in first if bar.key in keys}
    if same:
        return found
    left: dict[tuple[int, ...], list[str]] = {}
    for bar in second:
        if bar.key not in found and not bar.key.startswith("rest ") and bar.atoms:
            left.setdefault(tuple(sorted(bar.atoms)), []).append(bar.key)
    for bar in first:
        waiting = left.get(tuple(sorted(bar.atoms)), [])
        if bar.key not in found and not bar.key.startswith("rest ") and waiting:
            found[bar.key] = waiting.pop(0)
    return found


def _headline(pairs: Sequence[Pair], names: tuple[str, str], first: Answer, second: Answer) -> str:
    unit = unit_sign(first.unit)
    gap = first.total - second.total
    words = f"{names[0]} less {names[1]}: {number_sign(gap, '+.3f')} {unit}"
    if abs(gap) < 5e-4:
        words = "both sides have the same sum"
    if not pairs:
        return words
    if (first.gauge, first.method) != (second.gauge, second.method):
        return f"{words}; the rows of the two sides do not mean the same"
    most = max(pairs, key=lambda p: abs(p.difference))
    if abs(most.difference) < 5e-4:
        return f"{words}; no row differs by 0.001 {unit} or more"
    return f"{words}; most differs {most.label}, by {number_sign(most.difference, '+.3f')}"
