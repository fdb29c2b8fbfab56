"""Deviations of energies and forces under the posterior: the same sites, several read-outs.

The density of a site is found once; only the last step, from the density to energy and slopes,
is done for every sample of the weights.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.potentials.base import Term
from interpmd.potentials.fast.call import kernel
from interpmd.potentials.fast.distances import InNumba
from interpmd.potentials.fast.evaluator import FastPotential
from interpmd.potentials.fast.expansion import samples_of
from interpmd.potentials.fast.neighbours import Edges, Sites
from interpmd.potentials.surroundings import LENGTH

#: Sites whose slopes are held in memory at once.
SITES_AT_ONCE = 256


def sampled_terms(terms: list[Term]) -> list[Term]:
    """Terms that carry samples of the posterior of their weights."""
    return [t for t in terms if getattr(t, "samples", np.zeros(0)).shape[-1:] not in ((), (0,))]


def deviations(
    potential: FastPotential,
    edges: Edges,
    numbers: Int[np.ndarray, " atoms"],
    draws: int | None = None,
) -> tuple[Float[np.ndarray, "draws atoms"], Float[np.ndarray, "draws atoms 3"]]:
    """Deviations of site energies (eV) and forces (eV/A) under samples of the posterior.

    Args:
        potential: all of its sampled terms have a fast form, and there is one at least.
        edges: neighbours. numbers: of all atoms.
        draws: how many of the samples to use; all if None.
    """
    expansions = [
        samples_of(term, made.tables.dtype, draws)
        for term, made in potential.expansions.items()
        if sampled_terms([term])
    ]
    count = expansions[0].draws
    energies, forces = np.zeros((count, len(numbers))), np.zeros((count, len(numbers), 3))
    for start in range(0, len(numbers), SITES_AT_ONCE):
        stop = min(start + SITES_AT_ONCE, len(numbers))
        low, high = edges.first[start], edges.first[stop]
        first, neighbour = edges.first[start : stop + 1] - low, edges.neighbour[low:high]
        sites = Sites(edges.vectors[low:high], first, numbers[start:stop], numbers[neighbour])
        values, slopes = np.zeros((count, stop - start)), np.zeros((count, high - low, 3))
        for expansion in expansions:
            expansion.add(sites, values, slopes)
        energies[:, start:stop] = values
        _add_forces(start, first, neighbour, slopes, forces)
    return energies, forces


def glance(potential: FastPotential, atoms: Atoms, draws: int) -> tuple[float, int]:
    """The largest extrapolation grade of an atom, and the number of parts of the structure.

    The numbers of `interpmd.potentials.uncertainty.uncertainty`, of which a run needs no more.

    Args:
        potential: as in `deviations`.
        atoms: a structure that was evaluated.
        draws: how many of the samples to use.
    """
    numbers, terms = atoms.numbers, sampled_terms(list(potential.expansions))
    edges = potential.edges_of(atoms.positions, atoms.cell.array, atoms.pbc)
    around = InNumba(edges, numbers)
    energies, forces = deviations(potential, edges, numbers, draws)
    energy = np.sqrt((energies.sum(1) ** 2).mean() / len(numbers))
    grade = energy / max(float(term.energy_scale) for term in terms)
    of_force = np.max([t.grade_scale.numpy()[t.species.numpy()[numbers]] for t in terms], axis=0)
    grade = max(grade, (np.sqrt((forces**2).mean(0).sum(1)) / of_force).max())
    if len(numbers) > 1 or atoms.pbc.any():
        grade = max(grade, *(float(around.outside(term).max()) / LENGTH for term in terms))
    part = around.parts(max(term.cutoff for term in terms)).numpy()
    return float(grade), int((part == np.arange(len(part))).sum())


@kernel
def _add_forces(start, first, neighbour, slopes, forces):
    """Forces on atoms from the slopes of some sites, for every sample."""
    for draw in range(len(slopes)):
        for i in range(len(first) - 1):
            for e in range(first[i], first[i + 1]):
                for a in range(3):
                    forces[draw, start + i, a] += slopes[draw, e, a]
                    forces[draw, neighbour[e], a] -= slopes[draw, e, a]
