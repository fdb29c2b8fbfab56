"""The energy along a coordinate, with its error bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd.decomposition.decomposition import standard_deviation
from interpmd.decomposition.few_atoms import sites_and_samples
from interpmd.potentials.potential import Potential


class Movable(Protocol):
    """What a slider can set: a `Coordinate` or a `Vibration`."""

    @property
    def quantity(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def step(self) -> float: ...
    def value(self, atoms: Atoms) -> float: ...
    def limits(self, atoms: Atoms) -> tuple[float, float]: ...
    def at(self, atoms: Atoms, value: float) -> Atoms: ...


@dataclass(frozen=True, eq=False)
class Scan:
    """Energies along a coordinate.

    Attributes:
        values: of the coordinate, in its unit.
        energies: eV.
        stds: standard deviations under the posterior in eV; 0 without posterior.
    """

    values: Float[np.ndarray, " points"]
    energies: Float[np.ndarray, " points"]
    stds: Float[np.ndarray, " points"]

    @property
    def lowest(self) -> float:
        """Lowest energy in eV."""
        return float(self.energies.min())


def scan(potential: Potential, atoms: Atoms, along: Movable, points: int = 41) -> Scan:
    """Energies at evenly spaced values between the limits of a coordinate."""
    values = np.linspace(*along.limits(atoms), points)
    batch = potential.batch([along.at(atoms, value) for value in values])
    with torch.no_grad():
        sites = sites_and_samples(potential, batch, potential.neighbours(batch))
    # the energy first, then its deviations under samples of the posterior
    totals = sites.double().cpu().numpy().reshape(points, len(atoms), -1).sum(1)
    return Scan(values, totals[:, 0], standard_deviation(totals[:, 1:]))
