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

    The network stays random unless it is refined: what is learned from the labels is linear in
    its outputs (random features, Rahimi and Recht 2007).

    Args:
        cutoff: Å; all functions vanish there, with two derivatives.
        basis: number of Bessel functions.
        functions: number of functions.
        gain: factor on the random weights; larger means functions that vary faster.
        seed: of the random weights.
    """

    def __init__(
        self, cutoff: float, basis: int, functions: int, gain: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        self.cutoff, self.basis = cutoff, basis
        generator = torch.Generator().manual_seed(seed)
        self.first = _random((basis, functions), gain / math.sqrt(3 * basis), generator)
        self.first_bias = _random((functions,), gain / math.sqrt(3 * basis), generator)
        self.second = _random((functions, functions), gain / math.sqrt(3 * functions), generator)
        self.second_bias = _random((functions,), gain / math.sqrt(3 * functions), generator)

    def forward(self, distances: Float[Tensor, " edges"]) -> Float[Tensor, "edges functions"]:
        """Values of all functions at distances in Å."""
        hidden = bessel(distances, self.cutoff, self.basis) @ self.first + self.first_bias
        hidden = nn.functional.silu(hidden) @ self.second + self.second_bias
        return nn.functional.silu(hidden) * envelope(distances, self.cutoff)[:, None]


def _random(shape: tuple[int, ...], scale: float, generator: torch.Generator) -> nn.Parameter:
    values = torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1
    return nn.Parameter(values * scale * math.sqrt(3), requires_grad=False)
