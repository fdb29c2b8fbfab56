"""Error bars from the posterior of the read-out, and the extrapolation grade."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.potentials.potential import Potential, within
from interpmd.systems import Batch, Neighbours, environments, sum_by_structure


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations under the posterior.

    Attributes:
        energy_std: eV, shape (structures,).
        forces_std: eV/A, shape (atoms, 3).
        extrapolation: spread of each site energy over the largest in training, shape (atoms,);
            above 1 the training data do not vouch for the atom. Zero for potentials that have
            nothing learned in them.
    """

    energy_std: Float[Tensor, " structures"]
    forces_std: Float[Tensor, "atoms 3"]
    extrapolation: Float[Tensor, " atoms"]


def uncertainty(
    potential: Potential, batch: Batch, pairs: Neighbours | None = None
) -> Uncertainty:
    """Error bars of energies and forces, and the extrapolation grade of each atom."""
    positions = batch.positions.detach().requires_grad_(True)
    moved = batch.with_positions(positions)
    pairs = potential.neighbours(batch) if pairs is None else pairs
    samples, grade = None, torch.zeros_like(positions[:, 0])
    with torch.enable_grad():
        env = environments(moved, pairs)
        for term in potential.local_terms.values():
            if getattr(term, "samples", torch.zeros(0)).shape[-1:] in ((), (0,)):
                continue
            mine = within(env, term.cutoff, potential.cutoff)
            found = term.site_energy_samples(mine)
            samples = found if samples is None else samples + found
            spread = found.detach().pow(2).mean(1).sqrt()
            scale = term.grade_scale[term.species[batch.numbers]]
            grade = torch.maximum(grade, (spread / scale).to(grade.dtype))
        if samples is None:
            zero = torch.zeros_like(positions)
            return Uncertainty(sum_by_structure(zero[:, 0].detach(), batch), zero.detach(), grade)
        total = samples.sum(0)
        eye = torch.eye(len(total), dtype=total.dtype, device=total.device)
        (forces,) = torch.autograd.grad(
            total, positions, grad_outputs=eye, is_grads_batched=True
        )
    by_structure = samples.detach().new_zeros(batch.n_structures, samples.shape[1])
    by_structure.index_add_(0, batch.structure, samples.detach())
    return Uncertainty(
        by_structure.pow(2).mean(1).sqrt(), forces.pow(2).mean(0).sqrt(), grade.detach()
    )
