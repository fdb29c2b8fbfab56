"""Radial functions: a small network on a Bessel basis, times a smooth cutoff."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def envelope(distances: Float[Tensor, " edges"], cutoff: float) -> Float[Tensor, " edges"]:
    """Polynomial that falls from 1 to 0 at the cutoff, with two derivatives vanishing there.

    Source: Gasteiger, Gross, Guennemann, ICLR 2020 (arXiv:2003.03123), equation 8, with p = 6.
    """
    x = (distances / cutoff).clamp(max=1.0)
    return 1 - 28 * x**6 + 48 * x**7 - 21 * x**8


def bessel(
    distances: Float[Tensor, " edges"], cutoff: float, count: int
) -> Float[Tensor, "edges functions"]:
    """Spherical Bessel functions of the first kind sqrt(2/c) sin(n pi r / c) / r, n = 1..count.

    Source: as `envelope`, equation 7.
    """
    n = torch.arange(1, count + 1, dtype=distances.dtype, device=distances.device)
    r = distances[:, None]
    return math.sqrt(2 / cutoff) * torch.sin(n * (math.pi / cutoff) * r) / r


class RadialNetwork(nn.Module):
    """Smooth functions of a distance: two hidden layers on a Bessel basis, times the envelope.

    The network stays random: what is learned from the labels is linear in its outputs (random
    features, Rahimi and Recht 2007). Two numbers say where the functions are fine and where they
    are large. Stretched distances c ln(1 + r/s) / ln(1 + c/s) resolve short distances, where
    energies change fast, better than long ones; the factor 1 / (1 + (r/d)^2) gives the few near
    neighbours the weight that the many far ones would otherwise have (Willatt, Musil, Ceriotti,
    Phys. Chem. Chem. Phys. 20, 29661 (2018), equation 6).

    Args:
        cutoff: Å; all functions vanish there, with two derivatives.
        basis: number of Bessel functions.
        functions: number of functions.
        gain: factor on the random weights; larger means functions that vary faster.
        seed: of the random weights.
        stretch: s in Å; 0 leaves distances as they are.
        decay: d in Å; 0 gives all distances within the cutoff the same weight.
    """

    def __init__(
        self,
        cutoff: float,
        basis: int,
        functions: int,
        gain: float = 1.0,
        seed: int = 0,
        stretch: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.cutoff, self.basis = cutoff, basis
        self.stretch, self.decay = stretch, decay
        generator = torch.Generator().manual_seed(int(seed))
        self.first = _random((basis, functions), gain / math.sqrt(3 * basis), generator)
        self.first_bias = _random((functions,), gain / math.sqrt(3 * basis), generator)
        self.second = _random((functions, functions), gain / math.sqrt(3 * functions), generator)
        self.second_bias = _random((functions,), gain / math.sqrt(3 * functions), generator)

    def forward(self, distances: Float[Tensor, " edges"]) -> Float[Tensor, "edges functions"]:
        """Values of all functions at distances in Å."""
        hidden = bessel(self._stretched(distances), self.cutoff, self.basis) @ self.first
        hidden = nn.functional.silu(hidden + self.first_bias) @ self.second + self.second_bias
        size = envelope(distances, self.cutoff)
        if self.decay:
            size = size / (1 + (distances / self.decay) ** 2)
        return nn.functional.silu(hidden) * size[:, None]

    def _stretched(self, distances: Float[Tensor, " edges"]) -> Float[Tensor, " edges"]:
        """Distances as the Bessel functions see them, from 0 to the cutoff as before."""
        if not self.stretch:
            return distances
        whole = math.log1p(self.cutoff / self.stretch)
        return torch.log1p(distances / self.stretch) * (self.cutoff / whole)


def _random(shape: tuple[int, ...], scale: float, generator: torch.Generator) -> nn.Parameter:
    values = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    return nn.Parameter(values * scale * math.sqrt(3), requires_grad=False)
