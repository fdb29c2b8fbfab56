"""A potential on structures, by generated code: energies, forces and stress.

Local terms that have a fast form are summed on the sites of a structure; whatever else a
potential holds (dispersion, charges, terms of others) stays in torch and is added.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interpmd.potentials.base import LocalTerm, Term
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.analytic import ANALYTIC
from interpmd.potentials.fast.expansion import FastExpansion, Sites
from interpmd.potentials.fast.neighbours import add_forces, closest, search, too_thin
from interpmd.potentials.fast.warmup import announce
from interpmd.potentials.potential import Potential, Prediction
from interpmd.systems import (
    CLOSEST_APPROACH,
    MOST_IMAGES,
    Batch,
    Neighbours,
    check_structure,
    edge_vectors,
    sum_by_structure,
)

announce()


@dataclass(frozen=True)
class Edges:
    """Who is near whom in one or several structures.

    Attributes:
        first: first edge of each atom, shape (atoms + 1,). neighbour: atom where each ends.
        vectors: A, shape (edges, 3).
    """

    first: Int[np.ndarray, " atoms+1"]
    neighbour: Int[np.ndarray, " edges"]
    vectors: Float[np.ndarray, "edges 3"]

    def sites(self, numbers: Int[np.ndarray, " atoms"]) -> Sites:
        """As the kernels see them."""
        return Sites(self.vectors, self.first, numbers, numbers[self.neighbour])

    def forces(
        self,
        structure: Int[np.ndarray, " atoms"],
        slopes: Float[np.ndarray, "edges 3"],
        n_structures: int,
    ) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "structures 3 3"]]:
        """Forces in eV/A and virials in eV from slopes by the edge vectors."""
        forces = np.zeros((len(structure), 3))
        virials = np.zeros((n_structures, 3, 3))
        add_forces(self.vectors, self.first, self.neighbour, structure, slopes, forces, virials)
        return forces, virials


class FastPotential:
    """A potential made ready; weights of expansions are copied, other parameters are read anew.

    Args:
        potential: on the CPU.
        dtype: np.float64; np.float32 gives forces good to 1e-5 for dynamics (energies of large
            structures cancel).

    Attributes:
        expansions: its neural cluster expansions.
        rest: a potential of the terms that have no fast form, or None.
    """

    def __init__(self, potential: Potential, dtype: type | str = np.float64) -> None:
        self.cutoff = max(potential.cutoff, CLOSEST_APPROACH)
        known = np.ones(len(chemical_symbols), bool)
        if potential.elements is not None:
            known[:] = False
            known[list(potential.elements)] = True
        self._known = known
        self._terms = tuple(potential.terms.values())  # alive, so that identities stay theirs
        self._state = state(potential)
        self._analytic = [(t, ANALYTIC[type(t)]) for t in self._terms if type(t) in ANALYTIC]
        self.expansions = [
            FastExpansion(term, dtype) for term in self._terms if type(term) is ClusterExpansion
        ]
        rest = {name: term for name, term in potential.terms.items() if not has_fast_form(term)}
        self.rest = Potential(rest, potential.elements) if rest else None

    def is_current(self, potential: Potential) -> bool:
        """Whether the potential still has the terms and weights that this was made from."""
        return state(potential) == self._state

    def on_sites(
        self, sites: Sites
    ) -> tuple[Float[np.ndarray, " sites"], Float[np.ndarray, "edges 3"]]:
        """Energies of sites (eV) and their slopes by the edge vectors (eV/A), fast terms only."""
        energies, slopes = np.zeros(len(sites.centre)), np.zeros(sites.vectors.shape)
        for term, add in self._analytic:
            add(term, sites, energies, slopes)
        for expansion in self.expansions:
            expansion.add(sites, energies[None], slopes[None])
        return energies, slopes

    def on_atoms(
        self, potential: Potential, atoms: Atoms
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3 3"]]:
        """Site energies (eV), forces (eV/A) and virial (eV) of one structure, fast terms only.

        Raises:
            StructureError, UnknownElementError: as `Potential.predict`.
        """
        check_structure(atoms)
        numbers = atoms.numbers
        if not self._known[numbers].all():
            potential.batch(atoms)  # raises
        edges = self.edges_of(atoms.positions, atoms.cell.array, atoms.pbc)
        if edges is None:
            potential.neighbours(potential.batch(atoms))  # raises
        energies, slopes = self.on_sites(edges.sites(numbers))
        forces, virials = edges.forces(np.zeros(len(numbers), np.int64), slopes, 1)
        return energies, forces, virials[0]

    def predict(
        self,
        potential: Potential,
        batch: Batch,
        pairs: Neighbours | None = None,
        stress: bool = False,
    ) -> Prediction:
        """As `Potential.predict`, for a batch that was checked.

        Raises:
            StructureError: nuclei too close, or a cell too thin for the cutoff.
        """
        edges = self.edges(potential, batch) if pairs is None else given_edges(batch, pairs)
        energies, slopes = self.on_sites(edges.sites(batch.numbers.numpy()))
        forces, virials = edges.forces(batch.structure.numpy(), slopes, batch.n_structures)
        sites, forces, virial = map(torch.from_numpy, (energies, forces, virials))
        tension = None
        if stress:
            volumes = torch.linalg.det(batch.cells).abs()[:, None, None]
            tension = (virial + virial.mT) / (2 * volumes)
        if self.rest is not None:
            other = self.rest.predict_by_torch(batch, pairs, stress)
            sites, forces = sites + other.site_energies, forces + other.forces
            tension = tension + other.stress if stress else None
        return Prediction(sum_by_structure(sites, batch), forces, sites, tension)

    def edges(self, potential: Potential, batch: Batch) -> Edges:
        """Neighbours in all structures of a batch.

        Raises:
            StructureError: see `interpmd.systems.neighbours`.
        """
        positions, pbc = batch.positions.detach().numpy(), batch.pbc.numpy()
        cells, found = batch.cells.detach().numpy(), []
        ends = np.cumsum(np.bincount(batch.structure.numpy(), minlength=len(cells)))
        for cell, periodic, start, end in zip(cells, pbc, [0, *ends[:-1]], ends, strict=True):
            found.append(self.edges_of(positions[start:end], cell, periodic))
            if found[-1] is None:
                potential.neighbours(batch)  # raises
        if len(found) == 1:
            return found[0]
        counts = np.cumsum([0, *(len(each.neighbour) for each in found)])
        firsts = [each.first[:-1] + n for each, n in zip(found, counts, strict=False)]
        starts = [0, *ends[:-1]]
        return Edges(
            np.concatenate([*firsts, counts[-1:]]),
            np.concatenate([each.neighbour + n for each, n in zip(found, starts, strict=True)]),
            np.concatenate([each.vectors for each in found]),
        )

    def edges_of(
        self,
        positions: Float[np.ndarray, "atoms 3"],
        cell: Float[np.ndarray, "3 3"],
        pbc: Bool[np.ndarray, " directions"],
    ) -> Edges | None:
        """Neighbours in one structure, or None where nuclei are too close or the cell too thin."""
        if too_thin(cell, pbc, self.cutoff / MOST_IMAGES):
            return None
        edges = Edges(*search(positions, cell, pbc, self.cutoff))
        return None if closest(edges.vectors) < CLOSEST_APPROACH else edges


def given_edges(batch: Batch, pairs: Neighbours) -> Edges:
    """Neighbours that are known already."""
    counts = np.bincount(pairs.centre.numpy(), minlength=batch.n_atoms)
    vectors = edge_vectors(batch, pairs).detach().numpy()
    return Edges(np.concatenate([[0], np.cumsum(counts)]), pairs.neighbour.numpy(), vectors)


def has_fast_form(term: Term) -> bool:
    """Whether the kernels know a term; subclasses may differ in anything and stay in torch."""
    return type(term) in ANALYTIC or type(term) is ClusterExpansion


def state(potential: Potential) -> tuple:
    """What changes when terms are exchanged or the weights of an expansion change, in place or
    not: identities, places in memory and torch's counters of changes."""
    result: list[object] = []
    for name, term in potential.terms._modules.items():
        result += [name, id(term)]
        if type(term) is ClusterExpansion:
            for tensor in weights(term):
                result += [tensor.data_ptr(), tensor._version, tensor.dtype]
    return tuple(result)


def weights(term: ClusterExpansion) -> list[Tensor]:
    """All tensors that the energy of an expansion depends on."""
    buffers = term._buffers
    return [buffers["readout"], buffers["mixing"], *term.radial._parameters.values()]


def is_worthwhile(potential: Potential) -> bool:
    """Whether any term has a fast form."""
    return any(isinstance(t, LocalTerm) and has_fast_form(t) for t in potential.terms.values())
