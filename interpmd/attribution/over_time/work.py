"""Who did the work: power and work of every interaction along a trajectory.

An atom's kinetic energy changes by the work of the force on it, and the force is the sum of the
rows of the table, so that

    E_kin(t) - E_kin(0) = sum over rows: integral from 0 to t of f(row) . v dt'

(work-energy theorem, one integral a row). Rows that act on chosen atoms only, summed over these.
On all of its own atoms a row does the work that its energy loses, whatever the path.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from ase import Atoms, units
from jaxtyping import Float
from scipy.integrate import cumulative_simpson, cumulative_trapezoid

from interpmd.attribution.over_time.frames import collect, frames_and_times
from interpmd.attribution.targets import Functional, Power, Target
from interpmd.dynamics import Trajectory
from interpmd.errors import LedgerError, LedgerWarning

if TYPE_CHECKING:
    import xarray as xr


#: Power of the interval with which the error of each rule falls.
ORDERS = {"verlet": 2, "simpson": 4, "trapezoid": 2}

#: Change of the phase of the fastest vibration, in radians, from one frame to the next, above which
#: errors do not fall as the order says.
LARGEST_PHASE = 0.5


@dataclass(frozen=True)
class _Powers(Target):
    """Power on `power`'s atoms with the frame's velocities, and with the mean velocities of the
    steps before and after it: three numbers, passed on as the components of a vector."""

    power: Power
    before: Float[np.ndarray, "atoms 3"]
    after: Float[np.ndarray, "atoms 3"]
    unit = "eV/fs"

    def functional(self, atoms: Atoms) -> Functional:
        now = self.power.functional(atoms).forces[0]
        felt = np.zeros((len(atoms), 1))
        felt[self.power.indices(atoms)] = 1.0
        forces = np.stack([now, felt * self.before, felt * self.after])
        return Functional(np.zeros(3), forces, vector=True)

    def __str__(self) -> str:
        return str(self.power)


def ledger(
    potential: Any,
    trajectory: Trajectory | Sequence[Atoms],
    atoms: Sequence[int] | int | None = None,
    by: str = "interaction",
    order: int | str | None = "auto",
    rule: Literal["verlet", "simpson", "trapezoid"] | None = None,
    tolerance: float = 0.01,
    times: Sequence[float] | None = None,
    progress: bool = True,
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

    Args:
        potential: a Potential, or any model that `explain` takes.
        trajectory: frames with velocities, as `im.simulate` records them; frames of every or
            every other step, for the fastest vibration must be resolved.
        atoms: on which the work is done; all if None.
        by: see `explain_trajectory`.
        order: largest body order of the rows; what is above stands as remainders.
        rule: "verlet" if None and the frames are the steps of an integration, else "simpson".
        tolerance: largest closure error in eV that goes without a warning.
        times: fs, of plain frames.
        progress: whether to show a progress bar.
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

        Attributes: rule, rule_order, interval_fs, largest_closure_error_eV, and those of
        `explain_trajectory`.

    Raises:
        LedgerError: a frame without velocities, fewer than two frames, times that are missing or
            do not ascend, or an unknown rule.
        Others: see `explain_trajectory`.

    Warns:
        LedgerWarning: the closure error is larger than `tolerance`; says why, and which interval
            between frames would do.
    """
    frames, moments = frames_and_times(trajectory, times)
    _check(frames, moments, times is not None or hasattr(trajectory, "times"))
    chosen = [atoms] if isinstance(atoms, int | np.integer) else atoms
    power = Power(None if chosen is None else tuple(chosen))
    settings = getattr(trajectory, "settings", {})
    if rule is None:
        step = settings.get("time_step_fs")
        every = step is not None and np.allclose(np.diff(moments), step, rtol=1e-6)
        rule = "verlet" if every and len(frames) > 1 else "simpson"
    if rule not in ORDERS:
        raise LedgerError(f"no rule is called {rule!r}; known: {', '.join(ORDERS)}")
    velocities = np.stack([a.get_velocities() for a in frames]) * units.fs
    means = 0.5 * (velocities[1:] + velocities[:-1])
    zero = np.zeros((1, *velocities.shape[1:]))
    before, after = np.concatenate([zero, means]), np.concatenate([means, zero])

    def target(frame: int) -> Target:
        return _Powers(power, before[frame], after[frame]) if rule == "verlet" else power

    asked = dict(by=by, order=order, **options)
    collected = collect(potential, frames, target, progress=progress, **asked)
    table = collected.dataset(moments[: len(collected)])
    works = _works(table.value.values, table.time_fs.values, rule)
    made = _assembled(table, works, frames, power)
    interval = float(np.diff(moments).max())
    made.attrs |= {"rule": rule, "rule_order": ORDERS[rule], "interval_fs": interval}
    worst = made.attrs["largest_closure_error_eV"]
    if worst > tolerance:
        reason = _reason(made, frames, power, settings, tolerance)
        warnings.warn(
            f"the works do not sum to the kinetic energy: they miss it by up to {worst:.2g} eV, "
            f"more than {tolerance:g} eV; {reason}",
            LedgerWarning,
            stacklevel=2,
        )
    return made


def _check(frames: Sequence[Atoms], moments: np.ndarray, timed: bool) -> None:
    for index, atoms in enumerate(frames):
        if not atoms.has("momenta"):
            raise LedgerError(
                f"frame {index} has no velocities, without which there is no work; record them "
                "(im.simulate does, and .traj files keep them)"
            )
    if len(frames) < 2:
        raise LedgerError("work is done from one frame to the next, and there is only one frame")
    if not timed:
        raise LedgerError("plain frames have no times; pass times=[...] in fs")
    if (np.diff(moments) <= 0).any():
        raise LedgerError("the times of the frames must ascend")


def _works(values: np.ndarray, times: np.ndarray, rule: str) -> np.ndarray:
    """Cumulative integral of the powers, shape (frames, interactions)."""
    if rule == "verlet":
        forward, backward = values[:-1, :, 2], values[1:, :, 1]
        steps = 0.5 * np.diff(times)[:, None] * (forward + backward)
        return np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(steps, axis=0)])
    if rule == "simpson" and len(times) > 2:
        zero = np.zeros((1, values.shape[1]))
        return cumulative_simpson(values, x=times, axis=0, initial=zero)
    return cumulative_trapezoid(values, times, axis=0, initial=0)


def _assembled(
    table: xr.Dataset, works: np.ndarray, frames: Sequence[Atoms], power: Power
) -> xr.Dataset:
    if "component" in table.dims:
        table = table.isel(component=0, drop=True)
    kinetic = np.array([_kinetic_energy(a, power.indices(a)) for a in frames[: len(works)]])
    closure = works.sum(1) - (kinetic - kinetic[0])
    residual = np.abs(table.total.values - table.predicted.values)
    rate, energy = {"units": "eV/fs"}, {"units": "eV"}
    made = table.drop_vars(["residual", "std"], errors="ignore").rename(
        value="power", total="total_power", predicted="model_power"
    )
    made = made.assign(
        residual=("frame", residual, rate),
        work=(("frame", "interaction"), works, energy),
        total_work=("frame", works.sum(1), energy),
        kinetic_energy=("frame", kinetic, energy),
        closure_error=("frame", closure, energy),
    )
    made = made.isel(interaction=np.argsort(-np.abs(works).max(0), kind="stable"))
    made.attrs = table.attrs | {
        "unit": "eV",
        "largest_residual": float(residual.max()),
        "largest_closure_error_eV": float(np.abs(closure).max()),
    }
    return made


def _kinetic_energy(atoms: Atoms, chosen: Sequence[int]) -> float:
    return float(0.5 * (atoms.get_momenta()[chosen] * atoms.get_velocities()[chosen]).sum())


def _reason(
    made: xr.Dataset, frames: Sequence[Atoms], power: Power, settings: dict, tolerance: float
) -> str:
    if settings.get("ensemble") == "nvt":
        return "the thermostat did the rest (take ensemble='nve' for a ledger that closes)"
    stored = [_stored_power(atoms, power) for atoms in frames[: made.sizes["frame"]]]
    if None not in stored:
        other = np.abs(np.array(stored) - made.model_power.values).max()
        if other > 0.02 * np.abs(stored).max():
            return (
                "the forces stored in the frames are not those of this potential (their powers "
                f"differ by {other:.2g} eV/fs): pass the potential that ran the trajectory"
            )
    interval, worst = made.attrs["interval_fs"], made.attrs["largest_closure_error_eV"]
    order = made.attrs["rule_order"]
    enough = interval * (0.5 * tolerance / worst) ** (1 / order)
    fastest = _fastest(frames, power)
    if fastest:
        enough = min(enough, LARGEST_PHASE / fastest)
    if (step := settings.get("time_step_fs")) and enough < 2 * step:
        return (
            f"frames are {interval:.3g} fs apart; record every step (interval=1), or take a "
            "shorter timestep if they are"
        )
    often = f" (interval={int(enough / step)})" if step else ""
    return f"frames are {interval:.3g} fs apart, {enough:.2g} fs would do{often}"


def _stored_power(atoms: Atoms, power: Power) -> float | None:
    if atoms.calc is None or "forces" not in getattr(atoms.calc, "results", {}):
        return None
    return float((power.functional(atoms).forces[0] * atoms.calc.results["forces"]).sum())


def _fastest(frames: Sequence[Atoms], power: Power) -> float:
    """Largest angular frequency in rad/fs: of an atom that vibrates, the ratio of the root mean
    squares of acceleration and velocity; 0 if the frames carry no forces."""
    some = [a for a in frames if a.calc is not None and "forces" in getattr(a.calc, "results", {})]
    if not some:
        return 0.0
    chosen = power.indices(some[0])
    masses = some[0].get_masses()[chosen, None]
    push = np.mean([(a.calc.results["forces"][chosen] / masses) ** 2 for a in some], axis=0).sum(1)
    speed = np.mean([a.get_velocities()[chosen] ** 2 for a in some], axis=0).sum(1)
    moving = speed > 0
    return float(np.sqrt(push[moving] / speed[moving]).max() * units.fs) if moving.any() else 0.0
