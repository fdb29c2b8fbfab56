"""A potential on structures, by generated code: energies, forces and stress.

Local terms that have a fast form are summed on the sites of a structure, those of the whole
structure that have one (smeared charges) are added; whatever else a potential holds (dispersion,
charges that equilibrate, terms of others) stays in torch and is added too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Bool, Float

from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.analytic import ANALYTIC
from interpmd.potentials.fast.announce import announce
from interpmd.potentials.fast.expansion import expansion_of
from interpmd.potentials.fast.known import has_fast_form
from interpmd.potentials.fast.long_range import WHOLE
from interpmd.potentials.fast.neighbours import (
    Edges,
    Sites,
    all_usable,
    given_edges,
    periodic,
    search,
    too_thin,
)
from interpmd.potentials.fast.prepared import prepared, state_of
from interpmd.potentials.states import warn_of_state
from interpmd.potentials.sum import Prediction, TermSum
from interpmd.structures.edges import CLOSEST_APPROACH, MOST_IMAGES, Neighbours
from interpmd.structures.systems import Batch, check_structure, sum_by_structure

announce()


class FastPotential:
    """A potential made ready; weights of expansions are copied, other parameters are read anew.

    Args:
        potential: on the CPU.
        dtype: np.float64; np.float32 gives forces good to 1e-5 for dynamics (energies of large
            structures cancel).

    Attributes:
        expansions: its neural cluster expansions, by term.
        rest: a potential of the terms that have no fast form, or None.
        beyond_sites: whether there is anything that `on_sites` leaves out; see `on_whole`.
    """

    def __init__(self, potential: TermSum, dtype: type | str = np.float64) -> None:
        self.potential = potential
        self.cutoff = max(potential.cutoff, CLOSEST_APPROACH)
        known = np.ones(len(chemical_symbols), bool)
        if potential.elements is not None:
            known[:] = False
            known[list(potential.elements)] = True
        self._known = known
        self._terms = terms = tuple(potential.terms.values())
        self._analytic = [(t, ANALYTIC[type(t)]) for t in terms if type(t) in ANALYTIC]
        self._whole = [(t, WHOLE[type(t)]) for t in terms if type(t) in WHOLE]
        self.expansions = {
            term: expansion_of(term, np.dtype(dtype))
            for term in terms
            if type(term) is ClusterExpansion and has_fast_form(term)
        }
        rest = {
            name: term
            for name, term in potential.terms.items()
            if not (has_fast_form(term) or type(term) in WHOLE)
        }
        self.rest = TermSum(rest, potential.elements) if rest else None
        self.beyond_sites = bool(rest or self._whole)
        self._learned = potential.n_samples > 0

    def on_sites(
        self, sites: Sites
    ) -> tuple[Float[np.ndarray, " sites"], Float[np.ndarray, "edges 3"]]:
        """Energies of sites (eV) and their slopes by the edge vectors (eV/A), fast terms only."""
        energies, slopes = np.zeros(len(sites.centre)), np.zeros(sites.vectors.shape)
        for term, add in self._analytic:
            add(term, sites, energies, slopes)
        for expansion in self.expansions.values():
            expansion.add(sites, energies[None], slopes[None])
        return energies, slopes

    def on_atoms(
        self, atoms: Atoms, moved_only: bool = False
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3 3"]]:
        """Site energies (eV), forces (eV/A) and virial (eV) of one structure.

        Args:
            atoms: the structure.
            moved_only: whether it was evaluated before, so that its positions alone can be wrong.

        Raises:
            StructureError, UnknownElementError: as `Potential.predict`.
        """
        numbers, positions, pbc = atoms.numbers, atoms.positions, atoms.pbc
        usable = all_usable(positions, numbers, self._known)
        if not usable or not moved_only:
            if not usable or atoms.info or periodic(pbc) or "initial_charges" in atoms.arrays:
                check_structure(atoms)
            if not usable:
                self.potential.batch(atoms)  # raises
            if self._learned:
                warn_of_state(self.potential.card.provenance, [atoms])

        def complain() -> None:
            self.potential.neighbours(self.potential.batch(atoms))

        edges = self.edges_of(positions, atoms.cell.array, pbc, complain)
        energies, slopes = self.on_sites(edges.sites(numbers))
        forces, virials = edges.forces(np.zeros(len(numbers), np.int64), slopes, 1)
        virial = virials[0]
        if self.beyond_sites:
            for own, more in zip((energies, forces, virial), self.on_whole(atoms), strict=True):
                own += more
        return energies, forces, virial

    def on_whole(
        self, atoms: Atoms
    ) -> tuple[Float[np.ndarray, " atoms"], Float[np.ndarray, "atoms 3"], Float[np.ndarray, "3 3"]]:
        """As `on_atoms`, of what `on_sites` leaves out: terms of whole structures, and those in
        torch."""
        energies, forces = np.zeros(len(atoms)), np.zeros((len(atoms), 3))
        virial = np.zeros((3, 3))
        for term, evaluate in self._whole:
            for sum_, more in zip((energies, forces, virial), evaluate(term, atoms), strict=True):
                sum_ += more
        if self.rest is not None:
            other = self.rest.predict(atoms, stress=bool(atoms.pbc.all()))
            energies += other.site_energies.double().numpy(force=True)
            forces += other.forces.double().numpy(force=True)
            if other.stress is not None:
                virial += other.stress[0].double().numpy(force=True) * atoms.get_volume()
        return energies, forces, virial

    def predict(
        self,
        batch: Batch,
        pairs: Neighbours | None = None,
        stress: bool = False,
    ) -> Prediction:
        """As `Potential.predict`, for a batch that was checked.

        Raises:
            StructureError: nuclei too close, or a cell too thin for the cutoff.
        """
        edges = self.edges(batch, pairs)
        energies, slopes = self.on_sites(edges.sites(batch.numbers.numpy()))
        forces, virials = edges.forces(batch.structure.numpy(), slopes, batch.n_structures)
        if self._whole:
            frames = batch.to_ase()
            ends = np.cumsum([len(atoms) for atoms in frames])
            for atoms, end, virial in zip(frames, ends, virials, strict=True):
                here = slice(end - len(atoms), end)
                for term, evaluate in self._whole:
                    parts = energies[here], forces[here], virial
                    for one, more in zip(parts, evaluate(term, atoms), strict=True):
                        one += more
        sites, forces, virial = map(torch.from_numpy, (energies, forces, virials))
        tension = None
        if stress:
            volumes = torch.linalg.det(batch.cells).abs()[:, None, None]
            tension = (virial + virial.mT) / (2 * volumes)
        if self.rest is not None:
            other = self.rest.predict(batch, pairs, stress)
            sites, forces = sites + other.site_energies, forces + other.forces
            if tension is not None and other.stress is not None:
                tension = tension + other.stress
        return Prediction(sum_by_structure(sites, batch), forces, sites, tension)

    def predict_one(self, atoms: Atoms, stress: bool = False) -> Prediction:
        """As `predict`, without the detour over a batch."""
        sites, forces, virial = self.on_atoms(atoms)
        tension = None
        if stress:
            volume = abs(np.linalg.det(atoms.cell.array))
            tension = torch.from_numpy((virial + virial.T)[None] / (2 * volume))
        arrays = sites.sum(keepdims=True), forces, sites
        return Prediction(*map(torch.from_numpy, arrays), tension)

    def edges(self, batch: Batch, pairs: Neighbours | None = None) -> Edges:
        """Neighbours in all structures of a batch, those given if they are.

        Raises:
            StructureError: see `interpmd.structures.edges.neighbours`.
        """
        if pairs is not None:
            return given_edges(batch, pairs)
        positions, pbc = batch.positions.detach().numpy(), batch.pbc.numpy()
        cells, found = batch.cells.detach().numpy(), []
        ends = np.cumsum(np.bincount(batch.structure.numpy(), minlength=len(cells)))
        for cell, repeats, start, end in zip(cells, pbc, [0, *ends[:-1]], ends, strict=True):
            here = positions[start:end]
            found.append(
                self.edges_of(here, cell, repeats, lambda: self.potential.neighbours(batch))
            )
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
        complain: Callable[[], object] = lambda: None,
    ) -> Edges:
        """Neighbours in one structure.

        Args:
            complain: called where nuclei are too close or the cell is too thin, to raise the
                error that says so.
        """
        if periodic(pbc) and too_thin(cell, pbc, self.cutoff / MOST_IMAGES):
            complain()
        edges, least = search(positions, cell, pbc, self.cutoff)
        if least < CLOSEST_APPROACH:
            complain()
        return edges


def prepare(potential: TermSum, dtype: str) -> FastPotential | None:
    """The fast evaluator, kept with the potential until anything changes; or None if the
    potential is not for it."""
    state: list[object] = []
    for term in potential.terms._modules.values():
        state.append(id(term))
        own = term._buffers
        if type(term) is ClusterExpansion:
            weights = (own["readout"], own["samples"], own["mixing"])
            state += state_of([*weights, *term.radial._parameters.values()])
        else:
            state += state_of(own.values())

    def make() -> FastPotential | None:
        on_torch = potential.dtype != torch.float64 or potential.device.type != "cpu"
        if on_torch or not any(
            has_fast_form(term) or type(term) in WHOLE for term in potential.terms.values()
        ):
            return None
        return FastPotential(potential, dtype)

    return prepared(potential, dtype, tuple(state), make)
