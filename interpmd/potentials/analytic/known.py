"""Terms whose rows are known in closed form, and the rows themselves.

The table of rows is obtained from site energies by inclusion and exclusion; `known_rows` evaluates
the formula of each pair and triplet instead, so that the two can be compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.neighborlist import neighbor_list
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.potentials.base import LocalTerm, ascending_numbers
from interpmd.structures.systems import check_structure

#: Name of a cluster: its atoms, and the periodic image of each (None for molecules). Members
#: ascend by (atom, image); the first one is in the original cell, image (0, 0, 0).
Cluster = tuple[tuple[int, ...], tuple[tuple[int, int, int], ...] | None]


class AnalyticTerm(LocalTerm):
    """A term that is the sum of a function of pairs and a function of triplets.

    Args:
        elements: atomic numbers or symbols that the term accepts, all with the same parameters;
            any element if None.
    """

    def __init__(self, elements: Sequence[int | str] | None = None) -> None:
        super().__init__()
        if elements is not None:
            self.elements = ascending_numbers(elements)

    def config(self) -> dict[str, Any]:
        return {"elements": None if self.elements is None else list(self.elements)}

    def pair_energy(self, distances: Float[Tensor, " pairs"]) -> Float[Tensor, " pairs"]:
        """The row of each pair in eV, from its distance in Å."""
        return torch.zeros_like(distances)

    def triplet_energy(self, sides: Float[Tensor, "3 triplets"]) -> Float[Tensor, " triplets"]:
        """The row of each triplet in eV, from its sides 0-1, 0-2 and 1-2 in Å."""
        return torch.zeros_like(sides[0])

    def known_rows(self, atoms: Atoms) -> dict[Cluster, float]:
        """Energy in eV of every pair and triplet that is not exactly zero.

        Periodic clusters are counted once for each cell. The keys are those of the rows of
        `interpmd.decompose`: ``(row.atoms, row.shifts)``.

        Raises:
            StructureError: see `interpmd.structures.systems.check_structure`.
        """
        check_structure(atoms)
        rows: dict[Cluster, float] = {}
        for size in range(2, self.body_order + 1):
            clusters = _clusters(atoms, self.cutoff, size)
            points = atoms.positions[clusters[:, :, 0]] + clusters[:, :, 1:] @ np.asarray(
                atoms.cell
            )
            sides = torch.stack(
                [
                    torch.as_tensor(np.linalg.norm(points[:, a] - points[:, b], axis=1))
                    for a, b in itertools.combinations(range(size), 2)
                ]
            )
            of_clusters = self.pair_energy(sides[0]) if size == 2 else self.triplet_energy(sides)
            energies = of_clusters.tolist()
            for cluster, energy in zip(clusters.tolist(), energies, strict=True):
                if energy != 0:
                    shifts = tuple(tuple(member[1:]) for member in cluster)
                    members = tuple(member[0] for member in cluster)
                    rows[members, shifts if atoms.pbc.any() else None] = energy
        return rows


def _clusters(atoms: Atoms, cutoff: float, size: int) -> Int[np.ndarray, "clusters size 4"]:
    """Pairs within the cutoff, or triplets with two sides within: atom and image of each member."""
    centre, neighbour, shifts = neighbor_list("ijS", atoms, cutoff)
    sites = np.column_stack([centre, np.zeros_like(shifts)])
    ends = np.column_stack([neighbour, shifts])
    if size == 2:
        members = np.stack([sites, ends], axis=1)
    else:
        first, second = np.nonzero(centre[:, None] == centre[None, :])
        first, second = first[first < second], second[first < second]
        members = np.stack([sites[first], ends[first], ends[second]], axis=1)
    order = np.lexsort(np.moveaxis(members, 2, 0)[::-1], axis=1)
    members = np.take_along_axis(members, order[:, :, None], axis=1)
    members[:, :, 1:] -= members[:, :1, 1:].copy()
    return np.unique(members.reshape(-1, 4 * size), axis=0).reshape(-1, size, 4)
