"""Energies of isolated atoms: they come from the reference method and are never fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interpmd.errors import ArgumentError
from interpmd.potentials.base import LocalTerm, register
from interpmd.structures.edges import Environments
from interpmd.structures.systems import atomic_number


@register
class Isolated(LocalTerm):
    """E_i = E0(Z_i).

    Args:
        energies: energy of each isolated atom in eV, by atomic number or symbol.

    Raises:
        ArgumentError: no energies.
        UnknownElementError: no element has this symbol or number.
    """

    kind = "isolated"
    body_order = 1
    cutoff = 0.0

    table: Float[Tensor, " numbers"]

    def __init__(
        self, energies: Mapping[int, float] | Mapping[str, float] | Mapping[int | str, float]
    ) -> None:
        super().__init__()
        if not energies:
            raise ArgumentError("give the energy of at least one element")
        by_number = {atomic_number(key): float(value) for key, value in energies.items()}
        self.elements = tuple(sorted(by_number))
        table = torch.zeros(max(by_number) + 1, dtype=torch.float64)
        for number, energy in by_number.items():
            table[number] = energy
        self.register_buffer("table", table)

    @classmethod
    def example(cls) -> Isolated:
        """Energies of H, C, N and O."""
        return cls({"H": -13.6, "C": -1029.0, "N": -1485.0, "O": -2041.0})

    def config(self) -> dict[str, Any]:
        return {"energies": {str(z): float(self.table[z]) for z in self.elements or ()}}

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        return self.table[env.centre_numbers]
