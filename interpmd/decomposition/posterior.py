"""How sure the forces of the rows are: their samples under the posterior."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from interpmd.decomposition.assemble import in_float64, row_term
from interpmd.decomposition.decomposition import Decomposition
from interpmd.decomposition.moebius import local_force_samples
from interpmd.decomposition.sites import sites_of_terms
from interpmd.potentials.potential import Potential
from interpmd.structures.systems import Batch


def force_samples(
    potential: Potential,
    table: Decomposition,
    along: Float[np.ndarray, "directions atoms 3"],
    progress: bool = False,
) -> Float[np.ndarray, "rows directions samples"]:
    """Deviations of the rows' forces along some directions, under the posterior.

    Args:
        potential: that the table was made of.
        table: its rows are the rows of the result.
        along: directions in the space of all positions: the force of a row along one of them is
            the sum over atoms of direction · force.
        progress: whether to show a bar where it takes long.

    Returns:
        eV/Å (times the length of the direction), under the same joint samples as
        `Decomposition.samples`.
    """
    samples = np.zeros((len(table), len(along), table.samples.shape[1]))
    if not samples.size:
        return samples
    batch = Batch.from_ase(table.structure, torch.float64, potential.device)
    sites = sites_of_terms(potential, batch)
    place = {row: index for index, row in enumerate(table.clusters.identities())}
    for name, term in potential.learned_terms.items():
        if not term.n_samples:
            continue
        order, moves = min(table.requested_order, term.body_order), sites[name].edge_moves(along)
        for part in local_force_samples(in_float64(term), sites[name], order, moves, progress):
            of_rows = part.samples.reshape(len(part.samples), len(along), -1)
            word = row_term(name, term, part.order)
            for atoms, shifts, of_row in zip(
                part.members.atoms.tolist(), part.members.shifts.tolist(), of_rows, strict=True
            ):
                row = place.get((word, part.order, tuple(atoms), tuple(map(tuple, shifts))))
                if row is not None:  # rows of zero energy and force are not in the table
                    samples[row] += of_row[:, : samples.shape[2]]
    return samples
