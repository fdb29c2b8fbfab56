"""The sites of a structure, as each local term sees them, and how many rows they make."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.decomposition.subsets import count_stars
from interpmd.errors import ArgumentError
from interpmd.potentials.potential import Potential
from interpmd.structures.edges import Environments, edge_vectors
from interpmd.structures.systems import Batch

#: Most subsets of neighbours that are enumerated unless the order is given.
STAR_BUDGET = 300_000

#: Most subsets of neighbours that are enumerated at all.
STAR_LIMIT = 20_000_000

#: Order to which terms that depend on the whole structure are expanded if there is no other.
GLOBAL_ORDER = 3


@dataclass(frozen=True)
class Sites:
    """The sites of one structure and their neighbours within the cutoff of a term.

    Attributes:
        environments: vectors in Å, float64.
        neighbour: atom at the end of each edge, shape (edges,).
        shifts: its periodic image, shape (edges, 3).
    """

    environments: Environments
    neighbour: Int[np.ndarray, " edges"]
    shifts: Int[np.ndarray, "edges 3"]

    @property
    def degrees(self) -> Int[np.ndarray, " sites"]:
        """Number of neighbours of each site."""
        env = self.environments
        return torch.bincount(env.centre, minlength=env.n_sites).cpu().numpy()

    def edge_moves(
        self, moves: Float[np.ndarray, "directions atoms 3"]
    ) -> Float[Tensor, "directions edges 3"]:
        """How the vectors change as the atoms move."""
        vectors, centre = self.environments.vectors, self.environments.centre
        of_atoms = torch.as_tensor(moves, dtype=vectors.dtype, device=vectors.device)
        return of_atoms[:, torch.as_tensor(self.neighbour)] - of_atoms[:, centre]


def sites_of_terms(potential: Potential, batch: Batch) -> dict[str, Sites]:
    """Sites and neighbours of every local term, within its own cutoff."""
    if not potential.local_terms:
        return {}
    pairs = potential.neighbours(batch)
    vectors = edge_vectors(batch, pairs).detach()
    distances = vectors.norm(dim=1)
    sites = {}
    for name, term in potential.local_terms.items():
        keep = torch.nonzero(distances < term.cutoff)[:, 0]
        sites[name] = Sites(
            environments=Environments(
                vectors=vectors[keep],
                centre=pairs.centre[keep],
                centre_numbers=batch.numbers,
                neighbour_numbers=batch.numbers[pairs.neighbour[keep]],
            ),
            neighbour=pairs.neighbour[keep].cpu().numpy(),
            shifts=pairs.shifts[keep].cpu().numpy(),
        )
    return sites


def subsets_of_neighbours(potential: Potential, atoms: Atoms, orders: Iterable[int]) -> list[int]:
    """How many `decompose` has to enumerate at each order; its time grows in proportion."""
    sites = sites_of_terms(potential, potential.batch(atoms))
    return [_count(potential, sites, order) for order in orders]


def affordable_order(potential: Potential, sites: dict[str, Sites], order: int | None) -> int:
    """The order that is asked for, or the highest within `STAR_BUDGET`, with a warning.

    Raises:
        ArgumentError: the order that is asked for needs more than `STAR_LIMIT` subsets.
    """
    if order is not None:
        if (needed := _count(potential, sites, order)) > STAR_LIMIT:
            raise ArgumentError(
                f"order {order} needs {needed:.3g} subsets of neighbours, more than the limit of "
                f"{STAR_LIMIT:.3g}; choose a lower order or a smaller structure"
            )
        return order
    orders = [term.body_order for term in potential.local_terms.values()]
    full = max(orders, default=GLOBAL_ORDER)
    if potential.global_terms:
        full = max(full, GLOBAL_ORDER)
    costs = {k: _count(potential, sites, k) for k in range(full, 0, -1)}
    affordable = next((k for k in range(full, 1, -1) if costs[k] <= STAR_BUDGET), 1)
    if affordable < full and costs[affordable] < costs[full]:
        warnings.warn(
            f"rows are enumerated to order {affordable}, not {full}, which would need "
            f"{costs[full]:.3g} subsets of neighbours; what lies above is kept as remainders. "
            f"Pass order={full} to enumerate all",
            stacklevel=3,
        )
    return affordable


def _count(potential: Potential, sites: dict[str, Sites], order: int) -> int:
    return sum(
        count_stars(sites[name].degrees, min(order, term.body_order))
        for name, term in potential.local_terms.items()
    )
