"""Rows of global terms: inclusion-exclusion over sub-clusters of a molecule's atoms.

A term whose site energies depend on the whole structure (charges that equilibrate, coordination
numbers) has no finite body order. For a molecule of few atoms its many-body expansion is taken
literally: the term is evaluated on every sub-cluster up to some size, alone in vacuum, and

    row(S) = sum over T in S of (−1)^(|S| − |T|) E(T)

(Xantheas, J. Chem. Phys. 100, 7523 (1994), equations 2-6). Convention: the charge of a sub-cluster
is the sum of the formal charges of its atoms (`interpmd.structures.charged_parts`). What the rows
do not cover, and everything in periodic or large structures, is kept as one remainder per site; but
for charges in a cell, which act between pairs whose rows hold all of their images.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import torch
from ase.data import chemical_symbols
from jaxtyping import Float
from torch import Tensor

from interpmd.decomposition.moebius import Rows
from interpmd.decomposition.stars import as_array
from interpmd.decomposition.subsets import Members, ranks, subsets
from interpmd.errors import CalculationError
from interpmd.potentials.base import GlobalTerm
from interpmd.potentials.long_range import LongRange
from interpmd.structures.systems import Batch

#: Most sub-clusters of a molecule on which a global term is evaluated.
MOST_CLUSTERS = 10_000

#: Atoms evaluated together.
ATOMS_AT_ONCE = 4096


def feasible_order(n_atoms: int, order: int) -> int:
    """Largest order up to `order` with at most `MOST_CLUSTERS` sub-clusters (0 if none)."""
    total, feasible = 0, 0
    for size in range(1, min(order, n_atoms) + 1):
        total += math.comb(n_atoms, size)
        if total > MOST_CLUSTERS:
            break
        feasible = size
    return feasible


def global_rows(
    term: GlobalTerm, batch: Batch, order: int, charges: Float[np.ndarray, " atoms"]
) -> list[Rows]:
    """Rows of a global term up to a body order, and the remainder of each site.

    Args:
        term: evaluated on sub-clusters of molecules, and on the whole.
        batch: one structure in float64.
        order: largest body order; lower if there are too many sub-clusters, and no rows at all if
            the structure is periodic, unless the term acts between pairs.
        charges: in e, that each atom takes along into a sub-cluster.

    Returns:
        One `Rows` per body order and, unless these are complete, one of order 0 with a row per
        site: its energy less an equal share of every row that it is a member of.
    """
    n_atoms = batch.n_atoms
    if batch.periodic and isinstance(term, LongRange):
        return _pairs_in_cell(term, batch, order)
    reach = 0 if batch.periodic else feasible_order(n_atoms, order)
    clusters = [
        _evaluate(term, batch, subsets(n_atoms, size), charges) for size in range(1, reach + 1)
    ]
    rows = [_transform(clusters, n_atoms, size) for size in range(1, reach + 1)]
    if reach < n_atoms:
        rows.append(_remainder(term, batch, rows))
    return rows


def _pairs_in_cell(term: LongRange, batch: Batch, order: int) -> list[Rows]:
    """Rows of atoms and of pairs, each with all of its images, whose sum is the energy."""
    energies, gradients = (as_array(each) for each in term.pairs(batch))
    rows = []
    for size in range(1, min(order, 2) + 1):
        chosen = subsets(batch.n_atoms, size)
        members = Members(chosen, np.zeros((*chosen.shape, 3), dtype=np.int64))
        forces = np.zeros((*chosen.shape, 3))
        if size == 2:
            i, j = chosen.T
            forces = -np.stack([gradients[i, j], gradients[j, i]], axis=1)
        rows.append(
            Rows(
                size,
                members,
                energies[chosen[:, 0], chosen[:, -1]],
                forces,
                np.zeros((len(chosen), 0)),
            )
        )
    return rows if order > 1 else [*rows, _remainder(term, batch, rows)]


def _evaluate(
    term: GlobalTerm, batch: Batch, chosen: np.ndarray, charges: np.ndarray
) -> tuple[Float[np.ndarray, " clusters"], Float[np.ndarray, "clusters size 3"]]:
    """Energy (eV) and gradient by position (eV/Å) of sub-clusters of one size."""
    count, size = chosen.shape
    at_once = max(ATOMS_AT_ONCE // size, 1)
    energies, gradients = np.zeros(count), np.zeros((count, size, 3))
    for start in range(0, count, at_once):
        atoms = torch.as_tensor(chosen[start : start + at_once], device=batch.positions.device)
        positions = batch.positions.detach()[atoms.reshape(-1)].requires_grad_(True)
        n = len(atoms)
        part = Batch(
            numbers=batch.numbers[atoms.reshape(-1)],
            positions=positions,
            cells=batch.cells.new_zeros(n, 3, 3),
            pbc=batch.pbc.new_zeros(n, 3),
            structure=torch.arange(n, device=atoms.device).repeat_interleave(size),
            charges=batch.charges.new_tensor(charges[atoms.cpu().numpy()].sum(1)),
        )
        try:
            with torch.enable_grad():
                sites = term(part)
                slopes = _gradient(sites.sum(), positions)
        except CalculationError as error:
            failed = chosen[start + error.structure]
            symbols = [chemical_symbols[int(batch.numbers[a])] for a in failed]
            names = ", ".join(f"{symbol}{a}" for symbol, a in zip(symbols, failed, strict=True))
            raise CalculationError(f"for {names} alone: {error}") from error
        energies[start : start + n] = as_array(sites).reshape(n, size).sum(1)
        gradients[start : start + n] = as_array(slopes).reshape(n, size, 3)
    return energies, gradients


def _transform(clusters: list[tuple[np.ndarray, np.ndarray]], n_atoms: int, size: int) -> Rows:
    chosen = subsets(n_atoms, size)
    energies, gradients = np.zeros(len(chosen)), np.zeros((len(chosen), size, 3))
    for smaller in range(1, size + 1):
        sign = (-1) ** (size - smaller)
        for places in itertools.combinations(range(size), smaller):
            index = ranks(chosen[:, list(places)])
            energies += sign * clusters[smaller - 1][0][index]
            gradients[:, list(places)] += sign * clusters[smaller - 1][1][index]
    members = Members(chosen, np.zeros((*chosen.shape, 3), dtype=np.int64))
    return Rows(size, members, energies, -gradients, np.zeros((len(chosen), 0)))


def _remainder(term: GlobalTerm, batch: Batch, rows: list[Rows]) -> Rows:
    """Energy and forces of each site less its equal share of the rows that contain it."""
    n_atoms = batch.n_atoms
    positions = batch.positions.detach().requires_grad_(True)
    with torch.enable_grad():
        sites = term(batch.with_positions(positions))
        forces = -as_array(torch.stack([_gradient(s, positions) for s in sites]))
    energies = as_array(sites).copy()
    for part in rows:
        size = part.members.atoms.shape[1]
        for place in range(size):
            site = part.members.atoms[:, place]
            np.subtract.at(energies, site, part.energies / size)
            target = (site[:, None], part.members.atoms)
            np.subtract.at(forces, target, part.forces / size)
    members = np.array([[i, *range(i), *range(i + 1, n_atoms)] for i in range(n_atoms)])
    forces = np.take_along_axis(forces, members[:, :, None], axis=1)
    return Rows(
        order=0,
        members=Members(members, np.zeros((n_atoms, n_atoms, 3), dtype=np.int64)),
        energies=energies,
        forces=forces,
        samples=np.zeros((n_atoms, 0)),
    )


def _gradient(energy: Tensor, positions: Tensor) -> Tensor:
    if not energy.requires_grad:
        return torch.zeros_like(positions)
    (gradient,) = torch.autograd.grad(energy, positions, retain_graph=True, allow_unused=True)
    return torch.zeros_like(positions) if gradient is None else gradient
