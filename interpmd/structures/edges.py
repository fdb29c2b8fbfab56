"""Who is near whom: edges from each atom to its neighbours, and the environments of sites.

The verbs (`neighbours`, `edge_vectors`, `environments`) are free functions, so that a potential
reads like its equation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from ase.geometry import complete_cell
from jaxtyping import Float, Int
from torch import Tensor

from interpmd.errors import StructureError
from interpmd.structures.systems import Batch

#: Two nuclei closer than this (Å) are treated as a mistake in the input.
CLOSEST_APPROACH = 0.25

#: Most periodic images per direction that a neighbour search may need.
MOST_IMAGES = 12

#: Number of sites on which local terms are evaluated together, on a CPU and on a GPU.
SITES_AT_ONCE, SITES_ON_GPU = 128, 4096


@dataclass(frozen=True)
class Neighbours:
    """Ordered pairs of atoms within a cutoff; both directions of every pair, sorted by centre.

    Attributes:
        centre: atom at which an edge starts, ascending, shape (edges,).
        neighbour: atom at which it ends, shape (edges,).
        shifts: periodic image of the neighbour in units of the cell vectors, shape (edges, 3).
        cutoff: Å.
        degree: number of neighbours if all atoms have the same number (as in the list of all
            pairs of one small molecule), otherwise None.
    """

    centre: Int[Tensor, " edges"]
    neighbour: Int[Tensor, " edges"]
    shifts: Int[Tensor, "edges 3"]
    cutoff: float
    degree: int | None = None


@dataclass(frozen=True)
class Environments:
    """What a local term sees: sites, and the vectors from each site to its neighbours.

    Attributes:
        vectors: from centre to neighbour in Å, shape (edges, 3).
        centre: site that an edge belongs to, ascending, shape (edges,).
        centre_numbers: atomic number of each site, shape (sites,).
        neighbour_numbers: atomic number of each neighbour, shape (edges,).
        degree: number of edges of every site if it is the same for all, otherwise None.
        gates: how far each neighbour is present, from 0 (absent) to 1, shape (edges,); all are
            present if None.
    """

    vectors: Float[Tensor, "edges 3"]
    centre: Int[Tensor, " edges"]
    centre_numbers: Int[Tensor, " sites"]
    neighbour_numbers: Int[Tensor, " edges"]
    degree: int | None = None
    gates: Float[Tensor, " edges"] | None = None

    def gated(self, values: Float[Tensor, "edges ..."]) -> Float[Tensor, "edges ..."]:
        """Contributions of the neighbours, each times its gate."""
        if self.gates is None:
            return values
        return values * self.gates.view(-1, *[1] * (values.ndim - 1))

    @property
    def n_sites(self) -> int:
        return self.centre_numbers.shape[0]


def neighbours(batch: Batch, cutoff: float) -> Neighbours:
    """All ordered pairs of atoms within `cutoff` Å, periodic images included.

    For one small molecule this is the list of all its pairs, whatever their distance, which does
    not depend on the positions; terms vanish beyond their own cutoff. Batches and periodic
    structures are searched by vesin (cell lists, linear in the number of atoms).

    Raises:
        StructureError: two atoms closer than `CLOSEST_APPROACH`, or a periodic cell so thin that
            the cutoff spans more than `MOST_IMAGES` of it.
    """
    if batch.n_structures == 1 and not batch.periodic and batch.n_atoms <= 64:
        result = _all_pairs(batch, cutoff)
    else:
        result = search_neighbours(batch, cutoff)
    _check_distances(batch, result)
    return result


def search_neighbours(batch: Batch, cutoff: float) -> Neighbours:
    """As `neighbours`, always by searching, and without a check of the distances.

    Raises:
        StructureError: a periodic cell so thin that the cutoff spans more than `MOST_IMAGES` of it.
    """
    from vesin import NeighborList

    search = NeighborList(cutoff=cutoff, full_list=True, sorted=True)
    counts = torch.bincount(batch.structure, minlength=batch.n_structures).tolist()
    parts, first = [], 0
    for index, count in enumerate(counts):
        positions = batch.positions[first : first + count].detach().cpu().double().numpy()
        pbc = batch.pbc[index].cpu().numpy()
        cell = batch.cells[index].detach().cpu().double().numpy()
        if pbc.any():
            cell = complete_cell(cell * pbc[:, None])
            _check_thickness(cell, pbc, cutoff)
        i, j, shifts = search.compute(positions, cell, periodic=pbc, quantities="ijS")
        parts.append((i.astype(np.int64) + first, j.astype(np.int64) + first, shifts))
        first += count
    centre, neighbour, shifts = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(centre, kind="stable")
    tensors = (
        torch.as_tensor(part[order].astype(np.int64), device=batch.positions.device)
        for part in (centre, neighbour, shifts)
    )
    return Neighbours(*tensors, cutoff=cutoff)


def edge_vectors(batch: Batch, pairs: Neighbours) -> Float[Tensor, "edges 3"]:
    """Vectors from centre to neighbour in Å; differentiable in positions and cells."""
    vectors = batch.positions[pairs.neighbour] - batch.positions[pairs.centre]
    if batch.periodic:
        cells = batch.cells[batch.structure[pairs.centre]]
        vectors = vectors + torch.einsum("es,esx->ex", pairs.shifts.to(vectors.dtype), cells)
    return vectors


def nearest_distances(atoms: Atoms, within: float) -> Float[np.ndarray, " atoms"]:
    """Distance of each atom to its nearest neighbour or image in Å, at most `within`."""
    batch = Batch.from_ase(atoms)
    pairs = search_neighbours(batch, within)
    lengths = edge_vectors(batch, pairs).norm(dim=1).numpy()
    found = np.full(len(atoms), within)
    np.minimum.at(found, pairs.centre.numpy(), lengths)
    return found


def environments(batch: Batch, pairs: Neighbours) -> Environments:
    """The sites of a batch, as local terms see them."""
    return Environments(
        vectors=edge_vectors(batch, pairs),
        centre=pairs.centre,
        centre_numbers=batch.numbers,
        neighbour_numbers=batch.numbers[pairs.neighbour],
        degree=pairs.degree,
    )


def within(env: Environments, cutoff: float, present: float) -> Environments:
    """The environments with only the edges shorter than `cutoff` (as they are where dense)."""
    if env.degree is not None or cutoff >= present:
        return env
    keep = torch.nonzero((env.vectors.detach() ** 2).sum(1) < cutoff**2)[:, 0]
    return replace(
        env,
        vectors=env.vectors[keep],
        centre=env.centre[keep],
        neighbour_numbers=env.neighbour_numbers[keep],
        gates=None if env.gates is None else env.gates[keep],
    )


def site_groups(env: Environments) -> Iterator[Environments]:
    """The sites in groups of at most `SITES_AT_ONCE`, or of `SITES_ON_GPU`."""
    most = SITES_ON_GPU if env.vectors.is_cuda else SITES_AT_ONCE
    if env.n_sites <= most:
        yield env
        return
    counts = torch.bincount(env.centre, minlength=env.n_sites)
    last = torch.cumsum(counts, 0).tolist()
    for start in range(0, env.n_sites, most):
        stop = min(start + most, env.n_sites)
        edges = slice(last[start - 1] if start else 0, last[stop - 1])
        yield replace(
            env,
            vectors=env.vectors[edges].clone(),
            centre=env.centre[edges] - start,
            centre_numbers=env.centre_numbers[start:stop],
            neighbour_numbers=env.neighbour_numbers[edges],
            gates=None if env.gates is None else env.gates[edges],
        )


def _all_pairs(batch: Batch, cutoff: float) -> Neighbours:
    n, device = batch.n_atoms, batch.positions.device
    centre, neighbour = torch.nonzero(~torch.eye(n, dtype=torch.bool, device=device), as_tuple=True)
    shifts = torch.zeros(centre.shape[0], 3, dtype=torch.int64, device=device)
    return Neighbours(centre, neighbour, shifts, cutoff, degree=n - 1)


def _check_thickness(cell: np.ndarray, pbc: np.ndarray, cutoff: float) -> None:
    widths = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    for axis in np.flatnonzero(pbc):
        if cutoff / widths[axis] > MOST_IMAGES:
            raise StructureError(
                f"the cell is only {widths[axis]:.3g} Å thick along vector {axis}, too small for "
                f"a cutoff of {cutoff} Å; are the cell vectors in Å?"
            )


def _check_distances(batch: Batch, pairs: Neighbours) -> None:
    if pairs.centre.numel() == 0:
        return
    distances = edge_vectors(batch, pairs).detach().norm(dim=1)
    closest = int(distances.argmin())
    if distances[closest] < CLOSEST_APPROACH:
        i, j = int(pairs.centre[closest]), int(pairs.neighbour[closest])
        names = [f"{chemical_symbols[int(batch.numbers[a])]}{a}" for a in (i, j)]
        raise StructureError(
            f"atoms {names[0]} and {names[1]} are {float(distances[closest]):.3g} Å apart, closer "
            "than nuclei ever come; remove the duplicate or check the units (Å)"
        )
