"""Whether the training data knew the surroundings of an atom: distances to its nearest neighbours.

A posterior sees a part that is missing as zero features, which it takes for well known: a bond that
is torn, or an atom alone, has small error bars. What the data never showed is plain from distances:
the k-th nearest neighbour of each element, and of any element, was never so near or so far. No
sample of the posterior is needed, so that this much of the grade can be asked for in every step.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials.base import LearnedTerm
from interpmd.structures.edges import Neighbours, edge_vectors
from interpmd.structures.systems import Batch

#: Å outside the widened range of the training data that make a grade of one. Nearer, a neighbour is
#: still there for the posterior to judge; what it does not see are neighbours that are missing.
LENGTH = 0.2


def nearest_distances(
    term: LearnedTerm, batch: Batch, pairs: Neighbours
) -> Float[Tensor, "atoms channels kept"]:
    """Distances from each atom to its nearest neighbours of each element, and of any, ascending.

    Args:
        term: whose elements, cutoff and number of neighbours count.
        batch: structures of these elements.
        pairs: neighbours, at least within the cutoff of the term.

    Returns:
        Å; the last channel is that of any element. A neighbour that is missing, or beyond the
        cutoff, counts as one at the cutoff.
    """
    n_elements, kept = len(term.elements), term.nearest.shape[2]
    distances = edge_vectors(batch, pairs).detach().norm(dim=1).double()
    near = torch.nonzero(distances < term.cutoff)[:, 0]
    order = near[distances[near].argsort()]
    centre = pairs.centre[order]
    kind = term.species[batch.numbers[pairs.neighbour[order]]]
    found = distances.new_full((batch.n_atoms, n_elements + 1, kept), term.cutoff)
    of_element = centre * (n_elements + 1) + kind
    of_any = centre * (n_elements + 1) + n_elements
    for slots in (of_element, of_any):
        rank = _rank(slots)
        first = rank < kept
        found.view(-1)[slots[first] * kept + rank[first]] = distances[order[first]]
    return found


def _rank(slots: Int[Tensor, " edges"]) -> Int[Tensor, " edges"]:
    """How many edges of the same slot come before each."""
    by_slot = torch.argsort(slots, stable=True)
    counts = torch.bincount(slots)
    starts = torch.cumsum(counts, 0) - counts
    rank = torch.empty_like(slots)
    rank[by_slot] = torch.arange(len(slots), device=slots.device) - starts[slots[by_slot]]
    return rank


def outside(
    found: Float[Tensor, "atoms channels kept"], ranges: Float[Tensor, "atoms channels kept 2"]
) -> Float[Tensor, " atoms"]:
    """How far distances lie outside their ranges: the largest of each atom in Å, 0 inside."""
    beyond = torch.maximum(ranges[..., 0] - found, found - ranges[..., 1])
    return beyond.flatten(1).amax(1).clamp_min(0.0)
