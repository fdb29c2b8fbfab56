"""Explanations of every frame of a trajectory as one labelled array."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from tqdm.auto import tqdm

from interpmd.attribution.contributions import GROUPINGS, keys_of, summed
from interpmd.attribution.explanation import Explanation
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.kinds import Chemistry, describe, frozen_chemistry
from interpmd.attribution.methods.dispatch import (
    explain,
    knows_error_bars,
    reference_structure,
    settled_gauge,
)
from interpmd.attribution.models import as_model
from interpmd.attribution.targets import Energy, Force, Power, Target, Torque
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.dynamics import Trajectory
from interpmd.errors import GroupingError, TrajectoryError
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.fragments import Fragments, fragments_of
from interpmd.structures.groups import Grouping

if TYPE_CHECKING:
    import xarray as xr


#: What the rows of a dataset may be: single interactions, or sums of `Explanation.by`.
ROWS = ("interaction", *GROUPINGS)


def explain_trajectory(
    model: Any,
    trajectory: Trajectory | Sequence[Atoms],
    target: Target | None = None,
    method: str | None = None,
    order: int | str | None = "auto",
    context: str = "vacuum",
    fragments: str | Sequence[Sequence[int]] | None = None,
    by: str = "interaction",
    times: Sequence[float] | None = None,
    progress: bool = True,
    *,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    reference: Atoms | int | str | None = None,
    **options: Any,
) -> xr.Dataset:
    """Explain every frame; `trajectory[::10]` explains every tenth.

    A keyboard interrupt ends it early, with a warning, and returns the frames that are done.

    Args:
        model, target, method, order, context, options: see `explain`. Error bars of forces cost
            more than the forces, so that they are made only with ``error_bars=True``.
        trajectory: frames with the same atoms in the same order.
        fragments: see `explain`; those of the first frame are kept for all.
        by: "interaction", one row for each cluster of each term; or "order", "term", "kind",
            "pair", "atom", "fragment", sums as in `Explanation.by`. Names and kinds are the same
            in all frames: a proton that jumps is a shared proton throughout.
        times: fs, of plain frames; their number if None.
        progress: whether to show a progress bar.
        gauge: see `explain`; made once for all frames.
        reference: explain differences: from a frame (its number), a structure of the same atoms,
            the "relaxed" first frame, or the "mean" of all frames.

    Returns:
        Dataset with the dimensions frame, interaction and, for vectors, component, in the unit
        of the target (attribute `units` of each variable):

        - value (frame, interaction[, component]); 0 in frames where an interaction is absent
        - std (frame, interaction[, component]): under the posterior, where it is known
        - deviation (frame, interaction[, component], sample): joint samples of the posterior,
          with ``error_bars=True``
        - total, predicted (frame[, component]): sum of the values, and the target of the model
        - residual (frame): largest difference between the two
        - coordinates time_fs (frame) and, of each interaction, label, kind, order, term and
          atoms ("4-8") as in its first frame; sums leave empty (order: -1) what differs inside.

        The interactions stand in the order of their mean size. Attributes name the target,
        method and origin and say what is fact and what is convention; `to_netcdf` keeps all.
        `.drivers()` tells which interactions the changes come from, `.reg()` along events.

    Raises:
        TrajectoryError: no frames, frames with other atoms, a reference that is none of them, or
            another number of times than of frames.
        GroupingError: another word for `by`.
        Others: see `explain`.
    """
    frames, moments = frames_and_times(trajectory, times)
    collected = collect(
        model,
        frames,
        lambda _: target,
        by,
        fragments,
        progress,
        gauge,
        method,
        order,
        context,
        _reference(model, frames, reference),
        **options,
    )
    dataset = collected.dataset(moments[: len(collected)])
    if reference == "mean":
        return _less(dataset, dataset.mean("frame"), "the mean of all frames")
    if reference is None:
        return dataset
    first = dataset.isel(frame=-1, drop=True)
    return _less(dataset.isel(frame=slice(None, -1)), first, _words(reference))


def _reference(
    model: Any, frames: Sequence[Atoms], reference: Atoms | int | str | None
) -> list[Atoms]:
    """The structure that is explained beside the frames, if there is one."""
    if reference is None or reference == "mean":
        return []
    if isinstance(reference, int | np.integer) and not isinstance(reference, bool):
        if not -len(frames) <= reference < len(frames):
            raise TrajectoryError(f"there is no frame {reference}: there are {len(frames)}")
        return [frames[reference]]
    return [reference_structure(as_model(model), frames[0], reference)]


def _less(dataset: xr.Dataset, other: xr.Dataset, words: str) -> xr.Dataset:
    """Differences from a reference; the error bars of both are not added up."""
    names = [n for n in ("value", "total", "predicted", "deviation") if n in dataset]
    changed = {
        name: (dataset[name] - other[name]).assign_attrs(dataset[name].attrs) for name in names
    }
    changed = dataset.drop_vars("std", errors="ignore").assign(changed)
    return changed.assign_attrs(dataset.attrs | {"reference": words})


def _words(reference: Atoms | int | str) -> str:
    if isinstance(reference, str):
        return f"the {reference} first frame"
    return "a structure" if isinstance(reference, Atoms) else f"frame {reference}"


def frames_and_times(
    trajectory: Trajectory | Sequence[Atoms], times: Sequence[float] | None
) -> tuple[list[Atoms], np.ndarray]:
    """The frames and when they were taken, in fs.

    Raises:
        TrajectoryError: see `explain_trajectory`.
    """
    frames = [trajectory] if isinstance(trajectory, Atoms) else list(trajectory)
    if not frames:
        raise TrajectoryError("the trajectory has no frames")
    for index, atoms in enumerate(frames):
        if len(atoms) != len(frames[0]) or (atoms.numbers != frames[0].numbers).any():
            raise TrajectoryError(
                f"frame {index} is {atoms.symbols}, and the first one {frames[0].symbols}: all "
                "frames must have the same atoms in the same order"
            )
    given = getattr(trajectory, "times", None) if times is None else times
    moments = np.arange(len(frames), dtype=float) if given is None else np.asarray(given, float)
    if moments.shape != (len(frames),):
        raise TrajectoryError(f"{moments.size} times for {len(frames)} frames")
    return frames, moments


def collect(
    model: Any,
    frames: Sequence[Atoms],
    target_of: Callable[[int], Target | None],
    by: str = "interaction",
    fragments: str | Sequence[Sequence[int]] | None = None,
    progress: bool = True,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    method: str | None = None,
    order: int | str | None = "auto",
    context: str = "vacuum",
    extra: Sequence[Atoms] = (),
    **options: Any,
) -> Collected:
    """Explain each frame with the target that belongs to its index; see `explain_trajectory`.

    Args:
        model, frames, by, fragments, progress, gauge, method, order, context, options: see there.
        target_of: target of the frame of an index.
        extra: more structures, explained after the frames.
    """
    if by not in ROWS:
        raise GroupingError(f"cannot sum by {by!r}; choose one of {', '.join(ROWS)}")
    wrapped, everything = as_model(model), [*frames, *extra]
    first = target_of(0) or Energy()
    made = settled_gauge(everything, first, gauge, method, order, context, fragments)
    if knows_error_bars(made.method if method is None else method):
        # those of energies of atoms come with the table
        cheap = isinstance(first, Energy) and made.name != "groups"
        options = {"error_bars": cheap} | options
    molecules = made.players if made.players is not None else fragments_of(frames[0])
    named = frozen_chemistry(everything) if made.name == "atoms" and not made.players else None
    collected = Collected(by, molecules=molecules, chemistry=named)
    bar = tqdm(range(len(everything)), desc="explain", unit="frame", disable=not progress)
    try:
        with one_thread():  # small tensors: more threads are slower
            for index in bar:
                target = target_of(min(index, len(frames) - 1))
                atoms = everything[index]
                collected.add(
                    explain(wrapped, atoms, target, method, order, context, gauge=made, **options)
                )
    except KeyboardInterrupt:
        if not len(collected) or extra:
            raise
        warnings.warn(
            f"interrupted: {len(collected)} of {len(frames)} frames are explained", stacklevel=3
        )
    return collected


@dataclass(frozen=True)
class About:
    """What is known of a row: the coordinates along the dimension interaction."""

    label: str
    kind: str = ""
    order: int = -1
    term: str = ""
    atoms: str = ""


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
        first: explanation of the first frame, which says what all of them are.
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
    first: Explanation | None = None

    def __len__(self) -> int:
        return len(self.values)

    def add(self, found: Explanation) -> None:
        """Take in one frame."""
        if self.first is None:
            self.first = found
        values, samples = self._single(found) if self.by == "interaction" else self._sums(found)
        self.values.append(values)
        self.samples.append(samples)
        self.stds.append({key: standard_deviation(drawn) for key, drawn in samples.items()})
        self.totals.append(np.asarray(found.total))
        self.predicted.append(np.asarray(found.predicted))

    def _single(self, found: Explanation) -> tuple[dict, dict]:
        values: dict[Any, np.ndarray] = {}
        samples: dict[Any, np.ndarray] = {}
        clusters = found.clusters
        labels, kinds = self._names(found)
        members = clusters.tuples()
        for row, (term, order, _, shifts) in enumerate(clusters.identities()):
            mine = members[row]
            # who else feels a remainder changes as neighbours come and go
            key = (term, order, mine, shifts if order else ())
            if key not in self.about:
                self.about[key] = About(labels[row], kinds[row], order, term, _dashed(mine))
            values[key] = values.get(key, 0.0) + found.values[row]
            if found.samples is not None:
                samples[key] = samples.get(key, 0.0) + found.samples[row]
        return values, samples

    def _names(self, found: Explanation) -> tuple[list[str], list[str]]:
        """Labels and kinds that are the same in all frames."""
        if self.chemistry is None:
            return found.labels, found.kinds
        labels, kinds, _ = describe(found.atoms, found.clusters, self.chemistry)
        return labels, kinds

    def _sums(self, found: Explanation) -> tuple[dict, dict]:
        kinds = self._names(found)[1] if self.by == "kind" else ()
        keys = keys_of(found.clusters, self.by, kinds, self.molecules)
        values = summed(keys, found.values)
        for key in values:
            if key not in self.about:
                self.about[key] = _about_group(found, self.by, key, self.molecules)
        return values, {} if found.samples is None else summed(keys, found.samples)

    def dataset(self, times: np.ndarray) -> xr.Dataset:
        """All frames as one array; see `explain_trajectory`."""
        import xarray as xr

        target, unit = self.first.target, self.first.unit
        keys = list(self.about)
        tail = self.first.values.shape[1:]
        value = np.zeros((len(self), len(keys), *tail))
        for frame, found in enumerate(self.values):
            for place, key in enumerate(keys):
                if key in found:
                    value[frame, place] = found[key]
        size = np.abs(value) if not tail else np.linalg.norm(value, axis=-1)
        ranked = np.argsort(-size.mean(0), kind="stable")
        total, predicted = np.stack(self.totals), np.stack(self.predicted)
        residual = np.abs(total - predicted).reshape(len(self), -1).max(1)
        of_values = ("frame", "interaction", *(["component"] if tail else []))
        of_sums = ("frame", *of_values[2:])
        units = {"units": unit}
        variables = {
            "value": (of_values, value[:, ranked], units),
            "total": (of_sums, total, units),
            "predicted": (of_sums, predicted, units),
            "residual": ("frame", residual, units),
        }
        if any(self.stds):
            none = np.zeros(tail)
            table = [[found.get(keys[place], none) for place in ranked] for found in self.stds]
            variables["std"] = (of_values, np.array(table), units)
        if all(self.samples) and isinstance(self.first.target, Force | Torque | Power):
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
            "target": str(target),
            "unit": unit,
            "gauge": self.first.gauge,
            "method": self.first.method,
            "context": self.first.context,
            "by": self.by,
            "statement": self.first.statement,
            "largest_residual": float(residual.max()),
            "provenance": json.dumps(
                {k: v for k, v in self.first.provenance.items() if k != "certificate"}, default=str
            ),
        }
        return xr.Dataset(variables, coordinates, attributes)


def _about_group(found: Explanation, by: str, key: Any, molecules: Fragments) -> About:
    if by == "order":
        return About(f"{key}-body" if key else "remainder", order=int(key))
    if by == "term":
        return About(key, term=key)
    if by == "kind":
        return About(key, kind=key)
    symbols = found.atoms.symbols
    if by == "fragment":
        names = [f"{symbols[list(m)].get_chemical_formula()}({m[0]})" for m in molecules]
        inside = [a for number in key for a in molecules[number]]
        word = "within " if len(key) == 1 else ""
        return About(word + "···".join(names[n] for n in key), atoms=_dashed(inside))
    mine = (key,) if by == "atom" else key
    label = "···".join(f"{symbols[a]}{a}" for a in mine)
    alone = by == "pair" and len(mine) == 1
    return About(f"at {label}" if alone else label, atoms=_dashed(mine))


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
