"""Answers to questions: bars that add up to the target, and lines that show them in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from interpmd.attribution.contributions import direction_of
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.choice import GAUGES
from interpmd.attribution.targets import Energy, Force, Target
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.structures.fragments import Fragments, fragments_of
from interpmd.views.explorer.bars import Bar, bars_of, groups_of
from interpmd.views.explorer.headline import of_frame
from interpmd.views.explorer.lines import Line, lines_of
from interpmd.views.explorer.pairs import PairMap, pair_map
from interpmd.views.explorer.questions import Question

#: Contributions up to this, in eV or eV/Å, are rounding and get no bar.
NOTHING = 1e-12


@dataclass(frozen=True)
class Answer:
    """What the explorer shows of one frame.

    Attributes:
        frame: its index.
        key: of the question.
        title: what is explained.
        gauge: what stands for "absent", `absent` the same in words.
        method: by which it was made.
        headline: the answer in a sentence: what drives the changes over all frames where that is
            known, else `now`.
        now: the largest contribution of this frame, in words.
        unit: "eV" or "eV/A", as in tables.
        bars: the largest first; their values sum to `total`.
        lines: the largest first.
        pairs: the same contributions as a heat map.
        total: sum of the bars.
        total_std: its standard deviation under the posterior where it is known.
        rest_stds: the same of the sum of all bars after each; empty where it is not known.
        grade: largest extrapolation grade of what was evaluated, above 1 beyond the training data;
            None where it is not known.
        predicted: what the bars should sum to, as the model predicts it.
        residual: completeness error of the whole explanation.
        apart: sum of the energies of isolated atoms in eV, which get no bars.
        direction: unit vector along which forces count, or None.
        target_atoms: those on which the explained force acts.
        split: energy of the frame in eV without isolated atoms, by "term" and "order".
        energy: total energy in eV.
        badge: of the certificate; `verdict` adds whether the data determine the rows,
            `determined` (None where that is not known), and `checks` are its lines.
        statement: what is fact and what is convention.
        forces: on all atoms in eV/Å, flat.
    """

    frame: int
    key: str
    title: str
    gauge: str
    absent: str
    method: str
    headline: str
    now: str
    unit: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    pairs: PairMap
    total: float
    predicted: float
    residual: float
    apart: float
    direction: tuple[float, ...] | None
    target_atoms: tuple[int, ...]
    split: dict[str, dict[str, float]]
    energy: float
    badge: str
    verdict: str
    determined: bool | None
    checks: tuple[str, ...]
    statement: str
    forces: tuple[float, ...] = field(repr=False)
    total_std: float | None = None
    rest_stds: tuple[float, ...] = ()
    grade: float | None = None

    def to_json(self) -> dict[str, Any]:
        """For the browser; numbers rounded to what a float32 holds."""
        return rounded(asdict(self))


def answer(
    explanation: Explanation,
    question: Question,
    frame: int,
    split: dict[str, dict[str, float]],
    energy: float,
    forces: Float[np.ndarray, "atoms 3"],
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    doubt: Explanation | None = None,
    along: Float[np.ndarray, " 3"] | None = None,
) -> Answer:
    """Turn an explanation into bars and lines.

    Args:
        explanation: from `explain`.
        question: that was asked, settled.
        frame: index of the frame.
        split, energy, forces: of the frame; see `Answer`.
        names: labels and kinds of the clusters; as the explanation names them if None.
        doubt: the same explanation along the direction of the answer, with samples of the
            posterior, where the explanation itself has none.
        along: direction along which vectors count; their own sum if None.
    """
    labels, kinds = (np.array(n, dtype=object) for n in names or _names(explanation))
    isolated = _isolated(explanation)
    shown, apart = explanation[~isolated], float(explanation.values[isolated].sum())
    predicted, direction = np.asarray(explanation.predicted), None
    if predicted.ndim:
        direction = direction_of(predicted if along is None else along)
        predicted = predicted @ direction
    elif isinstance(explanation.target, Force):
        direction = explanation.target.direction(explanation.atoms)
    rows = shown.contributions
    if direction is not None:
        rows = rows.along(direction)
    if doubt is not None and doubt.samples is not None:
        rows = replace(rows, samples=doubt.samples[~isolated])
    # inside a fragment action and reaction cancel to rounding
    acting = np.abs(shown.values.reshape(len(shown), -1)).max(1, initial=0.0) > NOTHING
    some, some_rows = shown[acting], rows.take(acting)
    labels, kinds = labels[~isolated][acting].tolist(), kinds[~isolated][acting].tolist()
    groups = groups_of(some, question.grouping, kinds)
    acts_on = question.atom if question.target in ("force", "along") else None
    bars, places, rest_stds = bars_of(some, some_rows, groups, question.grouping, labels)
    lines = lines_of(
        some.atoms,
        some.clusters,
        some_rows.values,
        groups,
        places,
        pairwise=question.grouping == "pair",
        acts_on=acts_on,
        wholes=some.fragments or _molecules_of(some, kinds),
    )
    certificate = (explanation if doubt is None else doubt).certificate()
    total = float(sum(bar.value for bar in bars))
    return Answer(
        frame=frame,
        key=question.key,
        title=title(explanation, question),
        gauge=explanation.gauge,
        absent=GAUGES[explanation.gauge].absent,
        method=explanation.method,
        headline=of_frame(bars, total, explanation.unit),
        now=of_frame(bars, total, explanation.unit),
        unit=explanation.unit,
        bars=bars,
        lines=lines,
        pairs=pair_map(some.clusters, some_rows.values, len(some.atoms)),
        total=total,
        predicted=float(predicted) - apart,
        residual=explanation.residual,
        apart=apart,
        direction=None if direction is None else tuple(direction.tolist()),
        target_atoms=(
            tuple(explanation.target.indices) if isinstance(explanation.target, Force) else ()
        ),
        split=split,
        energy=energy,
        badge=certificate.badge,
        verdict=certificate.verdict,
        determined=certificate.determined,
        checks=tuple(str(check) for check in certificate.checks),
        statement=explanation.statement,
        forces=tuple(np.asarray(forces, dtype=float).ravel().tolist()),
        total_std=(
            None if rows.samples is None else float(standard_deviation(rows.samples.sum(0)))
        ),
        rest_stds=rest_stds,
        grade=certificate.grade if certificate.group("on the data") else None,
    )


def title(explanation: Explanation, question: Question) -> str:
    """What is explained, in words."""
    less = "" if question.reference is None else f", less frame {question.reference}"
    return subject_of(explanation.atoms, question, explanation.target) + less


def subject_of(structure: Atoms, question: Question, target: Target) -> str:
    """What is explained, whatever it is compared with."""

    def name(atom: int) -> str:
        return f"{structure.symbols[atom]}{atom}"

    if question.target == "fragment" and isinstance(target, Force):
        atoms = target.indices
        whole = f"{structure.symbols[atoms].get_chemical_formula()} of {name(question.atom)}"
        return "Force on " + ("–".join(map(name, atoms)) if len(atoms) < 5 else whole)
    words = target.named(structure)
    return words[0].upper() + words[1:]


def energy_split(explanation: Explanation) -> dict[str, dict[str, float]]:
    """Energy in eV by term and by body order, without isolated atoms."""
    shown = explanation[~_isolated(explanation)]
    names = {0: "remainder"}
    return {
        "term": {str(k): float(v) for k, v in shown.by("term").items()},
        "order": {names.get(k, f"{k}-body"): float(v) for k, v in shown.by("order").items()},
    }


def _names(explanation: Explanation) -> tuple[list[str], list[str]]:
    return explanation.labels, explanation.kinds


def _molecules_of(explanation: Explanation, kinds: Sequence[str]) -> Fragments:
    """The molecules, where coordinates between whole molecules are among the rows."""
    if any(kind.endswith("of molecules") for kind in kinds):
        return fragments_of(explanation.atoms, "molecules")
    return ()


def _isolated(explanation: Explanation) -> Bool[np.ndarray, " clusters"]:
    """Which values are energies of isolated atoms, beside which no bar would be seen."""
    orders = explanation.orders
    apart = isinstance(explanation.target, Energy) and (orders > 1).any()
    return (orders == 1) & bool(apart)


def rounded(value: Any) -> Any:
    """Numbers in whatever holds them rounded to what a float32 holds."""
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(v) for v in value]
    return value
