"""What distances alone say of the atoms of structures, by torch or by the fast evaluator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials import fast
from interpmd.potentials.apart import separate_parts
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.sum import TermSum
from interpmd.potentials.surroundings import LENGTH, nearest_distances, outside
from interpmd.structures.edges import Neighbours
from interpmd.structures.systems import Batch


class Near(Protocol):
    """Who is near whom in some structures."""

    def outside(self, term: LearnedTerm) -> Float[Tensor, " atoms"]:
        """How far distances to the nearest neighbours lie outside those of the training data of a
        term: the largest of each atom in Å, 0 inside."""
        ...

    def parts(self, cutoff: float) -> Int[Tensor, " atoms"]:
        """For each atom the least number of an atom of its part; parts are further apart than
        the cutoff (Å)."""
        ...


@dataclass(frozen=True)
class InTorch:
    """Neighbours on any device; see `Near`."""

    batch: Batch
    pairs: Neighbours

    def outside(self, term: LearnedTerm) -> Float[Tensor, " atoms"]:
        ranges = term.nearest[term.species[self.batch.numbers]]
        return outside(nearest_distances(term, self.batch, self.pairs), ranges)

    def parts(self, cutoff: float) -> Int[Tensor, " atoms"]:
        return separate_parts(self.batch, self.pairs, cutoff)


def near(potential: TermSum, batch: Batch, pairs: Neighbours | None = None) -> Near:
    """Who is near whom: on a CPU and in float64 by generated code.

    Args:
        potential: within its cutoff.
        batch: structures.
        pairs: neighbours within the cutoff, if they are already known.
    """
    known = fast.near(potential, batch, pairs)
    if known is not None:
        return known
    return InTorch(batch, potential.neighbours(batch) if pairs is None else pairs)


def grade_of_surroundings(
    potential: TermSum, batch: Batch, around: Near | None = None
) -> Float[Tensor, " atoms"]:
    """The part of the extrapolation grade that needs no posterior.

    Args:
        potential: nothing is known to it where nothing is learned, and the grade is 0.
        batch: structures.
        around: who is near whom in them, if that is already known.

    Returns:
        How many times `LENGTH` one of the distances to the nearest neighbours lies outside those of
        the training data; 0 where none does, and of a single atom, whose energy is given.
    """
    grade = torch.zeros(batch.n_atoms, dtype=torch.float64, device=batch.positions.device)
    terms = [term for term in potential.learned_terms.values() if term.n_samples]
    if not terms:
        return grade
    around = near(potential, batch) if around is None else around
    for term in terms:
        grade = torch.maximum(grade, around.outside(term) / LENGTH)
    single = torch.bincount(batch.structure, minlength=batch.n_structures) == 1
    if not single.any():
        return grade
    return torch.where((single & ~batch.pbc.any(1))[batch.structure], 0.0, grade)
