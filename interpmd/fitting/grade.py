"""How uncertain forces are in the training data: the unit of the extrapolation grade."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from ase import Atoms
from jaxtyping import Float
from torch import Tensor

from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.threads import one_thread


def grade_scales(
    potential: Potential, term: LearnedTerm, frames: Sequence[Atoms], keep: int = 20
) -> Float[Tensor, " species"]:
    """Largest standard deviation of a force in the training frames, by element, in eV/Å.

    Four draws of the posterior find the `keep` least certain frames of each element, all draws
    say how uncertain those are.
    """
    with one_thread():
        rough = torch.stack([_largest_spread(potential, term, atoms, draws=4) for atoms in frames])
        chosen = rough.topk(min(keep, len(frames)), dim=0).indices.unique().tolist()
        exact = torch.stack([_largest_spread(potential, term, frames[i]) for i in chosen])
    return exact.amax(0).clamp_min(1e-12)


def _largest_spread(
    potential: Potential, term: LearnedTerm, atoms: Atoms, draws: int | None = None
) -> Float[Tensor, " species"]:
    """Largest standard deviation of a force on an atom of each element, in eV/Å."""
    batch = potential.batch(atoms)
    spread = uncertainty(potential, batch, draws=draws).forces_std.norm(dim=1)
    largest = spread.new_zeros(len(term.elements))
    return largest.scatter_reduce_(0, term.species[batch.numbers], spread, "amax")
