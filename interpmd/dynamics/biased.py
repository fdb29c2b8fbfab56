"""Potentials with something added along a coordinate, so that it goes where it seldom is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from jaxtyping import Float

from interpmd import arguments
from interpmd.dynamics.asked import mover
from interpmd.dynamics.events.coordinate import ReactionCoordinate, as_coordinate
from interpmd.dynamics.record import name
from interpmd.potentials.potential import Potential
from interpmd.reference.bias import BiasedCalculator, Harmonic, Restraint, Well


@dataclass(frozen=True)
class Held(Harmonic):
    """Any reaction coordinate, held at a value; stiffness in eV over the square of its unit."""

    coordinate: ReactionCoordinate
    target: float
    stiffness: float

    def away(self, atoms: Atoms) -> tuple[float, Float[np.ndarray, "atoms 3"]]:
        return self.coordinate(atoms) - self.target, self.coordinate.slope(atoms)


class Biased(BiasedCalculator):
    """A calculator whose energy has something added to it, and that can tell how much."""

    def __init__(
        self, potential: Potential | Calculator | str, restraints: Sequence[Restraint]
    ) -> None:
        potential = mover(potential)
        own = potential.calculator() if isinstance(potential, Potential) else potential
        super().__init__(own, restraints)
        # by which a file knows whether it is of the same run
        self.parameters = {
            "potential": name(potential),
            "added": [_described(one) for one in restraints],
        }

    def bias(self, frames: Sequence[Atoms]) -> Float[np.ndarray, " frames"]:
        """What was added in each frame, in eV."""
        return np.array([self.added(atoms)[0] for atoms in frames])


def _described(restraint: Any) -> dict[str, Any]:
    """A restraint in JSON values."""
    plain = {
        key: _described(value) if isinstance(value, Harmonic) else value
        for key, value in vars(restraint).items()
    }
    if isinstance(c := plain.get("coordinate"), ReactionCoordinate):
        plain["coordinate"] = [c.name, c.low, c.middle, c.high]
    return {"kind": type(restraint).__name__, **plain}


def lowered(
    potential: Potential | Calculator | str,
    coordinate: ReactionCoordinate | Callable[[Atoms], float],
    depth: float,
    width: float | None = None,
    *,
    low: float | None = None,
    middle: float | None = None,
    high: float | None = None,
) -> Biased:
    """A potential whose barrier is filled up: −depth · exp(−(q − middle)² / (2 width²)) is added.

    What moves with it crosses often; `im.free_energy(..., bias=calculator.bias(frames))` and
    `im.path_integrals` take out what was added, exactly (umbrella sampling: Torrie and Valleau, J.
    Comput. Phys. 23, 187, 1977).

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        coordinate: see `im.shoot`.
        depth: eV, near the height of the barrier.
        width: of the coordinate; half of the way from the middle to the nearer state if None.
        low, middle, high: see `im.events`.

    Raises:
        ArgumentError: a depth or width that is not above 0; no coordinate.

    Returns:
        A calculator of ASE for `im.simulate` and `im.path_integrals`; its `bias(frames)` tells what
        was added.
    """
    coordinate = as_coordinate(coordinate, low, middle, high)
    near = min(coordinate.middle - coordinate.low, coordinate.high - coordinate.middle)
    width = 0.5 * near if width is None else width
    arguments.positive(depth=depth, width=width)
    return Biased(potential, [Well(Held(coordinate, coordinate.middle, 0.0), depth, width)])
