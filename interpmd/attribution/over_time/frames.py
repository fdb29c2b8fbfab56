"""Explanations of every frame of a trajectory as one labelled array."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from ase import Atoms
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.attribution.contributions import GROUPINGS
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.kinds import frozen_chemistry
from interpmd.attribution.methods.dispatch import (
    knows_error_bars,
    reference_structure,
    settled_gauge,
)
from interpmd.attribution.models import as_model
from interpmd.attribution.over_time import drivers, reg  # noqa: F401 (register .drivers, .reg)
from interpmd.attribution.over_time.asked import Asked, rows
from interpmd.attribution.over_time.collected import Collected
from interpmd.attribution.over_time.kept import Kept, frames_digest
from interpmd.attribution.targets import Energy, Target, as_target
from interpmd.dynamics import Trajectory
from interpmd.dynamics.frames import frames_and_times
from interpmd.dynamics.record import name as potential_name
from interpmd.errors import GroupingError, OutputError, TrajectoryError
from interpmd.potentials.potential import Potential
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.files import Structures
from interpmd.structures.fragments import fragments_of
from interpmd.structures.groups import Grouping

#: What the rows of a dataset may be: single interactions, or sums of `Explanation.by`.
ROWS = ("interaction", *GROUPINGS)


def explain_trajectory(
    model: Any,
    trajectory: Trajectory | Structures,
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
    out: str | Path | None = None,
    workers: int | None = None,
    client: Any = None,
    **options: Any,
) -> xr.Dataset:
    """Explain every frame; `trajectory[::10]` explains every tenth.

    A keyboard interrupt ends it early, with a warning, and returns the frames that are done.

    Args:
        model, target, method, order, context, options: see `explain`. Error bars of forces cost
            more than the forces, so that they are made only with ``error_bars=True``.
        trajectory: frames with the same atoms in the same order, or files of them (see
            `read_frames`).
        fragments: see `explain`; those of the first frame are kept for all.
        by: "interaction", one row for each cluster of each term; or "order", "term", "kind",
            "pair", "atom", "fragment", sums as in `Explanation.by`. Names and kinds are the same
            in all frames: a proton that jumps is a shared proton throughout.
        times: fs, of plain frames; their number if None.
        progress: whether to show a progress bar.
        gauge: see `explain`; made once for all frames.
        reference: explain differences: from a frame (its number), a structure of the same atoms,
            the "relaxed" first frame, or the "mean" of all frames.
        out: a file (say .jsonl) that grows by one line a frame. The same call with the same file
            goes on where it was broken off, to the same dataset.
        workers: processes, one thread each; if None this one, and all cores where that ends much
            earlier. To ask for more than one a script needs the guard
            ``if __name__ == "__main__"`` (notebooks need nothing).
        client: a ``dask.distributed.Client``, whose workers explain instead; what a lost worker
            had is explained by others.

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
        ExplanationFileError: `out` holds something else, or explanations of other frames, by
            another model or with other settings; it stays as it is.
        ExplanationSealError: `out` was altered; it stays as it is.
        OutputError: `out` cannot be written, or another call writes it; `report` of the error
            holds the dataset of the frames that were explained.
        CalculationError: processes were killed at one frame again and again, or the cluster is
            gone; `out` holds what was explained.
        Others: see `explain`.
    """
    frames, moments = frames_and_times(trajectory, times)
    compared = _reference(model, frames, reference)
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
        compared,
        out,
        workers,
        client,
        **options,
    )
    moments = np.concatenate([moments, np.full(len(compared), np.nan)])
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
    """Differences from a reference, the largest first; error bars of both are not added up."""
    names = [n for n in ("value", "total", "predicted", "deviation") if n in dataset]
    changed = {
        name: (dataset[name] - other[name]).assign_attrs(dataset[name].attrs) for name in names
    }
    changed = dataset.drop_vars("std", errors="ignore").assign(changed)
    size = (
        np.abs(changed.value)
        if changed.value.ndim == 2
        else changed.value.reduce(np.linalg.norm, "component")
    )
    ranked = np.argsort(-size.mean("frame").values, kind="stable")
    return changed.isel(interaction=ranked).assign_attrs(dataset.attrs | {"reference": words})


def _words(reference: Atoms | int | str) -> str:
    if isinstance(reference, str):
        return f"the {reference} first frame"
    return "a structure" if isinstance(reference, Atoms) else f"frame {reference}"


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
    out: str | Path | None = None,
    workers: int | None = None,
    client: Any = None,
    **options: Any,
) -> Collected:
    """Explain each frame with the target that belongs to its index; see `explain_trajectory`.

    Args:
        model, frames, by, fragments, progress, gauge, method, order, context, options: see there.
        target_of: target of the frame of an index.
        extra: more structures, explained after the frames.
        out: a file that grows by one line a frame, and from which the same call goes on.
        workers, client: see there.
    """
    arguments.count(workers=1 if workers is None else workers)
    if by not in ROWS:
        raise GroupingError(f"cannot sum by {by!r}; choose one of {', '.join(ROWS)}")
    everything = [*frames, *extra]
    as_model(model)  # says what it is not
    first = as_target(target_of(0))
    made = settled_gauge(everything, first, gauge, method, order, context, fragments)
    if knows_error_bars(made.method if method is None else method):
        # those of energies of atoms come with the table
        cheap = isinstance(first, Energy) and made.name != "groups"
        options = {"error_bars": cheap} | options
    molecules = made.players if made.players is not None else fragments_of(frames[0])
    named = frozen_chemistry(everything) if made.name == "atoms" and not made.players else None
    collected = Collected(by, molecules=molecules, chemistry=named)
    question = {
        "model": _name(model),
        "frames": frames_digest(everything),
        "target": repr(target_of(0)),
        "method": method,
        "order": order,
        "context": context,
        "by": by,
        "gauge": made.name,
        "players": made.players,
        "coordinates": made.coordinates.labels if isinstance(made, InternalGauge) else None,
        "fragments": molecules,
        "options": repr(sorted(options.items())),
    }
    asked = Asked(model, method, order, context, made, options, by, molecules, named)
    targets = [target_of(min(index, len(frames) - 1)) for index in range(len(everything))]
    words = [f"{index} {target!r}" for index, target in enumerate(targets)]
    bar = tqdm(range(len(everything)), desc="explain", unit="frame", disable=not progress)
    try:
        with nullcontext() if out is None else Kept(out, question) as kept:
            known = [
                kept.get(a, w) if kept else None for a, w in zip(everything, words, strict=True)
            ]
            todo = [(i, everything[i], targets[i]) for i, row in enumerate(known) if row is None]
            with closing(rows(asked, todo, workers, client)) as fresh:
                for index in bar:
                    row = known[index]
                    if row is None:
                        row = next(fresh)
                        if kept:
                            kept.add(everything[index], words[index], row)
                    collected.take(row)
    except KeyboardInterrupt:
        if not len(collected) or extra:
            raise
        warnings.warn(
            f"interrupted: {len(collected)} of {len(frames)} frames are explained", stacklevel=3
        )
    except OutputError as error:
        if len(collected):
            error.report = collected.dataset(np.arange(len(collected), dtype=float))
        raise
    return collected


def _name(model: Any) -> str:
    """The same for the same model, so that explanations of two do not mix."""
    if isinstance(model, Potential) or hasattr(model, "get_potential_energy"):
        return potential_name(model)
    return type(model).__name__
