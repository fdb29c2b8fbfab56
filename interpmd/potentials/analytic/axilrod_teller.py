"""The triple-dipole potential of Axilrod and Teller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import ArgumentError
from interpmd.potentials.analytic.known import AnalyticTerm
from interpmd.potentials.analytic.triplets import edge_pairs, gated_corners
from interpmd.potentials.base import register
from interpmd.structures.edges import Environments


@register
class AxilrodTeller(AnalyticTerm):
    """The row of a triplet is C9 (1 + 3 cos a cos b cos c) / (r_ab r_bc r_ca)^3 s s s.

    s(r) = (1 − (r/cutoff)^2)^3 for each of the three sides, so that a triplet counts where all
    its sides are below the cutoff; each corner carries a third of the energy.

    Source: Axilrod and Teller, J. Chem. Phys. 11, 299 (1943), equation 1.

    Args:
        c9: coefficient in eV Å⁹.
        cutoff: Å.
        elements: atomic numbers or symbols that the term accepts; any element if None.

    Raises:
        ArgumentError: a cutoff that is not positive.
    """

    kind = "axilrod_teller"
    body_order = 3

    def __init__(
        self, c9: float, cutoff: float, elements: Sequence[int | str] | None = None
    ) -> None:
        super().__init__(elements)
        if cutoff <= 0:
            raise ArgumentError(f"the cutoff must be positive, not {cutoff}")
        self.c9, self.cutoff = float(c9), float(cutoff)

    @classmethod
    def example(cls) -> AxilrodTeller:
        """Strong enough to show in molecules."""
        return cls(c9=2.0, cutoff=4.0)

    def config(self) -> dict[str, Any]:
        return {"c9": self.c9, "cutoff": self.cutoff, **super().config()}

    def triplet_energy(self, sides: Float[Tensor, "3 triplets"]) -> Float[Tensor, " triplets"]:
        ab, ac, bc = sides
        x, y, z = sides**2
        cosines = (x + y - z) * (x + z - y) * (y + z - x) / (8 * x * y * z)
        smooth = (1 - sides**2 / self.cutoff**2).clamp(min=0.0) ** 3
        energies = self.c9 * (1 + 3 * cosines) / (ab * ac * bc) ** 3
        return energies * smooth[0] * smooth[1] * smooth[2]

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        first, second = edge_pairs(env)
        across = (env.vectors[first] - env.vectors[second]).pow(2).sum(1)
        inside = torch.nonzero(across < self.cutoff**2)[:, 0]
        first, second = first[inside], second[inside]
        lengths = env.vectors.norm(dim=1)
        opposite = (env.vectors[first] - env.vectors[second]).norm(dim=1)
        sides = torch.stack([lengths[first], lengths[second], opposite])
        energies = self.triplet_energy(sides) / 3
        energies = gated_corners(env, energies, first, second)
        return lengths.new_zeros(env.n_sites).index_add(0, env.centre[first], energies)
