"""Rows of two and three atoms by themselves, many geometries at once.

They are the rows of `decompose`, here computed as differences of energies,

    pair row     E(AB) − E(A) − E(B)
    triplet row  E(ABC) − E(AB) − E(AC) − E(BC) + E(A) + E(B) + E(C)

so that every dimer and every atom that several geometries share is evaluated once.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from interpmd.decomposition.radicals import radical_scale
from interpmd.potentials.potential import Potential
from interpmd.structures.edges import Neighbours, environments, within
from interpmd.structures.systems import Batch

#: Structures evaluated together: their products fit into the processor's caches.
AT_ONCE = 64


def few_atom_rows(
    potential: Potential,
    numbers: Int[np.ndarray, "geometries 3"],
    sides: Float[np.ndarray, "geometries 3"],
    progress: bool = False,
) -> tuple[Float[np.ndarray, " geometries"], Float[np.ndarray, "geometries samples"]]:
    """Energies of the pair and triplet rows in eV, and their deviations, as wide as error bars of
    rows of atoms are (`interpmd.decomposition.radicals`).

    Args:
        potential: in float64, since alternating sums lose digits.
        numbers: atomic numbers, 0 in the third place of dimers.
        sides: distances in Å between atoms 0-1, 0-2 and 1-2, NaN where there is no third atom.
        progress: whether to show progress bars.
    """
    trimers = numbers[:, 2] != 0
    # trimers share many of their sides with each other and with the dimers: each is evaluated once
    corners = [(0, 1), (0, 2), (1, 2)]
    of_sides = np.concatenate(
        [
            np.column_stack([np.sort(numbers[:, [a, b]], axis=1), sides[:, k]])
            for k, (a, b) in enumerate(corners)
        ]
    )
    real = ~np.isnan(of_sides[:, 2])
    _, first, inverse = np.unique(
        of_sides[real].round(9), axis=0, return_index=True, return_inverse=True
    )
    unique = of_sides[real][first]
    place = np.zeros(len(of_sides), dtype=int)
    place[real] = inverse.reshape(-1)
    elements = np.unique(numbers[numbers != 0])
    atoms = _values(potential, elements[:, None], np.zeros((len(elements), 1, 3)))
    pair_numbers = unique[:, :2].astype(int)
    pair_positions = np.zeros((len(unique), 2, 3))
    pair_positions[:, 1, 0] = unique[:, 2]
    pairs = _values(potential, pair_numbers, pair_positions, progress)
    pairs -= atoms[np.searchsorted(elements, pair_numbers)].sum(1)
    place = place.reshape(3, -1)
    rows = pairs[place[0]]
    if trimers.any():
        three = trimer_positions(sides[trimers])
        whole = _values(potential, numbers[trimers], three, progress)
        whole -= atoms[np.searchsorted(elements, numbers[trimers])].sum(1)
        rows[trimers] = whole - pairs[place[:, trimers]].sum(0)
    return rows[:, 0], radical_scale(potential) * rows[:, 1:]


def _values(
    potential: Potential, numbers: np.ndarray, positions: np.ndarray, progress: bool = False
) -> Float[np.ndarray, "structures one_and_samples"]:
    """Total energies in eV, then deviations under the posterior, of structures of one size."""
    count, size = numbers.shape
    totals = []
    centre, neighbour = np.nonzero(~np.eye(size, dtype=bool))
    name = {1: "atoms", 2: "pairs", 3: "triplets"}[size]
    bar = tqdm(total=count, desc=name, unit="geometry", disable=not progress)
    with torch.no_grad(), bar:
        for start in range(0, count, AT_ONCE):
            some = slice(start, start + AT_ONCE)
            n = len(numbers[some])
            first = size * np.arange(n)[:, None]
            batch = Batch(
                numbers=torch.as_tensor(numbers[some].reshape(-1)),
                positions=torch.as_tensor(positions[some].reshape(-1, 3)),
                cells=torch.zeros(n, 3, 3, dtype=torch.float64),
                pbc=torch.zeros(n, 3, dtype=torch.bool),
                structure=torch.arange(n).repeat_interleave(size),
                charges=torch.zeros(n, dtype=torch.float64),
            ).to(device=potential.device)
            pairs = Neighbours(
                centre=torch.as_tensor((first + centre).reshape(-1), device=potential.device),
                neighbour=torch.as_tensor((first + neighbour).reshape(-1), device=potential.device),
                shifts=torch.zeros(n * len(centre), 3, dtype=torch.int64, device=potential.device),
                cutoff=potential.cutoff,
                degree=size - 1,
            )
            sites = sites_and_samples(potential, batch, pairs)
            totals.append(sites.unflatten(0, (n, size)).sum(1).cpu().numpy())
            bar.update(n)
    return np.concatenate(totals)


def sites_and_samples(potential: Potential, batch: Batch, pairs: Neighbours) -> torch.Tensor:
    """Site energies in eV, then their deviations, shape (atoms, 1 + samples)."""
    env = environments(batch, pairs)
    total = batch.positions.new_zeros(batch.n_atoms, 1 + potential.n_samples)
    for term in potential.global_terms.values():
        total[:, 0] += term(batch)
    for term in potential.local_terms.values():
        energies, samples = term.energies_and_samples(within(env, term.cutoff, potential.cutoff))
        total[:, 0] += energies
        if term.n_samples:
            total[:, 1:] += samples[:, : potential.n_samples]
    return total


def trimer_positions(
    sides: Float[np.ndarray, "geometries 3"],
) -> Float[np.ndarray, "geometries 3 3"]:
    """Positions in Å of three atoms with the distances 0-1, 0-2 and 1-2."""
    ab, ac, bc = sides.T
    along = (ab**2 + ac**2 - bc**2) / (2 * ab)
    across = np.sqrt(np.clip(ac**2 - along**2, 0, None))
    zero = np.zeros_like(ab)
    return np.stack(
        [
            np.stack([zero, zero, zero], 1),
            np.stack([ab, zero, zero], 1),
            np.stack([along, across, zero], 1),
        ],
        axis=1,
    )
