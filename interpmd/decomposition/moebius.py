"""Rows of local terms: inclusion-exclusion over subsets of the neighbours of each site.

The energy of a site i is a function of its neighbours, E_i(N). The pure contribution of the
cluster {i} + S, for a subset S of the neighbours, is the Moebius transform

    row_i(S) = sum over T in S of (−1)^(|S| − |T|) E_i(T)

(Rota, Z. Wahrscheinlichkeitstheorie 2, 340 (1964); in cooperative games the dividends of
Harsanyi, Int. Econ. Rev. 4, 194 (1963)). It vanishes when any member leaves, and the rows of all
subsets sum to E_i(N). The gradient of a row is the same transform of the gradients, and its force
under the posterior that of the samples of the forces. The sites with a subset of their neighbours,
on which the term is evaluated, are called stars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from interpmd.decomposition.sites import Sites
from interpmd.decomposition.stars import (
    Group,
    Question,
    Values,
    energies_of,
    evaluate_stars,
    force_samples_of,
    groups_of,
    in_group,
)
from interpmd.decomposition.subsets import Members, canonical, distinct, faces, subsets, summed
from interpmd.potentials.base import LearnedTerm, LocalTerm
from interpmd.structures.edges import Environments

#: Seconds after which work that is mostly quick shows how far it is.
PATIENCE = 3.0


@dataclass(frozen=True)
class Rows:
    """Rows of one term and one size of cluster.

    Attributes:
        order: body order; 0 for remainders.
        members: atoms and images, shapes (rows, size) and (rows, size, 3).
        energies: eV, shape (rows,).
        forces: eV/Å on each member, shape (rows, size, 3).
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


def local_rows(term: LocalTerm, sites: Sites, order: int, forces: bool = True) -> list[Rows]:
    """Rows of a local term up to a body order, and remainders where that is not its full order.

    Args:
        term: evaluated on every subset of at most `order` − 1 neighbours of every site.
        sites: the structure within the cutoff of the term.
        order: largest body order, 1 to `term.body_order`.
        forces: whether to differentiate; otherwise the forces are zero.

    Returns:
        One `Rows` per body order; with `order` < `term.body_order` also `Rows` of order 0, with
        one row per site (first the site, then all its neighbours): its energy less its rows.
    """
    return _rows(term, sites, order, lambda env, _: energies_of(term, env, forces))


def local_force_samples(
    term: LearnedTerm,
    sites: Sites,
    order: int,
    moves: Float[Tensor, "directions edges 3"],
    progress: bool = False,
) -> list[Rows]:
    """Posterior samples of the forces of the rows along some directions.

    Args:
        term, sites, order: see `local_rows`.
        moves: how the vectors of the sites change along each direction.
        progress: whether to show a progress bar, if it takes longer than `PATIENCE`.

    Returns:
        The rows of `local_rows`. Their energies and forces are zero; their samples are those of
        the force along each direction in eV/Å, one direction after the other.
    """
    groups = groups_of(sites.degrees)
    count = sum(group.count(size) for group in groups for size in range(order))
    count += len(sites.degrees) * (order < term.body_order)
    with tqdm(
        total=count, desc="error bars", unit="set", delay=PATIENCE, disable=not progress
    ) as bar:

        def question(env: Environments, edges: Tensor) -> Values:
            found = force_samples_of(term, env, moves[:, edges])
            bar.update(env.n_sites)
            return found

        return _rows(term, sites, order, question)


def _rows(term: LocalTerm, sites: Sites, order: int, question: Question) -> list[Rows]:
    groups = groups_of(sites.degrees)
    stars = [
        evaluate_stars(question, sites, groups, size, term.sites_at_once) for size in range(order)
    ]
    pure = []
    for g, group in enumerate(groups):
        of_group = [in_group(values, groups, g, size) for size, values in enumerate(stars)]
        pure.append([_transform(group, of_group, size) for size in range(order)])
    rows = [_merge(sites, groups, [p[size] for p in pure], size) for size in range(order)]
    if order < term.body_order:
        env = sites.environments
        whole = question(env, torch.arange(len(env.vectors), device=env.vectors.device))
        rows += [
            _remainder(sites, group, whole, parts)
            for group, parts in zip(groups, pure, strict=True)
        ]
    return rows


def _transform(group: Group, stars: list[Values], size: int) -> Values:
    """Moebius transform: pure energies, gradients and samples of all subsets of one size."""
    chosen = subsets(group.degree, size)
    shape = (len(group.sites), len(chosen))
    energies = np.zeros(shape)
    gradients = np.zeros((*shape, size, 3))
    samples = np.zeros((*shape, stars[0].samples.shape[-1]))
    if not len(chosen):
        return Values(energies, gradients, samples)
    differentiated = any(star.gradients.any() for star in stars[: size + 1])
    for smaller in range(size + 1):
        sign = (-1) ** (size - smaller)
        for places, index in faces(group.degree, size, smaller):
            energies += sign * stars[smaller].energies[:, index]
            if differentiated:
                gradients[:, :, places] += sign * stars[smaller].gradients[:, index]
            if samples.size:
                samples += sign * stars[smaller].samples[:, index]
    return Values(energies, gradients, samples)


def _merge(sites: Sites, groups: list[Group], parts: list[Values], size: int) -> Rows:
    """Rows of the same cluster, added up over its different centres."""
    atoms, shifts, forces = [], [], []
    for group, part in zip(groups, parts, strict=True):
        edges = group.edges(size)
        centre = np.broadcast_to(group.sites[:, None, None], (*edges.shape[:2], 1))
        atoms.append(np.concatenate([centre, sites.neighbour[edges]], 2).reshape(-1, size + 1))
        image = sites.shifts[edges]
        of_site = np.zeros((*edges.shape[:2], 1, 3), dtype=image.dtype)
        shifts.append(np.concatenate([of_site, image], 2).reshape(-1, size + 1, 3))
        on_centre = part.gradients.sum(2, keepdims=True)
        force = np.concatenate([on_centre, -part.gradients], 2)
        forces.append(force.reshape(-1, size + 1, 3))
    members, order = canonical(Members(np.concatenate(atoms), np.concatenate(shifts)))
    forces = np.take_along_axis(np.concatenate(forces), order[:, :, None], axis=1)
    first, label = distinct(members)
    energies = np.concatenate([p.energies.reshape(-1) for p in parts])
    # shapes in full: -1 is ambiguous for a group that has no subsets of this size
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


def _remainder(sites: Sites, group: Group, whole: Values, parts: list[Values]) -> Rows:
    """What is left of the energies of a group's sites when their rows are subtracted."""
    edges = group.first[:, None] + np.arange(group.degree)
    energies, samples = whole.energies[group.sites], whole.samples[group.sites]
    gradients = whole.gradients[edges]
    for size, part in enumerate(parts):
        energies = energies - part.energies.sum(1)
        samples = samples - part.samples.sum(1)
        np.subtract.at(gradients, (slice(None), subsets(group.degree, size)), part.gradients)
    atoms = np.concatenate([group.sites[:, None], sites.neighbour[edges]], 1)
    shifts = np.concatenate([np.zeros((len(atoms), 1, 3), dtype=int), sites.shifts[edges]], 1)
    forces = np.concatenate([gradients.sum(1, keepdims=True), -gradients], 1)
    return Rows(0, Members(atoms, shifts), energies, forces, samples)
