"""Explanations of frames, gathered row by row into one labelled array."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from interpmd.attribution.contributions import keys_of, summed
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.kinds import Chemistry, describe
from interpmd.attribution.targets import Force, Power, Torque
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.errors import TrajectoryError
from interpmd.structures.fragments import Fragments


@dataclass(frozen=True)
class About:
    """What is known of a row: the coordinates along the dimension interaction."""

    label: str
    kind: str = ""
    order: int = -1
    term: str = ""
    atoms: str = ""


@dataclass(frozen=True)
class Heading:
    """What the explanations of all frames have in common.

    Attributes:
        target, unit, gauge, method, context, statement: in words, as of `Explanation`.
        provenance: of the model, JSON.
        tail: shape of one value, (3,) for vectors.
        joint: whether samples of the rows stand in the dataset.
    """

    target: str
    unit: str
    gauge: str
    method: str
    context: str
    statement: str
    provenance: str
    tail: tuple[int, ...]
    joint: bool

    @classmethod
    def of(cls, explanation: Explanation) -> Heading:
        """The heading of an explanation."""
        known = {k: v for k, v in explanation.provenance.items() if k != "certificate"}
        return cls(
            explanation.subject,
            explanation.unit,
            explanation.gauge,
            explanation.method,
            explanation.context,
            explanation.statement,
            json.dumps(known, default=str),
            explanation.values.shape[1:],
            isinstance(explanation.target, Force | Torque | Power),
        )


@dataclass(frozen=True)
class Row:
    """One frame: values and samples by key, what is known of the keys, and the sums."""

    heading: Heading
    about: dict[Any, About]
    values: dict[Any, np.ndarray]
    samples: dict[Any, np.ndarray]
    total: np.ndarray
    predicted: np.ndarray


@dataclass
class Collected:
    """Explanations as they come, row by row.

    Attributes:
        by: what the rows are.
        molecules: fragments that sums by "fragment" refer to.
        chemistry: by which clusters of atoms are named in all frames; by each frame's own if None.
        about: each row by its key, in the order of appearance.
        values: of each frame, by key.
        stds, samples: the same, where they are known.
        totals, predicted: of each frame.
        heading: of the first frame, which says what all of them are.
    """

    by: str
    molecules: Fragments
    chemistry: Chemistry | None = None
    about: dict[Any, About] = field(default_factory=dict)
    values: list[dict[Any, np.ndarray]] = field(default_factory=list)
    stds: list[dict[Any, np.ndarray]] = field(default_factory=list)
    samples: list[dict[Any, np.ndarray]] = field(default_factory=list)
    totals: list[np.ndarray] = field(default_factory=list)
    predicted: list[np.ndarray] = field(default_factory=list)
    heading: Heading | None = None

    def __len__(self) -> int:
        return len(self.values)

    def add(self, explanation: Explanation) -> Row:
        """Take in one frame, and return what is kept of it."""
        about, values, samples = (
            self._single(explanation) if self.by == "interaction" else self._sums(explanation)
        )
        total, predicted = np.asarray(explanation.total), np.asarray(explanation.predicted)
        row = Row(Heading.of(explanation), about, values, samples, total, predicted)
        self.take(row)
        return row

    def take(self, row: Row) -> None:
        """Take in one frame of which this was kept."""
        self.heading = self.heading or row.heading
        self.about |= {key: one for key, one in row.about.items() if key not in self.about}
        self.values.append(row.values)
        self.samples.append(row.samples)
        self.stds.append({key: standard_deviation(drawn) for key, drawn in row.samples.items()})
        self.totals.append(row.total)
        self.predicted.append(row.predicted)

    def _single(self, explanation: Explanation) -> tuple[dict, dict, dict]:
        about: dict[Any, About] = {}
        values: dict[Any, np.ndarray] = {}
        samples: dict[Any, np.ndarray] = {}
        clusters = explanation.clusters
        labels, kinds = self._names(explanation)
        members = clusters.tuples()
        for row, (term, order, _, shifts) in enumerate(clusters.identities()):
            inside = members[row]
            # who else feels a remainder changes as neighbours come and go
            key = (term, order, inside, shifts if order else ())
            if key not in about:
                about[key] = About(labels[row], kinds[row], order, term, _dashed(inside))
            values[key] = values.get(key, 0.0) + explanation.values[row]
            if explanation.samples is not None:
                samples[key] = samples.get(key, 0.0) + explanation.samples[row]
        return about, values, samples

    def _names(self, explanation: Explanation) -> tuple[list[str], list[str]]:
        """Labels and kinds that are the same in all frames."""
        if self.chemistry is None:
            return explanation.labels, explanation.kinds
        labels, kinds, _ = describe(explanation.atoms, explanation.clusters, self.chemistry)
        return labels, kinds

    def _sums(self, explanation: Explanation) -> tuple[dict, dict, dict]:
        kinds = self._names(explanation)[1] if self.by == "kind" else ()
        keys = keys_of(explanation.clusters, self.by, kinds, self.molecules)
        values = summed(keys, explanation.values)
        about = {key: _about_group(explanation, self.by, key, self.molecules) for key in values}
        return (
            about,
            values,
            {} if explanation.samples is None else summed(keys, explanation.samples),
        )

    def dataset(self, times: np.ndarray) -> xr.Dataset:
        """All frames as one array; see `explain_trajectory`.

        Raises:
            TrajectoryError: no frame was explained.
        """
        heading = self.heading
        if heading is None:
            raise TrajectoryError("no frame was explained")
        keys, tail = list(self.about), heading.tail
        value = np.zeros((len(self), len(keys), *tail))
        for frame, rows in enumerate(self.values):
            for place, key in enumerate(keys):
                if key in rows:
                    value[frame, place] = rows[key]
        size = np.abs(value) if not tail else np.linalg.norm(value, axis=-1)
        ranked = np.argsort(-size.mean(0), kind="stable")
        total, predicted = np.stack(self.totals), np.stack(self.predicted)
        residual = np.abs(total - predicted).reshape(len(self), -1).max(1)
        of_values = ("frame", "interaction", *(["component"] if tail else []))
        of_sums = ("frame", *of_values[2:])
        units = {"units": heading.unit}
        variables = {
            "value": (of_values, value[:, ranked], units),
            "total": (of_sums, total, units),
            "predicted": (of_sums, predicted, units),
            "residual": ("frame", residual, units),
        }
        if any(self.stds):
            none = np.zeros(tail)
            table = [[stds.get(keys[place], none) for place in ranked] for stds in self.stds]
            variables["std"] = (of_values, np.array(table), units)
        if all(self.samples) and heading.joint:
            size = min(drawn.shape[-1] for one in self.samples for drawn in one.values())
            none = np.zeros((*tail, size))
            table = [
                [one.get(keys[place], none)[..., :size] for place in ranked] for one in self.samples
            ]
            variables["deviation"] = ((*of_values, "sample"), np.array(table), units)
        about = [self.about[keys[place]] for place in ranked]
        coordinates = {
            "frame": np.arange(len(self)),
            "time_fs": ("frame", times, {"units": "fs"}),
            "interaction": np.array(_distinct(about), dtype=str),
            "label": ("interaction", np.array([a.label for a in about], dtype=str)),
            "kind": ("interaction", np.array([a.kind for a in about], dtype=str)),
            "order": ("interaction", np.array([a.order for a in about], dtype=int)),
            "term": ("interaction", np.array([a.term for a in about], dtype=str)),
            "atoms": ("interaction", np.array([a.atoms for a in about], dtype=str)),
        }
        if tail:
            coordinates["component"] = list("xyz")
        attributes = {
            "target": heading.target,
            "unit": heading.unit,
            "gauge": heading.gauge,
            "method": heading.method,
            "context": heading.context,
            "by": self.by,
            "statement": heading.statement,
            "largest_residual": float(residual.max()),
            "provenance": heading.provenance,
        }
        return xr.Dataset(variables, coordinates, attributes)


def _about_group(explanation: Explanation, by: str, key: Any, molecules: Fragments) -> About:
    if by == "order":
        return About(f"{key}-body" if key else "remainder", order=int(key))
    if by == "term":
        return About(key, term=key)
    if by == "kind":
        return About(key, kind=key)
    symbols = explanation.atoms.symbols
    if by == "fragment":
        names = [f"{symbols[list(m)].get_chemical_formula()}({m[0]})" for m in molecules]
        inside = [a for number in key for a in molecules[number]]
        word = "within " if len(key) == 1 else ""
        return About(word + "···".join(names[n] for n in key), atoms=_dashed(inside))
    atoms = (key,) if by == "atom" else key
    label = "···".join(f"{symbols[a]}{a}" for a in atoms)
    alone = by == "pair" and len(atoms) == 1
    return About(f"at {label}" if alone else label, atoms=_dashed(atoms))


def _distinct(about: Sequence[About]) -> list[str]:
    """Labels; with their term, and at last a number, where several rows have the same."""
    names = [row.label for row in about]
    for more in (lambda row, _: f"{row.label} ({row.term})", lambda row, n: f"{row.label} [{n}]"):
        counts = Counter(names)
        names = [
            more(row, number) if counts[name] > 1 else name
            for number, (name, row) in enumerate(zip(names, about, strict=True))
        ]
    return names


def _dashed(atoms: Iterable[int]) -> str:
    return "-".join(str(a) for a in atoms)
