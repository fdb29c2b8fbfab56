"""Error bars from the posterior of the read-out, and the extrapolation grade."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials import fast
from interpmd.potentials.apart import FADED, between_parts, number_of_parts
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.near import InTorch, Near, grade_of_surroundings
from interpmd.potentials.sum import TermSum
from interpmd.structures.edges import Neighbours, environments, site_groups, within
from interpmd.structures.systems import Batch


@dataclass(frozen=True)
class Uncertainty:
    """Standard deviations under the posterior.

    Attributes:
        energy_std: eV, shape (structures,).
        forces_std: eV/Å, shape (atoms, 3).
        extrapolation: grade of each atom, shape (atoms,); above 1 it is unlike the training data.
            The largest of three: standard deviation of its force, and of the energy of its
            structure, over those that are usual in new frames like the training data; and how
            far distances to its neighbours lie outside what those showed. Zero where nothing is
            learned.
        parts: number of parts of each structure that lie further apart than the cutoff of what was
            learned, which says nothing of what they do to each other; shape (structures,).
    """

    energy_std: Float[Tensor, " structures"]
    forces_std: Float[Tensor, "atoms 3"]
    extrapolation: Float[Tensor, " atoms"]
    parts: Int[Tensor, " structures"]


@dataclass(frozen=True)
class Posterior:
    """Deviations under joint samples of the posterior.

    Attributes:
        energies: eV, shape (structures, samples).
        forces: eV/Å, shape (samples, atoms, 3).
        grades: extrapolation grade of each atom, shape (atoms,); see `Uncertainty`.
        parts: number of parts of each structure; see `Uncertainty`.
    """

    energies: Float[Tensor, "structures samples"]
    forces: Float[Tensor, "samples atoms 3"]
    grades: Float[Tensor, " atoms"]
    parts: Int[Tensor, " structures"]

    @property
    def energy_std(self) -> Float[Tensor, " structures"]:
        """Standard deviations of the energies in eV."""
        return self.energies.pow(2).mean(1).sqrt()

    @property
    def forces_std(self) -> Float[Tensor, "atoms 3"]:
        """Standard deviations of the forces in eV/Å."""
        return self.forces.pow(2).mean(0).sqrt()


def posterior(
    potential: TermSum, batch: Batch, pairs: Neighbours | None = None, draws: int | None = None
) -> Posterior | None:
    """Samples of energies and forces; None where nothing in the potential was learned.

    On a CPU and in float64 by generated code, with the numbers of `posterior_by_torch`.

    Args:
        potential, batch, pairs, draws: see `uncertainty`.
    """
    around = fast.near(potential, batch, pairs)
    if around is not None:
        drawn = fast.deviations(potential, around, draws)
        if drawn is not None:
            return _summed(potential, batch, around, *map(torch.from_numpy, drawn))
    return posterior_by_torch(potential, batch, pairs, draws)


def posterior_by_torch(
    potential: TermSum, batch: Batch, pairs: Neighbours | None = None, draws: int | None = None
) -> Posterior | None:
    """As `posterior`, by automatic differentiation; on any device, in any type.

    Some sites and one draw at a time: all together would take gigabytes for a hundred atoms.
    """
    terms = _sampled(potential)
    if not terms:
        return None
    pairs = potential.neighbours(batch) if pairs is None else pairs
    whole = environments(batch.with_positions(batch.positions.detach()), pairs)
    sites, slopes = [], []
    for env in site_groups(whole):
        vectors = env.vectors.requires_grad_(True)
        with torch.enable_grad():
            samples = sum(
                term.site_energy_samples(
                    within(replace(env, vectors=vectors), term.cutoff, potential.cutoff)
                )[:, :draws]
                for term in terms
            )
            sums = samples.sum(0).unbind()
            slopes.append(
                torch.stack([torch.autograd.grad(e, vectors, retain_graph=True)[0] for e in sums])
            )
        sites.append(samples.detach())
    of_edges = torch.cat(slopes, dim=1)
    forces = of_edges.new_zeros(len(of_edges), batch.n_atoms, 3)
    forces.index_add_(1, pairs.centre, of_edges).index_add_(1, pairs.neighbour, -of_edges)
    return _summed(potential, batch, InTorch(batch, pairs), torch.cat(sites).mT, forces)


def _summed(
    potential: TermSum,
    batch: Batch,
    around: Near,
    sites: Float[Tensor, "samples atoms"],
    forces: Float[Tensor, "samples atoms 3"],
) -> Posterior:
    """Energies of structures from those of sites, the grades, and what the samples do not see."""
    terms = _sampled(potential)
    energies = sites.new_zeros(len(sites), batch.n_structures).index_add(1, batch.structure, sites)
    force_std = forces.pow(2).mean(0).sum(1).sqrt()
    atoms = torch.bincount(batch.structure, minlength=batch.n_structures)
    energy_std = (energies.pow(2).mean(0) / atoms).sqrt()[batch.structure]
    of_force = torch.stack([term.grade_scale_of(batch.numbers) for term in terms]).amax(0)
    of_energy = max(float(term.energy_scale) for term in terms)
    grades = torch.maximum(force_std / of_force, energy_std / of_energy)
    known = grade_of_surroundings(potential, batch, around)
    parts = number_of_parts(batch, around.parts(max(term.cutoff for term in terms)))
    for term in terms:
        if not float(term.charge_scale):
            continue
        between = between_parts(term, batch, around.parts(FADED * term.cutoff), len(sites))
        energies = energies + term.charge_scale**2 * between[0]
        forces = forces + term.charge_scale**2 * between[1]
    return Posterior(energies.mT, forces, torch.maximum(grades, known), parts)


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
        whole = torch.ones(batch.n_structures, dtype=torch.int64, device=batch.positions.device)
        return Uncertainty(zero[: batch.n_structures, 0], zero, zero[:, 0], whole)
    return Uncertainty(drawn.energy_std, drawn.forces_std, drawn.grades, drawn.parts)
