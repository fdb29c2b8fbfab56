"""Screened repulsion of nuclei at short range."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from ase.data import covalent_radii
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import ArgumentError
from interpmd.potentials.base import LocalTerm, ascending_numbers, register
from interpmd.potentials.dense import BOHR, HARTREE
from interpmd.structures.edges import Environments

#: e^2 / (4 pi epsilon_0) in eV Å.
COULOMB = HARTREE * BOHR


@register
class ZBL(LocalTerm):
    """Ziegler-Biersack-Littmark repulsion, switched off smoothly where chemistry begins.

    E_i = 1/2 sum_j (e^2 Z_i Z_j / r) phi(r / a) f(r),  a = 0.8854 a_0 / (Z_i^0.23 + Z_j^0.23)

    phi(x) = 0.18175 exp(−3.19980 x) + 0.50986 exp(−0.94229 x)
           + 0.28022 exp(−0.40290 x) + 0.02817 exp(−0.20162 x)

    f falls from 1 to 0 at `scale` times the sum of the covalent radii, and its first two
    derivatives vanish there: a choice of this package, which leaves bonds to the learned terms.

    Source: Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Solids (1985).

    Args:
        elements: atomic numbers or symbols; all elements if None.
        scale: outer end of the switch in units of the sum of the covalent radii.

    Raises:
        ArgumentError: a scale that is not positive.
    """

    kind = "repulsion"
    body_order = 2

    radii: Float[Tensor, " numbers"]

    def __init__(self, elements: Sequence[int | str] | None = None, scale: float = 0.7) -> None:
        super().__init__()
        if scale <= 0:
            raise ArgumentError(f"scale must be positive, not {scale}")
        self.scale = float(scale)
        if elements is not None:
            self.elements = ascending_numbers(elements)
        radii = torch.as_tensor(covalent_radii, dtype=torch.float64)
        known = radii if self.elements is None else radii[list(self.elements)]
        self.cutoff = 2 * self.scale * float(known.max())
        self.register_buffer("radii", radii, persistent=False)

    @classmethod
    def example(cls) -> ZBL:
        """All elements, the usual switch widened so that it acts on bonds."""
        return cls(scale=1.5)

    def config(self) -> dict[str, Any]:
        return {"elements": self.elements and list(self.elements), "scale": self.scale}

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        z_i, z_j = env.centre_numbers[env.centre], env.neighbour_numbers
        distances = env.vectors.norm(dim=1)
        outer = self.scale * (self.radii[z_i] + self.radii[z_j])
        energies = 0.5 * zbl_energy(distances, z_i, z_j) * switch(distances, outer)
        return energies.new_zeros(env.n_sites).index_add(0, env.centre, env.gated(energies))


def zbl_energy(
    distances: Float[Tensor, " pairs"], z_i: Tensor, z_j: Tensor
) -> Float[Tensor, " pairs"]:
    """Universal ZBL energy of pairs in eV, without the switch; distances in Å."""
    first, second = z_i.to(distances.dtype), z_j.to(distances.dtype)
    x = distances * (first**0.23 + second**0.23) / (0.8854 * BOHR)
    screening = (
        0.18175 * torch.exp(-3.19980 * x)
        + 0.50986 * torch.exp(-0.94229 * x)
        + 0.28022 * torch.exp(-0.40290 * x)
        + 0.02817 * torch.exp(-0.20162 * x)
    )
    return COULOMB * first * second / distances * screening


def switch(
    distances: Float[Tensor, " pairs"], outer: Float[Tensor, " pairs"] | float
) -> Float[Tensor, " pairs"]:
    """Polynomial from 1 at r = 0 to 0 at `outer`, two derivatives vanishing at both ends."""
    x = (distances / outer).clamp(max=1.0)
    return 1 - 28 * x**6 + 48 * x**7 - 21 * x**8
