"""From powers to works: rules of integration over frames, and what each asks of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from jaxtyping import Float
from scipy.integrate import cumulative_simpson, cumulative_trapezoid

from interpmd import arguments
from interpmd.attribution.targets import Functional, Power, Target
from interpmd.errors import LedgerError

#: Power of the interval with which the error of each rule falls.
ORDERS = {"verlet": 2, "simpson": 4, "trapezoid": 2}


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

    def named(self, atoms: Atoms | None = None) -> str:
        return self.power.named(atoms)


def powers(frames: Sequence[Atoms], power: Power, rule: str) -> Callable[[int], Target]:
    """What a rule asks of the frame of an index.

    Raises:
        LedgerError: no such rule.
    """
    if not arguments.named(rule, ORDERS):
        raise LedgerError(f"no rule is called {rule!r}; known: {', '.join(ORDERS)}")
    if rule != "verlet":
        return lambda _: power
    velocities = np.stack([a.get_velocities() for a in frames]) * units.fs
    means = 0.5 * (velocities[1:] + velocities[:-1])
    zero = np.zeros((1, *velocities.shape[1:]))
    before, after = np.concatenate([zero, means]), np.concatenate([means, zero])
    return lambda frame: _Powers(power, before[frame], after[frame])


def works_of(
    values: Float[np.ndarray, "frames interactions ..."], times: np.ndarray, rule: str
) -> Float[np.ndarray, "frames interactions"]:
    """Cumulative integral in eV of the powers (eV/fs) that a rule asked for, from the first frame.

    Args:
        values: of `powers`.
        times: fs.
        rule: one of `ORDERS`.
    """
    zero = np.zeros((1, values.shape[1]))
    if rule == "verlet":
        forward, backward = values[:-1, :, 2], values[1:, :, 1]
        steps = 0.5 * np.diff(times)[:, None] * (forward + backward)
        return np.concatenate([zero, np.cumsum(steps, axis=0)])
    if rule == "simpson" and len(times) > 2:
        return cumulative_simpson(values, x=times, axis=0, initial=zero)
    return cumulative_trapezoid(values, times, axis=0, initial=0)
