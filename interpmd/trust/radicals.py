"""Rows of atoms beside the reference's own: pairs and triplets of atoms without the others.

What some atoms of a molecule do without the others is in no data of whole molecules, and samples of
a posterior do not know it: what a form of model prefers where it saw nothing is alike in all of
them. Labelled parts tell by how much such error bars are too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd.attribution import Energy, Force
from interpmd.attribution.models import as_model
from interpmd.decomposition.radicals import radical_scale
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.potential import Potential
from interpmd.structures.threads import one_thread

#: Share of rows that lie within two error bars; fewest rows that tell.
WITHIN_TWO, FEWEST = 0.95, 20

#: Places that are the same, in Å.
SAME = 4

#: What is known in eV and eV/Å beyond rounding.
NOTHING = 1e-6


@dataclass(frozen=True)
class RowsOfRadicals:
    """Errors of rows of atoms and their error bars.

    Attributes:
        energies: errors in eV. energy_stds: bars of these.
        forces: errors of components of rows of forces in eV/Å. force_stds: bars of these.
    """

    energies: Float[np.ndarray, " rows"]
    energy_stds: Float[np.ndarray, " rows"]
    forces: Float[np.ndarray, " components"]
    force_stds: Float[np.ndarray, " components"]


def rows_of_radicals(
    potential: Potential, parts: Sequence[Atoms], known: Sequence[Atoms] = ()
) -> RowsOfRadicals:
    """Rows of the whole set of each part's atoms, against those that labels say.

    The row of a pair is its energy without those of its atoms, that of a triplet without those of
    its pairs and atoms, so that triplets count of which all pairs are labelled. Rows that the
    table does not list, of atoms beyond the cutoff, do not count.

    Args:
        potential: any that has learned terms.
        parts: pairs and triplets of atoms cut from structures, at their places, with labels.
        known: others with labels, of which pairs are taken.

    Returns:
        Errors, and error bars as they are where the whole is explained. Of a part by itself the
        row's bar is bounded by that of its energy, and its grade says that it is not known.
    """
    labelled = {_places(part): part for part in (*known, *parts)}
    model = as_model(potential)
    elements = {int(z) for part in parts for z in part.numbers}
    alone_eV = {z: float(potential.predict(Atoms([z], [[0, 0, 0]])).energy) for z in elements}
    scale = radical_scale(potential)
    energies, forces = [], []
    for part in parts:
        row = _row(part, labelled, alone_eV)
        if row is None:
            continue
        alone, every = Atoms(part.numbers, part.positions), len(part)
        table = model.table(alone, every)
        sizes = [len(c[2]) for c in table.clusters.identities()]
        if every not in sizes:  # further apart than the cutoff: no row of the table
            continue
        last = sizes.index(every)
        for target, own, found in (
            (Energy(), [row[0]], energies),
            *((Force(k), row[1][k], forces) for k in range(every)),
        ):
            functional = target.functional(alone)
            errors = functional.of_rows(table)[last] - own
            samples = functional.samples_of_rows(table, potential)[last]
            bars = scale * np.sqrt(np.square(samples).mean(-1))
            found += list(zip(errors, bars, strict=True))
    some = [np.reshape(found, (-1, 2)) for found in (energies, forces)]
    energy, force = (x[(np.abs(x) > NOTHING).any(1)] for x in some)
    return RowsOfRadicals(energy[:, 0], energy[:, 1], force[:, 0], force[:, 1])


def calibrate_radicals(
    potential: Potential, term: LearnedTerm, parts: Sequence[Atoms], known: Sequence[Atoms] = ()
) -> None:
    """Set `radical_scale` of a term so that rows of labelled parts lie within two error bars.

    The scale never makes bars smaller, and is 1 where fewer than `FEWEST` rows tell.

    Args:
        potential: with the samples of its posterior.
        term: of the potential, which keeps the scale.
        parts, known: see `rows_of_radicals`.
    """
    term.radical_scale.fill_(1.0)
    with one_thread():
        found = rows_of_radicals(potential, parts, known)
    scale = 1.0
    for errors, bars in (
        (found.energies, found.energy_stds),
        (found.forces, found.force_stds),
    ):
        if len(errors) >= FEWEST:
            scale = max(scale, float(np.quantile(np.abs(errors) / bars, WITHIN_TWO)) / 2)
    term.radical_scale.copy_(torch.tensor(scale))


def _places(atoms: Atoms) -> frozenset:
    """Which atoms stand where."""
    places = np.round(atoms.positions, SAME) + 0.0
    return frozenset(zip(atoms.numbers.tolist(), map(tuple, places.tolist()), strict=True))


def _row(
    part: Atoms, known: dict[frozenset, Atoms], alone_eV: dict[int, float]
) -> tuple[float, Float[np.ndarray, "atoms 3"]] | None:
    """Energy and forces of the row of all atoms of a part; None if a pair in it has no label."""
    alone = sum(alone_eV[z] for z in part.numbers.tolist())
    energy, forces = part.get_potential_energy() - alone, part.get_forces().copy()
    for size in range(2, len(part)):
        for inside in combinations(range(len(part)), size):
            smaller = known.get(_places(part[list(inside)]))
            lower = None if smaller is None else _row(smaller, known, alone_eV)
            if smaller is None or lower is None:
                return None
            energy -= lower[0]
            order = [_same_place(smaller, part.positions[k]) for k in inside]
            forces[list(inside)] -= lower[1][order]
    return energy, forces


def _same_place(atoms: Atoms, place: Float[np.ndarray, " 3"]) -> int:
    return int(np.linalg.norm(atoms.positions - place, axis=1).argmin())
