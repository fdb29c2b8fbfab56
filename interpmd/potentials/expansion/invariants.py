"""From the density of a site to its invariants of one degree, channel by channel."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interpmd.potentials.expansion.angular import block
from interpmd.potentials.expansion.rotations import couplings


class Invariants(nn.Module):
    """Invariants of degree 2, 3 or 4 of the density A: inner products of blocks of V = (A, T).

    T holds products of two A coupled to a degree l; only those that this degree needs. They are
    computed in groups with the same smaller l, as matrix products: the couplings of one group are
    dense, while those of all together are almost empty.

    Args:
        lmax: largest degree l of A that is used.
        degree: of the products.
    """

    left: Int[Tensor, " terms"]
    right: Int[Tensor, " terms"]
    share: Float[Tensor, "invariants terms"]

    def __init__(self, lmax: int, degree: int) -> None:
        super().__init__()
        self.lmax, self.degree, components = lmax, degree, (lmax + 1) ** 2
        recipe = couplings(lmax, (degree,))
        self.count, self.labels = len(recipe.degree), recipe.labels
        share = np.zeros((self.count, len(recipe.owner)))
        share[recipe.owner, np.arange(len(recipe.owner))] = recipe.weight
        used = np.unique(np.concatenate([recipe.left, recipe.right]))
        used = used[used >= components] - components
        full = np.zeros((components, components, len(used)))
        full[recipe.pairs[0], recipe.pairs[1]] = recipe.quadratic[:, used]
        place, self.groups = np.arange(components + recipe.quadratic.shape[1]), []
        row = components
        for l in range(lmax + 1):
            columns = np.flatnonzero((full[block(l)] != 0).any((0, 1)))
            if len(columns):
                place[components + used[columns]] = row + np.arange(len(columns))
                matrix = full[block(l), l * l :][..., columns].reshape(-1, len(columns)).T
                self._buffer(f"couple{l}", matrix.copy())
                self.groups.append(l)
                row += len(columns)
        self._buffer("left", place[recipe.left])
        self._buffer("right", place[recipe.right])
        self._buffer("share", share)

    def _buffer(self, name: str, values: np.ndarray) -> None:
        self.register_buffer(name, torch.as_tensor(values), persistent=False)

    def forward(
        self, density: Float[Tensor, "components sites channels"]
    ) -> Float[Tensor, "invariants sites channels"]:
        """All invariants."""
        products = self._products(density)
        return (self.share @ products.flatten(1)).unflatten(1, products.shape[1:])

    def contract(
        self,
        density: Float[Tensor, "components sites channels"],
        weights: Float[Tensor, "species channels invariants"],
        species: Tensor,
    ) -> Float[Tensor, " sites"]:
        """Sum of all invariants of each site with the weights of its species."""
        shared = (weights @ self.share).permute(2, 0, 1)[:, species]
        return (self._products(density) * shared).sum((0, 2))

    def hessian(self) -> Float[Tensor, "coupled components components"]:
        """Second derivatives of T by A."""
        components, hessians = (self.lmax + 1) ** 2, []
        for l in self.groups:
            matrix = self.get_buffer(f"couple{l}").unflatten(1, (2 * l + 1, -1))
            full = matrix.new_zeros(len(matrix), components, components)
            full[:, block(l), l * l :] = matrix
            hessians.append(full + full.mT)
        return torch.cat(hessians) if hessians else self.share.new_zeros(0, components, components)

    def vector(self, density: Float[Tensor, "components ..."]) -> Float[Tensor, "coupled ..."]:
        """V = (A, T), with A up to the degree that is used."""
        density = density[: (self.lmax + 1) ** 2]
        parts = [density]
        for l in self.groups:
            products = density[block(l), None] * density[None, l * l :]
            coupled = self.get_buffer(f"couple{l}") @ products.flatten(2).flatten(0, 1)
            parts.append(coupled.unflatten(1, density.shape[1:]))
        return torch.cat(parts)

    def _products(self, density: Tensor) -> Tensor:
        vector = self.vector(density)
        return vector.index_select(0, self.left) * vector.index_select(0, self.right)
