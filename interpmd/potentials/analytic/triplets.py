"""Pairs of edges that start at one site: what three-body terms sum over."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.structures.edges import Environments


def edge_pairs(env: Environments) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
    """All unordered pairs of edges of each site, as indices of edges (first < second)."""
    counts = torch.bincount(env.centre, minlength=env.n_sites)
    last = torch.cumsum(counts, 0)[env.centre]
    edges = torch.arange(len(env.centre), device=env.centre.device)
    repeats = last - edges - 1
    first = torch.repeat_interleave(edges, repeats)
    start = torch.cumsum(repeats, 0) - repeats
    second = first + 1 + torch.arange(len(first), device=first.device) - start[first]
    return first, second


def gated_corners(
    env: Environments,
    energies: Float[Tensor, " pairs"],
    first: Int[Tensor, " pairs"],
    second: Int[Tensor, " pairs"],
) -> Float[Tensor, " pairs"]:
    """Energies of pairs of edges times the gates of both."""
    if env.gates is None:
        return energies
    return energies * env.gates[first] * env.gates[second]
