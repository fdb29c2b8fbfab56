"""What distances alone say of atoms: whether the training data knew them, and which hang together.

The numbers of `interpmd.potentials.near.InTorch`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.fast.call import kernel
from interpmd.potentials.fast.neighbours import Edges


@dataclass(frozen=True)
class InNumba:
    """Neighbours that were found; see `interpmd.potentials.near.Near`.

    Attributes:
        edges: within the cutoffs of the terms that it is asked for, at least.
        numbers: atomic numbers.
    """

    edges: Edges
    numbers: Int[np.ndarray, " atoms"]

    def outside(self, term: LearnedTerm) -> Float[Tensor, " atoms"]:
        """How far distances to the nearest neighbours lie outside those of the training data."""
        species = term.species.numpy()[self.numbers]
        ranges, beyond = term.nearest.numpy(), np.zeros(len(species))
        edges = self.edges
        _outside(edges.vectors, edges.first, edges.neighbour, species, term.cutoff, ranges, beyond)
        return torch.from_numpy(beyond)

    def parts(self, cutoff: float) -> Int[Tensor, " atoms"]:
        """The least number of an atom of the same part, for each atom."""
        part = np.arange(len(self.numbers))
        _parts(self.edges.vectors, self.edges.first, self.edges.neighbour, cutoff, part)
        return torch.from_numpy(part)


@kernel
def _outside(vectors, first, neighbour, species, cutoff, ranges, beyond):
    """Of each atom the largest distance in Å outside the ranges, 0 inside.

    Args:
        ranges: shape (species, channels, neighbours, 2): of each element, then of any.
    """
    channels, kept = ranges.shape[1], ranges.shape[2]
    found = np.empty((channels, kept))
    for i in range(len(species)):
        found[:] = cutoff
        for e in range(first[i], first[i + 1]):
            x, y, z = vectors[e, 0], vectors[e, 1], vectors[e, 2]
            distance = math.sqrt(x * x + y * y + z * z)
            _insert(found[species[neighbour[e]]], distance)
            _insert(found[channels - 1], distance)
        for c in range(channels):
            for k in range(kept):
                low, high = ranges[species[i], c, k, 0], ranges[species[i], c, k, 1]
                beyond[i] = max(beyond[i], low - found[c, k], found[c, k] - high)


@kernel
def _insert(ascending, value):
    """Put a value into its place among the least ones; the largest falls out."""
    at = len(ascending) - 1
    if value >= ascending[at]:
        return
    while at > 0 and ascending[at - 1] > value:
        ascending[at] = ascending[at - 1]
        at -= 1
    ascending[at] = value


@kernel
def _parts(vectors, first, neighbour, cutoff, part):
    """Each atom takes the least number of its neighbours within the cutoff, until none changes."""
    changed = True
    while changed:
        changed = False
        for i in range(len(part)):
            for e in range(first[i], first[i + 1]):
                x, y, z = vectors[e, 0], vectors[e, 1], vectors[e, 2]
                near = x * x + y * y + z * z < cutoff * cutoff
                if near and part[neighbour[e]] < part[i]:
                    part[i] = part[neighbour[e]]
                    changed = True
