"""Who did the work: power and work of every interaction along a trajectory.

An atom's kinetic energy changes by the work of the force on it, and the force is the sum of the
rows, so that

    E_kin(t) - E_kin(0) = sum over rows: integral from 0 to t of f(row) . v dt'

(work-energy theorem, one integral a row). Rows that act on chosen atoms only, summed over these.
On all of its own atoms a row of atoms does the work that its energy loses, whatever the path; a
coordinate of the gauge "internal" does the work of its tension, integral of g dq.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import Atoms

from interpmd import arguments
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.methods.dispatch import settled_gauge, settled_method
from interpmd.attribution.models import Model, as_model
from interpmd.attribution.over_time.closure import (
    closure_error,
    foreseen,
    kinetic_energies,
    reason,
)
from interpmd.attribution.over_time.frames import collect, frames_and_times
from interpmd.attribution.over_time.integration import ORDERS, powers, works_of
from interpmd.attribution.over_time.path import work_along
from interpmd.attribution.targets import Force, Power
from interpmd.dynamics import Trajectory
from interpmd.errors import LedgerError, LedgerWarning
from interpmd.keywords import renamed
from interpmd.structures.coordinates import Coordinates
from interpmd.structures.groups import Grouping

if TYPE_CHECKING:
    import xarray as xr


@renamed(potential="model")
def ledger(
    model: Any,
    trajectory: Trajectory | Sequence[Atoms],
    atoms: Sequence[int | str] | int | str | None = None,
    by: str = "interaction",
    order: int | str | None = "auto",
    rule: Literal["verlet", "simpson", "trapezoid"] | None = None,
    tolerance: float = 0.01,
    times: Sequence[float] | None = None,
    progress: bool = True,
    *,
    gauge: str | Gauge | Grouping | Coordinates | None = None,
    **options: Any,
) -> xr.Dataset:
    """Power and work of each interaction on chosen atoms; the works sum to their kinetic energy.

    Rules of integration, with the order in the interval between frames with which their error
    falls:

    - "verlet", 2: mean force times mean velocity times interval. For frames of every step of
      velocity Verlet at constant energy it is the very sum that the integrator makes, so that the
      ledger closes to rounding.
    - "simpson", 4: parabolas through the powers of three frames; down to the error of the
      integrator itself, second order in its time step.
    - "trapezoid", 2.

    Frames without velocities, as of a scan or a reaction path, are explained by the works of
    internal coordinates, which sum to what the potential energy loses.

    Args:
        model: a Potential, or any model that `explain` takes.
        trajectory: frames with velocities, as `im.simulate` records them; frames of every or
            every other step, for the fastest vibration must be resolved. Or frames along a path.
        atoms: on which the work is done, by index or name ("H8"); all if None.
        by: see `explain_trajectory`.
        order: largest body order of the rows; what is above stands as remainders.
        rule: "verlet" if None and the frames are the steps of an integration, else "simpson".
        tolerance: largest closure error in eV that goes without a warning.
        times: fs, of plain frames.
        progress: whether to show a progress bar.
        gauge: see `explain`; made once for all frames.
        options: others of `explain_trajectory`, as `fragments` or `method`.

    Returns:
        Dataset with the dimensions frame and interaction and the coordinates of
        `explain_trajectory`, interactions in the order of the largest work that they did:

        - power (frame, interaction), total_power, model_power, residual (frame) in eV/fs: f . v
          of each row, their sum, f . v of the model's own force, and the difference
        - work (frame, interaction), total_work (frame) in eV: since the first frame
        - kinetic_energy (frame) in eV, of the chosen atoms
        - closure_error (frame) in eV: total work less the change of the kinetic energy.
          Thermostats do work that no interaction does, so that it holds their heat, too.

        Of a path without velocities: work, total_work, potential_energy, and closure_error, the
        total work plus the change of the potential energy.

        Attributes: rule, rule_order, interval_fs, largest_closure_error_eV, and those of
        `explain_trajectory`.

    Raises:
        LedgerError: some frames with velocities and some without, fewer than two frames, times
            that are missing or do not ascend, an unknown rule; of a path: chosen atoms, a rule, or
            a gauge whose rows have energies of their own.
        Others: see `explain_trajectory`.

    Warns:
        LedgerWarning: the closure error is larger than `tolerance`; says why, and which interval
            between frames would do. It comes before the rows are made where the forces of the
            frames are at hand or cheap.
    """
    arguments.positive(tolerance=tolerance)
    frames, moments = frames_and_times(trajectory, times)
    if len(frames) < 2:
        raise LedgerError("work is done from one frame to the next, and there is only one frame")
    wrapped = as_model(model)
    asked = dict(gauge=gauge, order=order, **options)
    if not any(frame.has("momenta") for frame in frames):
        if atoms is not None or rule is not None:
            raise LedgerError(
                "the work on chosen atoms, and rules of integration, need frames with velocities; "
                "along a path leave atoms and rule out"
            )
        return _along_a_path(wrapped, frames, moments, by, tolerance, asked)
    _check(frames, moments, times is not None or hasattr(trajectory, "times"))
    one = isinstance(atoms, str) or not isinstance(atoms, Sequence | np.ndarray | None)
    power = Power([atoms] if one else atoms)
    settings = getattr(trajectory, "settings", {})
    if rule is None:
        step = settings.get("time_step_fs")
        every = step is not None and np.allclose(np.diff(moments), step, rtol=1e-6)
        rule = "verlet" if every else "simpson"
    target = powers(frames, power, rule)
    expected = foreseen(wrapped, frames, moments, target, rule, power) or 0.0
    if expected > tolerance:
        _warn(
            expected, tolerance, reason(frames, moments, rule, power, settings, expected, tolerance)
        )
    rows = collect(wrapped, frames, target, by=by, progress=progress, **asked)
    frames, moments = frames[: len(rows)], moments[: len(rows)]
    book = _assembled(rows.dataset(moments), frames, power, rule)
    worst = book.attrs["largest_closure_error_eV"]
    if worst > tolerance >= expected:
        own = book.model_power.values
        why = reason(frames, moments, rule, power, settings, worst, tolerance, own)
        _warn(worst, tolerance, why)
    return book


def _along_a_path(
    model: Model,
    frames: Sequence[Atoms],
    moments: np.ndarray,
    by: str,
    tolerance: float,
    asked: dict[str, Any],
) -> xr.Dataset:
    """Works of the coordinates along frames without velocities."""
    known = ("gauge", "order", "method", "context", "fragments")
    about = {name: value for name, value in asked.items() if name in known}
    gauge = settled_gauge(frames, Force(0), **about)
    if not isinstance(gauge, InternalGauge):
        raise LedgerError(
            "the frames have no velocities, without which there is no power; record them "
            "(im.simulate does, and .traj files keep them). Along a path the rows of the gauge "
            f'"{gauge.name}" have energies of their own, whose changes sum exactly: '
            "im.explain_trajectory(model, frames, reference=0)"
        )
    settled_method(
        gauge,
        asked.get("method"),
        asked["order"],
        asked.get("context", "vacuum"),
        {name: value for name, value in asked.items() if name not in known},
    )
    book = work_along(model, frames, moments, gauge, by)
    worst = book.attrs["largest_closure_error_eV"]
    if worst > tolerance:
        warnings.warn(
            f"the works do not sum to the change of the potential energy: they miss it by up to "
            f"{worst:.2g} eV, more than {tolerance:g} eV; take frames nearer to each other",
            LedgerWarning,
            stacklevel=4,
        )
    return book


def _warn(worst: float, tolerance: float, why: str) -> None:
    warnings.warn(
        f"the works do not sum to the kinetic energy: they miss it by up to {worst:.2g} eV, more "
        f"than {tolerance:g} eV; {why}",
        LedgerWarning,
        stacklevel=4,
    )


def _check(frames: Sequence[Atoms], moments: np.ndarray, timed: bool) -> None:
    for index, atoms in enumerate(frames):
        if not atoms.has("momenta"):
            raise LedgerError(
                f"frame {index} has no velocities, without which there is no work; record them "
                "(im.simulate does, and .traj files keep them)"
            )
    if not timed:
        raise LedgerError("plain frames have no times; pass times=[...] in fs")
    if (np.diff(moments) <= 0).any():
        raise LedgerError("the times of the frames must ascend")


def _assembled(table: xr.Dataset, frames: Sequence[Atoms], power: Power, rule: str) -> xr.Dataset:
    times = table.time_fs.values
    works = works_of(table.value.values, times, rule)
    if "component" in table.dims:
        table = table.isel(component=0, drop=True)
    closure = closure_error(works, frames, power)
    residual = np.abs(table.total.values - table.predicted.values)
    rate, energy = {"units": "eV/fs"}, {"units": "eV"}
    book = table.drop_vars(["residual", "std"], errors="ignore").rename(
        value="power", total="total_power", predicted="model_power"
    )
    book = book.assign(
        residual=("frame", residual, rate),
        work=(("frame", "interaction"), works, energy),
        total_work=("frame", works.sum(1), energy),
        kinetic_energy=("frame", kinetic_energies(frames, power), energy),
        closure_error=("frame", closure, energy),
    )
    book = book.isel(interaction=np.argsort(-np.abs(works).max(0), kind="stable"))
    book.attrs = table.attrs | {
        "unit": "eV",
        "rule": rule,
        "rule_order": ORDERS[rule],
        "interval_fs": float(np.diff(times).max(initial=0.0)),
        "largest_residual": float(residual.max()),
        "largest_closure_error_eV": float(np.abs(closure).max()),
    }
    return book
