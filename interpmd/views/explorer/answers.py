"""Answers to the questions: bars that add up to the target, and the lines that show them in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from interpmd.attribution.explanation import Explanation
from interpmd.attribution.targets import Force
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.structures.fragments import fragments_of
from interpmd.views.explorer.pairs import PairMap, pair_map
from interpmd.views.explorer.questions import Question

#: Interactions with a line or a bar of their own; what is left shares one bar.
MOST = 500

#: Contributions in eV or eV/A that are only rounding, and get no bar.
NOTHING = 1e-12


@dataclass(frozen=True)
class Bar:
    """One contribution.

    Attributes:
        key: the same in every frame.
        label: for people.
        value: eV or eV/A, along the direction of the answer.
        std: standard deviation under the posterior where it is known.
        atoms: those that take part.
        vector: of forces in eV/A, shape (3,).
    """

    key: str
    label: str
    value: float
    std: float | None = None
    atoms: tuple[int, ...] = ()
    vector: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Line:
    """An interaction as it is drawn: a path through its atoms, bond by bond.

    Attributes:
        bar: index of its bar.
        value: eV or eV/A.
        atoms: along the path.
        offsets: of periodic images in A, flat; empty without.
    """

    bar: int
    value: float
    atoms: tuple[int, ...]
    offsets: tuple[float, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What the explorer shows of one frame.

    Attributes:
        frame: its index.
        key: of the question.
        title: what is explained.
        unit: "eV" or "eV/A".
        bars: the largest first; their values sum to `total`.
        lines: the largest first.
        pairs: the same contributions as a heat map.
        total: sum of the bars.
        total_std: its standard deviation under the posterior where it is known.
        predicted: what the bars should sum to, by the model itself.
        residual: completeness error of the whole explanation.
        apart: energies of isolated atoms in eV, which get no bars.
        direction: unit vector along which forces count, or None.
        target_atoms: those on which the explained force acts.
        split: energy of the frame in eV without isolated atoms, by "term" and "order".
        energy: total energy in eV.
        badge: of the certificate, and `checks` its lines.
        statement: what is fact and what is convention.
        forces: on all atoms in eV/A, flat.
    """

    frame: int
    key: str
    title: str
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
    checks: tuple[str, ...]
    statement: str
    forces: tuple[float, ...] = field(repr=False)
    total_std: float | None = None

    def to_json(self) -> dict[str, Any]:
        """For the browser; numbers rounded to what a float32 holds."""
        return _rounded(asdict(self))


def answer(
    found: Explanation,
    question: Question,
    frame: int,
    split: dict[str, dict[str, float]],
    energy: float,
    forces: np.ndarray,
) -> Answer:
    """Turn an explanation into bars and lines.

    Args:
        found: from `explain`.
        question: that was asked, settled.
        frame: index of the frame.
        split, energy, forces: of the frame; see `Answer`.
    """
    apart, shown = _without_isolated_atoms(found)
    flat, direction = _along_target(shown)
    bars, lines = _bars_and_lines(shown, flat, question)
    doubt = _errors_along(shown)
    certificate = found.certificate()
    predicted = np.asarray(found.predicted)
    along = float(predicted @ direction) if predicted.ndim else float(predicted)
    if direction is None and isinstance(found.target, Force):
        direction = found.target.direction(found.atoms)
    return Answer(
        frame=frame,
        key=question.key,
        title=title(found, question),
        unit=found.unit,
        bars=bars,
        lines=lines,
        pairs=pair_map(shown, flat),
        total=float(sum(bar.value for bar in bars)),
        predicted=along - apart,
        residual=found.residual,
        apart=apart,
        direction=None if direction is None else tuple(direction.tolist()),
        target_atoms=tuple(found.target.indices) if isinstance(found.target, Force) else (),
        split=split,
        energy=energy,
        badge=certificate.badge,
        checks=tuple(str(check) for check in certificate.checks),
        statement=found.statement,
        forces=tuple(np.asarray(forces, dtype=float).ravel().tolist()),
        total_std=None if doubt is None else float(standard_deviation(doubt.sum(0))),
    )


def title(found: Explanation, question: Question) -> str:
    """What is explained, in words."""

    def name(atom: int) -> str:
        return f"{found.atoms.symbols[atom]}{atom}"

    if question.target == "energy":
        return "Energy"
    if question.target == "torque":
        return "Torque about " + "–".join(name(a) for a in question.dihedral or ())
    if question.target == "fragment" and isinstance(found.target, Force):
        atoms = found.target.indices
        whole = f"{found.atoms[atoms].get_chemical_formula()} of {name(question.atom)}"
        return "Force on " + ("–".join(map(name, atoms)) if len(atoms) < 5 else whole)
    if question.target == "along":
        return f"Force on {name(question.atom)} towards {name(question.other or 0)}"
    return f"Force on {name(question.atom)}"


def energy_split(found: Explanation) -> dict[str, dict[str, float]]:
    """Energy in eV by term and by body order, without isolated atoms."""
    _, shown = _without_isolated_atoms(found)
    names = {0: "remainder"}
    return {
        "term": {str(k): float(v) for k, v in shown.by("term").items()},
        "order": {names.get(k, f"{k}-body"): float(v) for k, v in shown.by("order").items()},
    }


def _without_isolated_atoms(found: Explanation) -> tuple[float, Explanation]:
    """Energies of single atoms would dwarf all bars; of forces they are zero."""
    if found.unit != "eV" or found.values.ndim > 1 or found.target.__class__.__name__ != "Energy":
        return 0.0, found
    if not any(order > 1 for order in found.orders):
        return 0.0, found
    alone = (found.orders == 1) & ~found.clusters.remainder
    return float(found.values[alone].sum()), found[~alone]


def _along_target(found: Explanation) -> tuple[np.ndarray, np.ndarray | None]:
    """Values as numbers: vectors along the force that they add up to."""
    if found.values.ndim == 1:
        return found.values, None
    total = found.values.sum(0)
    length = np.linalg.norm(total)
    direction = total / length if length > 1e-12 else np.array([1.0, 0.0, 0.0])
    return found.values @ direction, direction


def _bars_and_lines(
    found: Explanation, flat: np.ndarray, question: Question
) -> tuple[tuple[Bar, ...], tuple[Line, ...]]:
    # inside a fragment action and reaction cancel to rounding
    acting = np.abs(found.values.reshape(len(found), -1)).max(1, initial=0.0) > NOTHING
    found, flat = found[acting], flat[acting]
    members = [tuple(m) for m in found.clusters.tuples()]
    bars: dict[str, Bar] = {}
    lines: dict[tuple, _Drawn] = {}
    errors, spread = _errors_along(found), {}
    for row, parts in enumerate(_groups(found, members, question.grouping)):
        share = 1.0 / len(parts)
        value = float(flat[row]) * share
        vector = found.values[row] * share if found.values.ndim == 2 else None
        for key, label, atoms in parts:
            mine = Bar(key, label, value, None, atoms, None if vector is None else tuple(vector))
            bars[key] = _joined(bars[key], mine) if key in bars else mine
            if errors is not None:
                spread[key] = spread.get(key, 0.0) + share * errors[row]
            if not found.clusters.remainder[row]:
                drawn = lines.setdefault((key, atoms, _images(found, row)), _Drawn(row))
                drawn.value += value
    return _largest(found, bars, spread, lines, question)


def _errors_along(found: Explanation) -> np.ndarray | None:
    """Samples of the posterior of the values as numbers, shape (clusters, samples)."""
    if found.samples is None or found.samples.ndim == 2:
        return found.samples
    total = found.values.sum(0)
    direction = total / length if (length := np.linalg.norm(total)) > 1e-12 else np.eye(3)[0]
    return np.einsum("csn,s->cn", found.samples, direction)


@dataclass
class _Drawn:
    """Sum of a line so far, and a row that it belongs to."""

    row: int
    value: float = 0.0


def _joined(one: Bar, other: Bar) -> Bar:
    vector = None
    if one.vector is not None and other.vector is not None:
        vector = tuple(a + b for a, b in zip(one.vector, other.vector, strict=True))
    atoms = one.atoms if one.atoms == other.atoms else tuple(sorted({*one.atoms, *other.atoms}))
    return Bar(one.key, one.label, one.value + other.value, None, atoms, vector)


def _images(found: Explanation, row: int) -> tuple:
    if not found.atoms.pbc.any():
        return ()
    first, last = found.clusters.first[row], found.clusters.first[row + 1]
    return tuple(map(tuple, found.clusters.member_shifts[first:last].tolist()))


def _largest(
    found: Explanation,
    bars: dict[str, Bar],
    spread: dict[str, np.ndarray],
    lines: dict[tuple, _Drawn],
    question: Question,
) -> tuple[tuple[Bar, ...], tuple[Line, ...]]:
    def std(keys: Sequence[str]) -> float | None:
        # errors of different rows are correlated, so that samples are added, not squares
        return float(standard_deviation(sum(spread[key] for key in keys))) if spread else None

    order = sorted(bars.values(), key=lambda bar: -abs(bar.value))
    kept = [replace(bar, std=std([bar.key])) for bar in order[:MOST]]
    if rest := order[MOST:]:
        total, doubt = sum(bar.value for bar in rest), std([bar.key for bar in rest])
        kept.append(Bar("others", f"{len(rest)} smaller ones", total, doubt))
    place = {bar.key: rank for rank, bar in enumerate(order[:MOST])}
    acts_on_atom = question.target in ("force", "along")
    drawn = []
    for (key, atoms, images), line in sorted(lines.items(), key=lambda item: -abs(item[1].value)):
        if len(drawn) == MOST:
            break
        if key not in place:
            continue
        if len(atoms) > 1:
            drawn.append(Line(place[key], line.value, *_path(found, atoms, images)))
        elif acts_on_atom and atoms[0] != question.atom:
            # a single player is drawn as a line from the atom that it acts on
            drawn.append(Line(place[key], line.value, (question.atom, *atoms)))
    return tuple(kept), tuple(drawn)


def _groups(
    found: Explanation, members: Sequence[tuple[int, ...]], grouping: str
) -> list[list[tuple[str, str, tuple[int, ...]]]]:
    """For each cluster the bars that share its value: key, label, and atoms of the line."""

    def named(pair: tuple[int, ...]) -> str:
        return "···".join(f"{found.atoms.symbols[a]}{a}" for a in pair)

    if grouping == "interaction":
        if found.fragments is None and found.method in ("shapley", "owen"):
            return [[(str(m), named(m), m)] for m in members]
        rest = found.clusters.remainder
        return [
            [(f"{'rest ' if r else ''}{m}", label, m)]
            for m, label, r in zip(members, found.labels, rest, strict=True)
        ]
    if grouping == "pair":
        keys = found.clusters.remainder
        return [
            [(f"rest {m}", f"rest at {named(m)}", m)]
            if rest or len(m) < 2
            else [(str((a, b)), named((a, b)), (a, b)) for i, a in enumerate(m) for b in m[i + 1 :]]
            for m, rest in zip((tuple(sorted(m)) for m in members), keys, strict=True)
        ]
    if grouping == "kind":
        return [[(k, k, m)] for k, m in zip(found.kinds, members, strict=True)]
    if grouping == "order":
        return [
            [(str(o), f"{o}-body" if o else "remainder", m)]
            for o, m in zip(found.orders.tolist(), members, strict=True)
        ]
    if grouping == "term":
        terms = [found.clusters.terms[t] for t in found.clusters.term]
        return [[(t, t, m)] for t, m in zip(terms, members, strict=True)]
    fragments = found.fragments or fragments_of(found.atoms)
    number = {a: f for f, inside in enumerate(fragments) for a in inside}
    names = [f"{found.atoms[list(f)].get_chemical_formula()}({f[0]})" for f in fragments]
    groups = []
    for m in members:
        touched = sorted({number[a] for a in m})
        label = ("within " if len(touched) == 1 else "") + "···".join(names[f] for f in touched)
        groups.append([(str(touched), label, m)])
    return groups


def _path(
    found: Explanation, atoms: tuple[int, ...], images: tuple
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Atoms from one end to the other, each followed by the nearest one left; image offsets."""
    points = found.atoms.positions[list(atoms)]
    offsets = np.zeros_like(points)
    if len(images) == len(atoms):
        offsets = np.array(images, dtype=float) @ np.asarray(found.atoms.cell)
        points = points + offsets
    left = list(range(len(atoms)))
    here = max(left, key=lambda i: float(((points[i] - points.mean(0)) ** 2).sum()))
    order = [here]
    left.remove(here)
    while left:
        here = min(left, key=lambda i: float(((points[i] - points[order[-1]]) ** 2).sum()))
        order.append(here)
        left.remove(here)
    flat = tuple(np.round(offsets[order], 4).ravel().tolist()) if images else ()
    return tuple(int(atoms[i]) for i in order), flat


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.7g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
