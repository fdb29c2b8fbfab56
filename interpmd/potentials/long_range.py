"""Electrostatics beyond the cutoff: fixed charges, smeared, summed over all periodic images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from ase.data import chemical_symbols
from jaxtyping import Float, Int
from torch import Tensor

from interpmd import arguments
from interpmd.errors import ArgumentError, StructureError
from interpmd.extras import required
from interpmd.potentials.base import GlobalTerm, register
from interpmd.potentials.repulsion import COULOMB
from interpmd.structures.systems import Batch, atomic_number, check_elements

#: Waves of more than this over the smearing are left out: their weight is below 1e-9.
LAST_WAVE = 6.5


@register
class LongRange(GlobalTerm):
    """Coulomb energy of fixed charges, each smeared to a Gaussian, with all periodic images.

    E_i = 1/2 sum_j (e^2 / 4 pi epsilon_0) q_i q_j erf(r_ij / (sqrt(2) smearing)) / r_ij

    Without the singular part at short range, which a learned term takes, it is smooth: an Ewald
    sum of waves alone, by torch-pme, or by generated code with the same waves. A cell with a net
    charge has a uniform background that neutralises it. Charges do not adapt to their
    surroundings, so that it acts between pairs, at any distance.

    Sources: Ewald, Ann. Phys. 369, 253 (1921); Loche et al., J. Chem. Phys. 162, 142501 (2025)
    (torch-pme).

    Args:
        charges: e, by element (symbol or atomic number).
        smearing: standard deviation of the Gaussian by which the potential is smoothed, in Å.

    Raises:
        ArgumentError: no charges, one that is not a number, or a smearing that is not positive.
        UnknownElementError: no element has this symbol; (when called) an atom without a charge.
        StructureError: (when called) a structure that is periodic in one or two directions.
        MissingPackageError: (when called) torch-pme is not installed.
    """

    kind = "long_range"
    periodic = True

    charges: Float[Tensor, " numbers"]

    def __init__(self, charges: Mapping[str | int, float], smearing: float = 1.8) -> None:
        super().__init__()
        arguments.positive(smearing=smearing)
        if not charges:
            raise ArgumentError("charges names no element; give for instance {'O': -0.8, 'H': 0.4}")
        table = torch.zeros(len(chemical_symbols), dtype=torch.float64)
        known = {atomic_number(element): float(q) for element, q in charges.items()}
        for number, charge in known.items():
            if not np.isfinite(charge):
                raise ArgumentError(f"the charge of {chemical_symbols[number]} is {charge}")
            table[number] = charge
        self.elements = tuple(sorted(known))
        self.smearing = float(smearing)
        self.register_buffer("charges", table, persistent=False)

    @classmethod
    def example(cls) -> LongRange:
        """Charges so small that any molecule is close to neutral."""
        return cls({"H": 0.01, "C": -0.02, "O": -0.02, "Si": 0.03})

    def config(self) -> dict[str, Any]:
        charges = {chemical_symbols[z]: float(self.charges[z]) for z in self.elements or ()}
        return {"charges": charges, "smearing": self.smearing}

    def forward(self, batch: Batch) -> Float[Tensor, " atoms"]:
        check_elements(batch.numbers, self.elements or (), f"the term {self.kind}")
        check_directions(batch.pbc.numpy(force=True))
        charges = self.charges[batch.numbers].to(batch.positions)
        counts = torch.bincount(batch.structure, minlength=batch.n_structures).tolist()
        parts = zip(
            batch.positions.split(counts),
            charges.split(counts),
            batch.cells,
            batch.pbc.all(1).tolist(),
            strict=True,
        )
        return torch.cat(
            [
                self._in_cell(x, q, cell) if periodic else self._in_vacuum(x, q)
                for x, q, cell, periodic in parts
            ]
        )

    def pairs(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "atoms atoms"], Float[Tensor, "atoms atoms 3"]]:
        """What each atom and each pair of atoms of one periodic structure has, all images included.

        The energy is sum_i E_ii + sum_{i<j} E_ij, exactly.

        Returns:
            E in eV, and the derivative of E_ij by the position of i in eV/Å.
        """
        charges, cell = self.charges[batch.numbers].double(), batch.cells[0].double()
        places, volume = batch.positions.detach().double(), torch.linalg.det(cell).abs()
        k = torch.as_tensor(waves(cell.cpu().numpy(), self.smearing)).to(places)
        k = k @ (2 * torch.pi * torch.linalg.inv(cell).mT)
        squares = (k**2).sum(1)
        # of k and -k
        weights = 8 * torch.pi * torch.exp(-0.5 * self.smearing**2 * squares) / squares / volume
        phases = torch.polar(torch.ones(len(places), len(k)).to(places), places @ k.T)
        products = COULOMB * charges[:, None] * charges
        background = 2 * torch.pi * self.smearing**2 / volume
        energies = products * (((phases * weights) @ phases.mH).real - background)
        own = 0.5 * (
            energies.diagonal() - (2 / torch.pi) ** 0.5 / self.smearing * products.diagonal()
        )
        slopes = [-(phases * weights * k[:, axis]) @ phases.mH for axis in range(3)]
        gradients = products[:, :, None] * torch.stack([s.imag for s in slopes], dim=2)
        return energies.diagonal_scatter(own), gradients

    def _in_vacuum(
        self, positions: Float[Tensor, "atoms 3"], charges: Float[Tensor, " atoms"]
    ) -> Float[Tensor, " atoms"]:
        itself = torch.eye(len(charges), dtype=torch.bool, device=charges.device)
        vectors = positions[:, None] - positions
        squares = (vectors**2).sum(2).masked_fill(itself, 1.0)
        distances = squares.sqrt()
        smooth = torch.erf(distances / (2**0.5 * self.smearing)) / distances
        return 0.5 * COULOMB * charges * (smooth.masked_fill(itself, 0.0) @ charges)

    def _in_cell(
        self,
        positions: Float[Tensor, "atoms 3"],
        charges: Float[Tensor, " atoms"],
        cell: Float[Tensor, "3 3"],
    ) -> Float[Tensor, " atoms"]:
        pme = required("torchpme", "the term long_range")
        calculator = pme.EwaldCalculator(
            pme.CoulombPotential(smearing=self.smearing, prefactor=COULOMB),
            lr_wavelength=self.smearing,  # the waves are given
        ).to(positions)
        indices = waves(cell.detach().cpu().double().numpy(), self.smearing)
        whole = torch.as_tensor(np.concatenate([indices, -indices, np.zeros((1, 3), int)]))
        reciprocal = 2 * torch.pi * torch.linalg.inv(cell).mT
        potential = calculator(
            charges[:, None],
            cell,
            positions,
            neighbor_indices=torch.zeros(0, 2, dtype=torch.int64, device=positions.device),
            neighbor_distances=positions.new_zeros(0),
            kvectors=whole.to(positions) @ reciprocal,
        )
        return charges * potential[:, 0]


def waves(cell: Float[np.ndarray, "3 3"], smearing: float) -> Int[np.ndarray, "waves 3"]:
    """Multiples of the reciprocal vectors that matter, one of each pair k and -k, k = 0 left out.

    Args:
        cell: Å. smearing: Å.
    """
    longest = LAST_WAVE / smearing
    most = np.floor(longest * np.linalg.norm(cell, axis=1) / (2 * np.pi)).astype(int)
    grid = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in most), indexing="ij"), -1)
    indices = grid.reshape(-1, 3)
    indices = indices[len(indices) // 2 + 1 :]  # beyond 0 in the order of the grid
    vectors = 2 * np.pi * indices @ np.linalg.inv(cell).T
    return indices[(vectors**2).sum(1) <= longest**2]


def check_directions(pbc: np.ndarray) -> None:
    """Raise StructureError for a structure that is periodic in one or two directions."""
    for index, directions in enumerate(np.atleast_2d(pbc)):
        if directions.any() and not directions.all():
            which = f"structure {index}" if len(np.atleast_2d(pbc)) > 1 else "the structure"
            raise StructureError(
                f"long_range needs 0 or 3 periodic directions, and {which} has {directions.sum()}; "
                "use a potential without long_range, or give the cell a third direction with vacuum"
            )
