"""Error bars from the posterior of the read-out, and the extrapolation grade."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.potentials import fast
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.sum import TermSum
from interpmd.structures.edges import Neighbours, environments, within
from interpmd.structures.systems import Batch


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations under the posterior.

    Attributes:
        energy_std: eV, shape (structures,).
        forces_std: eV/Å, shape (atoms, 3).
        extrapolation: standard deviation of the force on each atom, divided by the largest in the
            training data for its element, shape (atoms,); above 1 the atom is unlike the training
            data. Zero for potentials in which nothing is learned.
    """

    energy_std: Float[Tensor, " structures"]
    forces_std: Float[Tensor, "atoms 3"]
    extrapolation: Float[Tensor, " atoms"]


@dataclass(frozen=True)
class Posterior:
    """Deviations under joint samples of the posterior.

    Attributes:
        energies: eV, shape (structures, samples).
        forces: eV/Å, shape (samples, atoms, 3).
        scale: standard deviation of a force that the training data reach, by atom, in eV/Å.
    """

    energies: Float[Tensor, "structures samples"]
    forces: Float[Tensor, "samples atoms 3"]
    scale: Float[Tensor, " atoms"]


def posterior(
    potential: TermSum, batch: Batch, pairs: Neighbours | None = None, draws: int | None = None
) -> Posterior | None:
    """Samples of energies and forces; None where nothing in the potential was learned.

    On a CPU and in float64 by generated code, with the numbers of `posterior_by_torch`.

    Args:
        potential, batch, pairs, draws: see `uncertainty`.
    """
    if batch.positions.dtype == torch.float64:
        drawn = fast.deviations(potential, batch, pairs, draws)
        if drawn is not None:
            return _summed(potential, batch, *map(torch.from_numpy, drawn))
    return posterior_by_torch(potential, batch, pairs, draws)


def posterior_by_torch(
    potential: TermSum, batch: Batch, pairs: Neighbours | None = None, draws: int | None = None
) -> Posterior | None:
    """As `posterior`, by automatic differentiation; on any device, in any type."""
    positions = batch.positions.detach().requires_grad_(True)
    moved = batch.with_positions(positions)
    pairs = potential.neighbours(batch) if pairs is None else pairs
    samples = None
    with torch.enable_grad():
        env = environments(moved, pairs)
        for term in _sampled(potential):
            near = within(env, term.cutoff, potential.cutoff)
            of_term = term.site_energy_samples(near)[:, :draws]
            samples = of_term if samples is None else samples + of_term
        if samples is None:
            return None
        total = samples.sum(0)
        eye = torch.eye(len(total), dtype=total.dtype, device=total.device)
        (slopes,) = torch.autograd.grad(total, positions, grad_outputs=eye, is_grads_batched=True)
    return _summed(potential, batch, samples.detach().mT, -slopes)


def _summed(
    potential: TermSum,
    batch: Batch,
    sites: Float[Tensor, "samples atoms"],
    forces: Float[Tensor, "samples atoms 3"],
) -> Posterior:
    """Energies of structures from those of sites, and the scale of the grade."""
    energies = sites.new_zeros(len(sites), batch.n_structures).index_add(1, batch.structure, sites)
    scale = torch.zeros(batch.n_atoms, dtype=torch.float64, device=sites.device)
    for term in _sampled(potential):
        scale = torch.maximum(scale, term.grade_scale_of(batch.numbers))
    return Posterior(energies.mT, forces, scale)


def _sampled(potential: TermSum) -> list[LearnedTerm]:
    """Terms that carry samples of the posterior of their weights."""
    return [term for term in potential.learned_terms.values() if term.n_samples]


def uncertainty(
    potential: TermSum, batch: Batch, pairs: Neighbours | None = None, draws: int | None = None
) -> Uncertainty:
    """Error bars of energies and forces, and the extrapolation grade of each atom.

    Args:
        potential: whose learned terms hold samples of the posterior of their weights.
        batch: structures.
        pairs: neighbours within the cutoff, if they are already known.
        draws: how many of the samples to use; all by default. The time is proportional to it, and
            the relative error of a standard deviation is 1/sqrt(2 draws).

    On a CPU and in float64 by generated code, with the numbers of `posterior_by_torch`.
    """
    drawn = posterior(potential, batch, pairs, draws)
    if drawn is None:
        zero = torch.zeros_like(batch.positions)
        return Uncertainty(zero[: batch.n_structures, 0], zero, zero[:, 0])
    forces_std = drawn.forces.pow(2).mean(0).sqrt()
    return Uncertainty(
        drawn.energies.pow(2).mean(1).sqrt(), forces_std, forces_std.norm(dim=1) / drawn.scale
    )
