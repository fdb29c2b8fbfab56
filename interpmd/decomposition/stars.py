"""A local term on stars: sites with a subset of their neighbours.

Two questions can be asked of a star: its energy, with gradients and posterior samples, or the
posterior samples of the forces along some directions. Whatever is asked, stars of equal size are
evaluated together, and sites with equally many neighbours share the tables of their subsets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import jvp

from interpmd.decomposition.sites import Sites
from interpmd.decomposition.subsets import subsets
from interpmd.potentials import fast
from interpmd.potentials.base import LearnedTerm, LocalTerm
from interpmd.structures.edges import Environments


@dataclass(frozen=True)
class Values:
    """What was asked of some stars.

    Attributes:
        energies: eV, shape (stars,).
        gradients: by edge vector in eV/Å, shape (stars, size, 3), or (edges, 3).
        samples: posterior samples, shape (stars, samples): of the energies in eV, or of the
            forces in eV/Å, one direction after the other.
    """

    energies: Float[np.ndarray, " stars"]
    gradients: Float[np.ndarray, "... 3"]
    samples: Float[np.ndarray, "stars samples"]

    def part(self, index: Int[np.ndarray, ...]) -> Values:
        """Some of the stars."""
        return Values(self.energies[index], self.gradients[index], self.samples[index])


#: What is asked of stars, given as environments and the edges of the structure that they hold.
Question = Callable[[Environments, Int[Tensor, " edges"]], Values]


@dataclass(frozen=True)
class Group:
    """Sites with the same number of neighbours; first: where their edges start."""

    sites: Int[np.ndarray, " sites"]
    first: Int[np.ndarray, " sites"]
    degree: int

    def edges(self, size: int) -> Int[np.ndarray, "sites subsets size"]:
        """Edges of every subset of `size` neighbours of every site."""
        return self.first[:, None, None] + subsets(self.degree, size)[None]

    def count(self, size: int) -> int:
        """Number of stars with `size` edges."""
        return len(self.sites) * len(subsets(self.degree, size))


def groups_of(degrees: Int[np.ndarray, " sites"]) -> list[Group]:
    """Sites by their number of neighbours."""
    first = np.cumsum(degrees) - degrees
    chosen = [np.flatnonzero(degrees == degree) for degree in np.unique(degrees)]
    return [Group(sites, first[sites], int(degrees[sites[0]])) for sites in chosen]


def energies_of(term: LocalTerm, env: Environments, forces: bool) -> Values:
    """Site energies, their gradients by edge vector (zero unless wanted) and posterior samples.

    By generated code where there is some for the term.
    """
    if (known := fast.on_environments(term, env)) is None:
        return energies_by_torch(term, env, forces)
    energies, gradients, samples = known
    return Values(energies, gradients if forces else np.zeros_like(gradients), samples)


def energies_by_torch(term: LocalTerm, env: Environments, forces: bool = True) -> Values:
    """As `energies_of`, by automatic differentiation; on any device, with gates."""
    vectors = env.vectors.detach().requires_grad_(forces)
    with torch.set_grad_enabled(forces):
        energies, samples = term.energies_and_samples(replace(env, vectors=vectors))
        gradients = torch.zeros_like(vectors)
        if energies.requires_grad and len(vectors):
            (slopes,) = torch.autograd.grad(energies.sum(), vectors, allow_unused=True)
            gradients = gradients if slopes is None else slopes
    return Values(as_array(energies), as_array(gradients), as_array(samples))


def force_samples_of(
    term: LearnedTerm, env: Environments, moves: Float[Tensor, "directions edges 3"]
) -> Values:
    """Posterior samples of the forces along some directions; energies and gradients are zero."""
    samples = torch.cat([_slopes(term, env, move) for move in moves], dim=1)
    return Values(np.zeros(env.n_sites), np.zeros(env.vectors.shape), as_array(samples))


def _slopes(
    term: LearnedTerm, env: Environments, move: Float[Tensor, "edges 3"]
) -> Float[Tensor, "sites samples"]:
    """Minus the derivative of the samples of the site energies as the vectors change (eV/Å).

    Forward differentiation: one pass for all samples. Sites whose vectors do not change are left
    out of it where all have the same number of edges.
    """
    vectors, n_sites, sites = env.vectors.detach(), env.n_sites, torch.arange(env.n_sites)
    if env.degree:
        moving = move.unflatten(0, (n_sites, env.degree)).any(-1).any(-1)
        sites, edges = torch.nonzero(moving)[:, 0], moving.repeat_interleave(env.degree)
        vectors, move = vectors[edges], move[edges]
        places = torch.arange(len(sites), device=vectors.device)
        env = replace(
            env,
            vectors=vectors,
            centre=places.repeat_interleave(env.degree),
            centre_numbers=env.centre_numbers[sites],
            neighbour_numbers=env.neighbour_numbers[edges],
        )
    slopes = vectors.new_zeros(n_sites, term.n_samples)
    if len(vectors):
        derivative = jvp(
            lambda moved: term.site_energy_samples(replace(env, vectors=moved)),
            (vectors,),
            (move,),
        )[1]
        slopes[sites] = -derivative
    return slopes


def evaluate_stars(
    question: Question, sites: Sites, groups: list[Group], size: int, at_once: int
) -> Values:
    """A question about all stars with `size` edges, group after group, `at_once` together."""
    env, device = sites.environments, sites.environments.vectors.device
    edges = np.concatenate([g.edges(size).reshape(g.count(size), size) for g in groups])
    owner = np.concatenate([np.repeat(g.sites, len(subsets(g.degree, size))) for g in groups])
    parts = []
    for start in range(0, max(len(owner), 1), at_once):
        chosen = slice(start, start + at_once)
        part = torch.as_tensor(edges[chosen].reshape(-1), device=device)
        centre = torch.as_tensor(owner[chosen], device=device)
        star = Environments(
            vectors=env.vectors[part],
            centre=torch.arange(len(centre), device=device).repeat_interleave(size),
            centre_numbers=env.centre_numbers[centre],
            neighbour_numbers=env.neighbour_numbers[part],
            degree=size,
        )
        parts.append(question(star, part))
    gradients = np.concatenate([part.gradients for part in parts])
    return Values(
        np.concatenate([part.energies for part in parts]),
        gradients.reshape(len(owner), size, 3),
        np.concatenate([part.samples for part in parts]),
    )


def in_group(values: Values, groups: list[Group], index: int, size: int) -> Values:
    """Values of one group's stars, shape (sites, subsets, ...)."""
    start, group = sum(g.count(size) for g in groups[:index]), groups[index]
    shape = (len(group.sites), len(subsets(group.degree, size)))
    return values.part(start + np.arange(group.count(size)).reshape(shape))


def as_array(values: Tensor) -> np.ndarray:
    """The values in float64, without their history."""
    return values.detach().cpu().double().numpy()
