"""Pair potentials: Lennard-Jones and Morse."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import ArgumentError
from interpmd.potentials.analytic.known import AnalyticTerm
from interpmd.potentials.base import register
from interpmd.structures.edges import Environments


class PairPotential(AnalyticTerm):
    """E_i = 1/2 sum_j u(r_ij) s(r_ij); the row of a pair is u(r) s(r).

    s is a polynomial that falls from 1 at `onset` to 0 at `cutoff` with two derivatives.

    Args:
        cutoff: Å.
        onset: where the switch begins, in Å; 0.8 cutoff if None.
        elements: atomic numbers or symbols that the term accepts; any element if None.

    Raises:
        ArgumentError: an onset that is not between 0 and the cutoff.
    """

    body_order = 2

    def __init__(
        self,
        cutoff: float,
        onset: float | None = None,
        elements: Sequence[int | str] | None = None,
    ) -> None:
        super().__init__(elements)
        self.cutoff = float(cutoff)
        self.onset = 0.8 * self.cutoff if onset is None else float(onset)
        if not 0 <= self.onset < self.cutoff:
            raise ArgumentError(f"onset {self.onset} is not between 0 and the cutoff {self.cutoff}")

    def config(self) -> dict[str, Any]:
        return {"cutoff": self.cutoff, "onset": self.onset, **super().config()}

    @abstractmethod
    def bare(self, distances: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        """u(r) in eV, r in Å."""

    def pair_energy(self, distances: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        """The row of each pair in eV."""
        x = ((distances - self.onset) / (self.cutoff - self.onset)).clamp(0.0, 1.0)
        return self.bare(distances) * (1 - 10 * x**3 + 15 * x**4 - 6 * x**5)

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        energies = env.gated(0.5 * self.pair_energy(env.vectors.norm(dim=1)))
        return energies.new_zeros(env.n_sites).index_add(0, env.centre, energies)


@register
class LennardJones(PairPotential):
    """u(r) = 4 epsilon ((sigma/r)^12 − (sigma/r)^6).

    Source: Lennard-Jones, Proc. Phys. Soc. 43, 461 (1931).

    Args:
        epsilon: depth in eV. sigma: zero of the potential in Å. cutoff, onset: Å. elements: see
            `PairPotential`.
    """

    kind = "lennard_jones"

    def __init__(
        self,
        epsilon: float,
        sigma: float,
        cutoff: float,
        onset: float | None = None,
        elements: Sequence[int | str] | None = None,
    ) -> None:
        super().__init__(cutoff, onset, elements)
        self.epsilon, self.sigma = float(epsilon), float(sigma)

    @classmethod
    def example(cls) -> LennardJones:
        """Bonds of about 1.5 Å, so that molecules fit within the cutoff."""
        return cls(epsilon=0.05, sigma=1.4, cutoff=4.0)

    def config(self) -> dict[str, Any]:
        return {
            "epsilon": self.epsilon,
            "sigma": self.sigma,
            **super().config(),
        }

    def bare(self, distances: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        sixth = (self.sigma / distances) ** 6
        return 4 * self.epsilon * (sixth**2 - sixth)


@register
class Morse(PairPotential):
    """u(r) = D ((1 − exp(−a (r − r0)))^2 − 1).

    Source: Morse, Phys. Rev. 34, 57 (1929), equation 4.

    Args:
        depth: D in eV. width: a in 1/Å. distance: r0 in Å. cutoff, onset: Å. elements: see
            `PairPotential`.
    """

    kind = "morse"

    def __init__(
        self,
        depth: float,
        width: float,
        distance: float,
        cutoff: float,
        onset: float | None = None,
        elements: Sequence[int | str] | None = None,
    ) -> None:
        super().__init__(cutoff, onset, elements)
        self.depth, self.width, self.distance = float(depth), float(width), float(distance)

    @classmethod
    def example(cls) -> Morse:
        """A soft bond of 1.4 Å."""
        return cls(depth=0.5, width=1.5, distance=1.4, cutoff=4.0)

    def config(self) -> dict[str, Any]:
        return {
            "depth": self.depth,
            "width": self.width,
            "distance": self.distance,
            **super().config(),
        }

    def bare(self, distances: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        return self.depth * ((1 - torch.exp(-self.width * (distances - self.distance))) ** 2 - 1)
