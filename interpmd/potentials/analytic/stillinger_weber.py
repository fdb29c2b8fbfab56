"""The Stillinger-Weber potential and its water form mW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ase.units import kcal, mol
from jaxtyping import Float
from torch import Tensor

from interpmd.potentials.analytic.known import AnalyticTerm
from interpmd.potentials.analytic.triplets import edge_pairs, gated_corners
from interpmd.potentials.base import register
from interpmd.structures.edges import Environments


@register
class StillingerWeber(AnalyticTerm):
    """Two- and three-body terms that hold a tetrahedral network together.

    pair:    epsilon A (B (sigma/r)^p − (sigma/r)^q) exp(sigma / (r − a sigma))
    triplet: sum over its corners of
             epsilon lambda (cos theta − cos theta0)^2
             exp(gamma sigma / (r − a sigma)) exp(gamma sigma / (r' − a sigma))

    The defaults are silicon. All derivatives vanish at the cutoff a sigma. Pairs and corners are
    at the centre: a site carries half of its pairs and the whole of the triplets at its corner.

    Source: Stillinger and Weber, Phys. Rev. B 31, 5262 (1985), equations 2.3 to 2.7.

    Args:
        epsilon: eV. sigma: Å. The other numbers have no unit.
        elements: atomic numbers or symbols that the term accepts; any element if None.
    """

    kind = "stillinger_weber"
    body_order = 3

    epsilon: float
    sigma: float
    a: float
    lam: float
    gamma: float
    cos_theta: float
    big_a: float
    big_b: float
    p: float
    q: float

    def __init__(
        self,
        epsilon: float = 2.1683,
        sigma: float = 2.0951,
        a: float = 1.80,
        lam: float = 21.0,
        gamma: float = 1.20,
        cos_theta: float = -1 / 3,
        big_a: float = 7.049556277,
        big_b: float = 0.6022245584,
        p: float = 4.0,
        q: float = 0.0,
        elements: Sequence[int | str] | None = None,
    ) -> None:
        super().__init__(elements)
        self.parameters_by_name = {
            "epsilon": epsilon,
            "sigma": sigma,
            "a": a,
            "lam": lam,
            "gamma": gamma,
            "cos_theta": cos_theta,
            "big_a": big_a,
            "big_b": big_b,
            "p": p,
            "q": q,
        }
        for name, value in self.parameters_by_name.items():
            setattr(self, name, float(value))
        self.cutoff = self.a * self.sigma

    @classmethod
    def example(cls) -> StillingerWeber:
        """Shrunk so that molecules are inside the cutoff."""
        return cls(epsilon=0.5, sigma=1.3, lam=2.0)

    def config(self) -> dict[str, Any]:
        return self.parameters_by_name | super().config()

    def pair_energy(self, distances: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        """The row of each pair in eV."""
        inside = distances < self.cutoff
        x = self.sigma / torch.where(inside, distances, 0.5 * self.cutoff)
        value = self.big_b * x**self.p - x**self.q
        value = self.epsilon * self.big_a * value * self._tail(distances, 1.0)
        return torch.where(inside, value, 0.0)

    def corner_energy(
        self,
        first: Float[Tensor, " corners"],
        second: Float[Tensor, " corners"],
        cosine: Float[Tensor, " corners"],
    ) -> Float[Tensor, " corners"]:
        """What the corner between two edges adds to the row of its triplet, in eV."""
        tails = self._tail(first, self.gamma) * self._tail(second, self.gamma)
        return self.epsilon * self.lam * (cosine - self.cos_theta) ** 2 * tails

    def triplet_energy(self, sides: Float[Tensor, "3 triplets"]) -> Float[Tensor, " triplets"]:
        """The row of each triplet in eV, from its three sides in Å: the sum of its corners."""
        ab, ac, bc = sides
        corners = ((ab, ac, bc), (ab, bc, ac), (ac, bc, ab))
        return torch.stack(
            [
                self.corner_energy(x, y, (x**2 + y**2 - opposite**2) / (2 * x * y))
                for x, y, opposite in corners
            ]
        ).sum(0)

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        distances = env.vectors.norm(dim=1)
        pairs = env.gated(0.5 * self.pair_energy(distances))
        first, second = edge_pairs(env)
        cosine = (env.vectors[first] * env.vectors[second]).sum(1)
        cosine = cosine / (distances[first] * distances[second])
        corners = self.corner_energy(distances[first], distances[second], cosine)
        corners = gated_corners(env, corners, first, second)
        sites = distances.new_zeros(env.n_sites).index_add(0, env.centre, pairs)
        return sites.index_add(0, env.centre[first], corners)

    def _tail(self, distances: Tensor, factor: float) -> Tensor:
        inside = distances < self.cutoff * (1 - 1e-9)
        gap = torch.where(inside, distances - self.cutoff, -1.0)
        return torch.where(inside, torch.exp(factor * self.sigma / gap), 0.0)


@register
class MW(StillingerWeber):
    """Monatomic water: a water molecule as one bead that prefers tetrahedral neighbours.

    Source: Molinero and Moore, J. Phys. Chem. B 113, 4008 (2009), equation 1 and table 1:
    epsilon 6.189 kcal/mol, sigma 2.3925 Å, lambda 23.15.

    Args:
        elements: which atoms represent beads; oxygen by default, any element if None.
    """

    kind = "mw"

    def __init__(self, elements: Sequence[int | str] | None = ("O",)) -> None:
        super().__init__(epsilon=6.189 * kcal / mol, sigma=2.3925, lam=23.15, elements=elements)

    @classmethod
    def example(cls) -> MW:
        """The published parameters, every atom a bead."""
        return cls(elements=None)

    def config(self) -> dict[str, Any]:
        return AnalyticTerm.config(self)
