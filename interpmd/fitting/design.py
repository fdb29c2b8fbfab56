"""Rows of the linear problem: how energies and forces depend on the weights of the read-out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.potentials import fast
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.expansion.gradients import features_and_gradients
from interpmd.structures.edges import Neighbours, environments
from interpmd.structures.systems import Batch


@dataclass(frozen=True)
class Design:
    """Derivatives of energies, forces and virials by the weights, `ClusterExpansion.columns`.

    Attributes:
        energy: shape (structures, weights).
        forces: shape (atoms, 3, weights), in 1/Å.
        virial: sum over edges of -r (x) dE/dr, shape (structures, 3, 3, weights), or None.
    """

    energy: Float[Tensor, "structures weights"]
    forces: Float[Tensor, "atoms 3 weights"]
    virial: Float[Tensor, "structures 3 3 weights"] | None = None


def design(term: ClusterExpansion, batch: Batch, pairs: Neighbours, virial: bool = False) -> Design:
    """The design matrix of some structures.

    Args:
        term: the expansion; its type sets the precision.
        batch: structures.
        pairs: neighbours within the cutoff of the term.
        virial: whether to build the rows of the virial too.

    On a CPU and in float64 by generated code, with the numbers of `design_by_torch`.
    """
    maker = fast.feature_maker(term)
    if maker is not None and batch.positions.dtype == torch.float64:
        energy, forces, virials = maker.design(batch, pairs, virial)
        return Design(
            torch.from_numpy(energy),
            torch.from_numpy(forces),
            None if virials is None else torch.from_numpy(virials),
        )
    return design_by_torch(term, batch, pairs, virial)


def design_by_torch(
    term: ClusterExpansion, batch: Batch, pairs: Neighbours, virial: bool = False
) -> Design:
    """As `design`, on any device, in any type."""
    env = environments(batch, pairs)
    features = features_and_gradients(term, env)
    n_species, n_features = len(term.elements), term.n_features
    species = term.species[batch.numbers]
    new = features.values.new_zeros
    energy = new(batch.n_structures, n_species, n_features)
    energy.index_put_((batch.structure, species), features.values, accumulate=True)
    forces = new(batch.n_atoms, n_species, 3, n_features)
    owner = species[pairs.centre]
    for s in range(n_species):
        edges = torch.nonzero(owner == s)[:, 0]
        gradients = features.gradients[edges]
        forces[:, s].index_add_(0, pairs.centre[edges], gradients)
        forces[:, s].index_add_(0, pairs.neighbour[edges], gradients, alpha=-1)
    rows = None
    if virial:
        rows = new(batch.n_structures, n_species, 3, 3, n_features)
        products = -env.vectors[:, :, None, None] * features.gradients[:, None]
        rows.index_put_((batch.structure[pairs.centre], owner), products, accumulate=True)
        rows = rows.permute(0, 2, 3, 1, 4).flatten(3)
    found = energy.flatten(1), forces.transpose(1, 2).flatten(2), rows
    if len(term.columns) < n_species * n_features:  # elements lack some
        columns = torch.from_numpy(term.columns).to(energy.device)
        found = tuple(None if each is None else each[..., columns] for each in found)
    return Design(*found)
