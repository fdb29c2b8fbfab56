"""Rows of local terms: inclusion-exclusion over subsets of the neighbours of each site.

The energy of a site i is a function of its neighbours, E_i(N). The pure contribution of the
cluster {i} + S, for a subset S of the neighbours, is the Moebius transform

    row_i(S) = sum over T in S of (-1)^(|S| - |T|) E_i(T)

(Rota, Z. Wahrscheinlichkeitstheorie 2, 340 (1964); in cooperative games the dividends of
Harsanyi, Int. Econ. Rev. 4, 194 (1963)). It vanishes when any member leaves, and the rows of all
subsets sum to E_i(N). The gradient of a row is the same transform of the gradients. "Stars" below
are the sites with a subset of their neighbours on which the term is evaluated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.func import jvp

from interpmd.decomposition.subsets import Members, canonical, distinct, faces, subsets, summed
from interpmd.potentials.base import LocalTerm
from interpmd.structures.systems import Environments


@dataclass(frozen=True)
class Rows:
    """Rows of one term and one size of cluster.

    Attributes:
        order: body order; 0 for remainders.
        members: atoms and images, shapes (rows, size) and (rows, size, 3).
        energies: eV, shape (rows,).
        forces: eV/A on each member, shape (rows, size, 3).
        samples: deviations of posterior samples from the mean in eV, shape (rows, samples).
    """

    order: int
    members: Members
    energies: Float[np.ndarray, " rows"]
    forces: Float[np.ndarray, "rows size 3"]
    samples: Float[np.ndarray, "rows samples"]

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        members = Members(self.members.atoms[rows], self.members.shifts[rows])
        return Rows(self.order, members, self.energies[rows], self.forces[rows], self.samples[rows])


@dataclass(frozen=True)
class Sites:
    """The sites of one structure and their neighbours within the cutoff of a term.

    Attributes:
        environments: vectors in angstrom, float64.
        neighbour: atom at the end of each edge, shape (edges,).
        shifts: its periodic image, shape (edges, 3).
        along: if given, no energies are asked for, but the posterior of the forces: how the
            vectors change along each direction, shape (directions, edges, 3).
    """

    environments: Environments
    neighbour: Int[np.ndarray, " edges"]
    shifts: Int[np.ndarray, "edges 3"]
    along: Float[Tensor, "directions edges 3"] | None = None

    @property
    def degrees(self) -> Int[np.ndarray, " sites"]:
        """Number of neighbours of each site."""
        env = self.environments
        return torch.bincount(env.centre, minlength=env.n_sites).cpu().numpy()


@dataclass(frozen=True)
class _Values:
    """Energies, gradients by edge vector and posterior samples of stars with `size` edges."""

    energies: Float[np.ndarray, " stars"]
    gradients: Float[np.ndarray, "stars size 3"]
    samples: Float[np.ndarray, "stars samples"]

    def part(self, index: Int[np.ndarray, ...]) -> _Values:
        return _Values(self.energies[index], self.gradients[index], self.samples[index])


@dataclass(frozen=True)
class _Group:
    """Sites with the same number of neighbours; first: where their edges start."""

    sites: Int[np.ndarray, " sites"]
    first: Int[np.ndarray, " sites"]
    degree: int

    def edges(self, size: int) -> Int[np.ndarray, "sites subsets size"]:
        """Edges of every subset of `size` neighbours of every site."""
        return self.first[:, None, None] + subsets(self.degree, size)[None]


def local_rows(term: LocalTerm, sites: Sites, order: int, forces: bool = True) -> list[Rows]:
    """Rows of a local term up to a body order, and remainders where that is not its full order.

    Args:
        term: evaluated on every subset of at most `order` - 1 neighbours of every site.
        sites: the structure within the cutoff of the term.
        order: largest body order, 1 to `term.body_order`.
        forces: whether to differentiate; forces are zero if not.

    Returns:
        One `Rows` per body order; with `order` < `term.body_order` also `Rows` of order 0, with
        one row per site (first the site, then all its neighbours): its energy less its rows.
        Where the sites have directions (`Sites.along`), energies and forces are zero, and the
        samples are those of the forces along each direction, one direction after the other.
    """
    groups = _groups(sites.degrees)
    stars = [_evaluate_stars(term, sites, groups, size, forces) for size in range(order)]
    pure = []
    for g, group in enumerate(groups):
        mine = [_in_group(values, groups, g, size) for size, values in enumerate(stars)]
        pure.append([_transform(group, mine, size) for size in range(order)])
    found = [_merge(sites, groups, [p[size] for p in pure], size) for size in range(order)]
    if order < term.body_order:
        whole = evaluate(term, sites.environments, forces, sites.along)
        found += [
            _remainder(sites, group, whole, parts)
            for group, parts in zip(groups, pure, strict=True)
        ]
    return found


def evaluate(
    term: LocalTerm,
    env: Environments,
    forces: bool = True,
    along: Float[Tensor, "directions edges 3"] | None = None,
) -> tuple[
    Float[np.ndarray, " sites"], Float[np.ndarray, "edges 3"], Float[np.ndarray, "sites samples"]
]:
    """Site energies (eV), their gradients by edge vector (eV/A) and posterior samples (eV).

    With `along` instead the samples of the forces along each direction (eV/A).
    """
    if along is not None:
        samples = torch.cat([_slopes(term, env, change) for change in along], dim=1)
        return np.zeros(env.n_sites), np.zeros(env.vectors.shape), _array(samples)
    vectors = env.vectors.detach().requires_grad_(forces)
    env = replace(env, vectors=vectors)
    with torch.set_grad_enabled(forces):
        energies, samples = term.energies_and_samples(env)
        gradients = torch.zeros_like(vectors)
        if energies.requires_grad and len(vectors):
            (found,) = torch.autograd.grad(energies.sum(), vectors, allow_unused=True)
            gradients = gradients if found is None else found
    return _array(energies), _array(gradients), _array(samples)


def _slopes(
    term: LocalTerm, env: Environments, change: Float[Tensor, "edges 3"]
) -> Float[Tensor, "sites samples"]:
    """Minus the derivative of the samples of the site energies as the vectors change (eV/A).

    Forward differentiation: one pass for all samples. Sites whose vectors do not change are left
    out of it where all have the same number of edges.
    """
    vectors, n_sites, sites = env.vectors.detach(), env.n_sites, slice(None)
    if env.degree:
        moving = change.unflatten(0, (n_sites, env.degree)).any(-1).any(-1)
        sites, edges = torch.nonzero(moving)[:, 0], moving.repeat_interleave(env.degree)
        vectors, change = vectors[edges], change[edges]
        places = torch.arange(len(sites), device=vectors.device)
        env = replace(
            env,
            vectors=vectors,
            centre=places.repeat_interleave(env.degree),
            centre_numbers=env.centre_numbers[sites],
            neighbour_numbers=env.neighbour_numbers[edges],
        )
    slopes = vectors.new_zeros(n_sites, term.samples.shape[-1])
    if len(vectors):
        found = jvp(
            lambda moved: term.site_energy_samples(replace(env, vectors=moved)),
            (vectors,),
            (change,),
        )
        slopes[sites] = -found[1]
    return slopes


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()


def _groups(degrees: Int[np.ndarray, " sites"]) -> list[_Group]:
    first = np.cumsum(degrees) - degrees
    chosen = [np.flatnonzero(degrees == degree) for degree in np.unique(degrees)]
    return [_Group(sites, first[sites], int(degrees[sites[0]])) for sites in chosen]


def _evaluate_stars(
    term: LocalTerm, sites: Sites, groups: list[_Group], size: int, forces: bool
) -> _Values:
    """The term on all stars with `size` edges, group after group."""
    env, device = sites.environments, sites.environments.vectors.device
    edges = np.concatenate(
        [g.edges(size).reshape(len(g.sites) * len(subsets(g.degree, size)), size) for g in groups]
    )
    owner = np.concatenate([np.repeat(g.sites, len(subsets(g.degree, size))) for g in groups])
    energies, gradients, samples = [], [], []
    for start in range(0, max(len(owner), 1), term.sites_at_once):
        chosen = slice(start, start + term.sites_at_once)
        part = torch.as_tensor(edges[chosen].reshape(-1), device=device)
        mine = torch.as_tensor(owner[chosen], device=device)
        star = Environments(
            vectors=env.vectors[part],
            centre=torch.arange(len(mine), device=device).repeat_interleave(size),
            centre_numbers=env.centre_numbers[mine],
            neighbour_numbers=env.neighbour_numbers[part],
            degree=size,
        )
        along = None if sites.along is None else sites.along[:, part]
        energy, gradient, sample = evaluate(term, star, forces, along)
        energies.append(energy)
        gradients.append(gradient.reshape(-1, size, 3) if size else np.zeros((len(mine), 0, 3)))
        samples.append(sample)
    return _Values(np.concatenate(energies), np.concatenate(gradients), np.concatenate(samples))


def _in_group(values: _Values, groups: list[_Group], index: int, size: int) -> _Values:
    """Values of one group's stars, shape (sites, subsets, ...)."""
    counts = [len(g.sites) * len(subsets(g.degree, size)) for g in groups]
    start, group = sum(counts[:index]), groups[index]
    shape = (len(group.sites), len(subsets(group.degree, size)))
    return values.part(start + np.arange(counts[index]).reshape(shape))


def _transform(group: _Group, stars: list[_Values], size: int) -> _Values:
    """Moebius transform: pure energies, gradients and samples of all subsets of one size."""
    chosen = subsets(group.degree, size)
    shape = (len(group.sites), len(chosen))
    energies = np.zeros(shape)
    gradients = np.zeros((*shape, size, 3))
    samples = np.zeros((*shape, stars[0].samples.shape[-1]))
    if not len(chosen):
        return _Values(energies, gradients, samples)
    differentiated = any(star.gradients.any() for star in stars[: size + 1])
    for smaller in range(size + 1):
        sign = (-1) ** (size - smaller)
        for places, index in faces(group.degree, size, smaller):
            energies += sign * stars[smaller].energies[:, index]
            if differentiated:
                gradients[:, :, places] += sign * stars[smaller].gradients[:, index]
            if samples.size:
                samples += sign * stars[smaller].samples[:, index]
    return _Values(energies, gradients, samples)


def _merge(sites: Sites, groups: list[_Group], parts: list[_Values], size: int) -> Rows:
    """Rows of the same cluster from its different centres added up."""
    atoms, shifts, forces = [], [], []
    for group, part in zip(groups, parts, strict=True):
        edges = group.edges(size)
        centre = np.broadcast_to(group.sites[:, None, None], (*edges.shape[:2], 1))
        atoms.append(np.concatenate([centre, sites.neighbour[edges]], 2).reshape(-1, size + 1))
        image = sites.shifts[edges]
        home = np.zeros((*edges.shape[:2], 1, 3), dtype=image.dtype)
        shifts.append(np.concatenate([home, image], 2).reshape(-1, size + 1, 3))
        on_centre = part.gradients.sum(2, keepdims=True)
        force = np.concatenate([on_centre, -part.gradients], 2)
        forces.append(force.reshape(-1, size + 1, 3))
    members, order = canonical(Members(np.concatenate(atoms), np.concatenate(shifts)))
    forces = np.take_along_axis(np.concatenate(forces), order[:, :, None], axis=1)
    first, label = distinct(members)
    energies = np.concatenate([p.energies.reshape(-1) for p in parts])
    # shapes in full: a group without subsets of this size has samples of none of them
    samples = np.concatenate(
        [p.samples.reshape(math.prod(p.samples.shape[:-1]), p.samples.shape[-1]) for p in parts]
    )
    return Rows(
        order=size + 1,
        members=Members(members.atoms[first], members.shifts[first]),
        energies=summed(energies, label, len(first)),
        forces=summed(forces, label, len(first)),
        samples=summed(samples, label, len(first)),
    )


def _remainder(
    sites: Sites, group: _Group, whole: tuple[np.ndarray, ...], parts: list[_Values]
) -> Rows:
    """What is left of the sites of a group when their rows are taken away."""
    edges = group.first[:, None] + np.arange(group.degree)
    energies, gradients, samples = whole[0][group.sites], whole[1][edges], whole[2][group.sites]
    for size, part in enumerate(parts):
        energies = energies - part.energies.sum(1)
        samples = samples - part.samples.sum(1)
        np.subtract.at(gradients, (slice(None), subsets(group.degree, size)), part.gradients)
    atoms = np.concatenate([group.sites[:, None], sites.neighbour[edges]], 1)
    shifts = np.concatenate([np.zeros((len(atoms), 1, 3), dtype=int), sites.shifts[edges]], 1)
    forces = np.concatenate([gradients.sum(1, keepdims=True), -gradients], 1)
    return Rows(0, Members(atoms, shifts), energies, forces, samples)
