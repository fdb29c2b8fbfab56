"""What parts that lie further apart than the cutoff may do to each other: an error bar, no energy.

A local potential says that such parts do nothing to each other. In every sample of its posterior
that is exactly zero, so that the samples alone would say "0 ± 0", and molecules a little further
apart than the cutoff attract and repel each other as their dipoles do. What is known of that is its
form: charges that add up to nothing in each part. A draw gives each element a random charge, of a
size that labelled frames with such parts have told (`interpmd.fitting.apart`), and a random sign to
the whole, since it may be either.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.repulsion import COULOMB
from interpmd.structures.edges import Neighbours, edge_vectors
from interpmd.structures.systems import Batch

#: Part of the cutoff beyond which what was learned has faded to nothing.
FADED = 0.9

#: Of the charges and signs, which are the same in every structure: what is the same there cancels.
SEED = 0


def separate_parts(batch: Batch, pairs: Neighbours, cutoff: float) -> Int[Tensor, " atoms"]:
    """For each atom the least number of an atom of its part; parts are further apart than the
    cutoff (Å)."""
    near = edge_vectors(batch, pairs).detach().norm(dim=1) < cutoff
    part = torch.arange(batch.n_atoms, device=batch.positions.device)
    first, second = pairs.centre[near], pairs.neighbour[near]
    while True:  # each atom takes the least number of its neighbours, until none changes
        least = part.scatter_reduce(0, first, part[second], "amin")
        if torch.equal(least, part):
            return part
        part = least


def number_of_parts(batch: Batch, part: Int[Tensor, " atoms"]) -> Int[Tensor, " structures"]:
    """Number of parts of each structure."""
    heads = part == torch.arange(batch.n_atoms, device=part.device)
    counts = torch.zeros(batch.n_structures, dtype=torch.int64, device=part.device)
    return counts.index_add(0, batch.structure, heads.long())


def between_parts(
    term: LearnedTerm, batch: Batch, part: Int[Tensor, " atoms"], draws: int
) -> tuple[Float[Tensor, "draws structures"], Float[Tensor, "draws atoms 3"]]:
    """Draws of energies (eV) and forces (eV/Å) between the parts of structures; zero in structures
    of one part, and in periodic ones, whose parts have images.

    Args:
        term: whose elements have charges, of standard deviation 1 e; `charge_scale` does not count.
        batch: structures. part: of each atom; see `separate_parts`.
        draws: how many.
    """
    energies = batch.positions.new_zeros(draws, batch.n_structures)
    forces = batch.positions.new_zeros(draws, batch.n_atoms, 3)
    several = (number_of_parts(batch, part) > 1) & ~batch.pbc.any(1)
    charges, signs = _drawn(len(term.elements), draws)
    species = term.species[batch.numbers]
    for structure in torch.nonzero(several)[:, 0].tolist():
        atoms = torch.nonzero(batch.structure == structure)[:, 0]
        _, of = torch.unique(part[atoms], return_inverse=True)
        charge = charges.to(batch.positions)[:, species[atoms]]
        sums = charge.new_zeros(draws, int(of.max()) + 1).index_add(1, of, charge)
        charge = charge - (sums / torch.bincount(of))[:, of]
        places = batch.positions[atoms].detach()
        apart = places[:, None] - places
        inverse = torch.where(of[:, None] == of, 0.0, apart.norm(dim=2).reciprocal())
        size = COULOMB * signs.to(charge)[:, None] * charge
        energies[:, structure] = 0.5 * (size * (charge @ inverse)).sum(1)
        field = torch.einsum("db,abx->dax", charge, apart * inverse[..., None] ** 3)
        forces[:, atoms] = size[..., None] * field
    return energies, forces


def _drawn(
    species: int, draws: int
) -> tuple[Float[Tensor, "draws species"], Float[Tensor, " draws"]]:
    generator = torch.Generator().manual_seed(SEED)
    signs = torch.randint(0, 2, (draws,), generator=generator) * 2.0 - 1.0
    charges = torch.randn(species, draws, generator=generator, dtype=torch.float64).T
    return charges, signs
