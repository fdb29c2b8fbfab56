"""The sum of named terms, and what follows from it: energies, forces, stress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, Self, cast

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Bool, Float
from torch import Tensor, nn

from interpmd.errors import ArgumentError, StructureError
from interpmd.potentials.base import GlobalTerm, LearnedTerm, LocalTerm, Term
from interpmd.potentials.card import Card
from interpmd.potentials.states import warn_of_state
from interpmd.structures.edges import (
    Neighbours,
    environments,
    neighbours,
    site_groups,
    within,
)
from interpmd.structures.files import Structures, as_frames
from interpmd.structures.systems import Batch, check_elements, sum_by_structure


@dataclass(frozen=True)
class Prediction:
    """What a potential says about a batch.

    Attributes:
        energy: eV, shape (structures,).
        forces: eV/Å, shape (atoms, 3).
        site_energies: eV, shape (atoms,); how a total is split among atoms is a convention.
        stress: eV/Å³, shape (structures, 3, 3), positive under tension as in ASE; None unless
            it was asked for.
    """

    energy: Float[Tensor, " structures"]
    forces: Float[Tensor, "atoms 3"]
    site_energies: Float[Tensor, " atoms"]
    stress: Float[Tensor, "structures 3 3"] | None = None


class EdgeSlopes(NamedTuple):
    """What the local terms say of a batch, edge by edge.

    Attributes:
        site_energies: eV, shape (atoms,).
        slopes: dU_i/dr_ij of the energy U_i of the centre i, in eV/Å, shape (edges, 3).
        vectors: r_ij in Å, shape (edges, 3).
    """

    site_energies: Float[Tensor, " atoms"]
    slopes: Float[Tensor, "edges 3"]
    vectors: Float[Tensor, "edges 3"]


class GlobalForces(NamedTuple):
    """What the terms that depend on whole structures say of a batch.

    Attributes:
        site_energies: eV, shape (atoms,).
        forces: eV/Å, shape (atoms, 3).
        virial: derivative of the energy by strain in eV, shape (structures, 3, 3).
    """

    site_energies: Float[Tensor, " atoms"]
    forces: Float[Tensor, "atoms 3"]
    virial: Float[Tensor, "structures 3 3"]


class TermSum(nn.Module):
    """A sum of named terms, and what follows from it; `Potential` adds files and calculators.

    E(atoms) = sum over terms, sum over sites: E_term,site

    Args:
        terms: the terms by name, or just the terms, which are then named after their kind.
        elements: atomic numbers that the potential knows; those that all its terms know if None.
        card: provenance.

    Raises:
        ArgumentError: no terms, or two with the same name.
    """

    terms: Mapping[str, LocalTerm | GlobalTerm]

    def __init__(
        self,
        terms: Mapping[str, Term] | Iterable[Term],
        elements: Iterable[int] | None = None,
        card: Card | None = None,
    ) -> None:
        super().__init__()
        named = _by_name(terms)
        # a ModuleDict does not say which modules it holds
        self.terms = cast("Mapping[str, LocalTerm | GlobalTerm]", nn.ModuleDict(named))
        self.elements = _common_elements(named.values()) if elements is None else tuple(elements)
        self.card = card or Card()

    def __add__(self, other: TermSum) -> Self:
        if both := set(self.terms) & set(other.terms):
            raise ArgumentError(f"both potentials have terms called {sorted(both)}")
        elements = _intersection(self.elements, other.elements)
        return type(self)({**self.terms, **other.terms}, elements)

    def __repr__(self) -> str:
        elements = ", ".join(chemical_symbols[z] for z in self.elements) if self.elements else "any"
        lines = [f"Potential for {elements}" + (f" at {self.card.level}" * bool(self.card.level))]
        for name, term in self.terms.items():
            order = f"body order {term.body_order}" if term.body_order else "all atoms"
            lines.append(f"  {name}: {type(term).__name__}, {order}")
        return "\n".join(lines)

    @property
    def local_terms(self) -> dict[str, LocalTerm]:
        """Terms that depend on the neighbours of each site."""
        return {n: t for n, t in self.terms.items() if isinstance(t, LocalTerm)}

    @property
    def learned_terms(self) -> dict[str, LearnedTerm]:
        """Terms whose weights come from a fit."""
        return {n: t for n, t in self.terms.items() if isinstance(t, LearnedTerm)}

    @property
    def n_samples(self) -> int:
        """Number of joint samples of the posterior: the fewest of a term that has any.

        Posteriors of different terms are independent, so that any pairing of their samples is a
        joint sample.
        """
        sizes = [term.n_samples for term in self.local_terms.values()]
        return min((size for size in sizes if size), default=0)

    @property
    def global_terms(self) -> dict[str, GlobalTerm]:
        """Terms that depend on the whole structure."""
        return {n: t for n, t in self.terms.items() if isinstance(t, GlobalTerm)}

    @property
    def cutoff(self) -> float:
        """Largest cutoff of the local terms in Å (0 if there are none)."""
        return max((t.cutoff for t in self.local_terms.values()), default=0.0)

    @property
    def body_order(self) -> int | None:
        """Largest number of atoms in a row, or None if some term is of no finite order."""
        orders = [t.body_order for t in self.terms.values() if t.body_order is not None]
        return max(orders) if len(orders) == len(self.terms) else None

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the parameters (float64 if there are none)."""
        tensors = chain(self.parameters(), self.buffers())
        return next((t.dtype for t in tensors if t.is_floating_point()), torch.float64)

    @property
    def device(self) -> torch.device:
        """Device of the parameters (the CPU if there are none)."""
        tensors = chain(self.parameters(), self.buffers())
        return next((t.device for t in tensors), torch.device("cpu"))

    def batch(self, structures: Structures | Batch) -> Batch:
        """Structures (see `read_frames`) as a batch as the potential needs it, checked.

        Raises:
            StructureError: see `interpmd.structures.systems.check_structure`.
            UnknownElementError: an element that the potential does not know.
        """
        if not isinstance(structures, Batch):
            frames = as_frames(structures)
            structures = Batch.from_ase(frames, self.dtype, self.device)
            self.check_states(frames)
        if self.elements is not None:
            check_elements(structures.numbers, self.elements, "the potential")
        return structures

    def check_states(self, frames: Iterable[Atoms]) -> None:
        """Warn of charges and multiplicities that a learned term was not trained on."""
        if any(isinstance(term, LearnedTerm) and term.n_samples for term in self.terms.values()):
            warn_of_state(self.card.provenance, frames)

    def neighbours(self, batch: Batch) -> Neighbours:
        """Neighbours within the largest cutoff of the terms."""
        return neighbours(batch, max(self.cutoff, 1e-3))

    def term_energies(
        self, batch: Batch, pairs: Neighbours | None = None
    ) -> dict[str, Float[Tensor, " atoms"]]:
        """Site energies of every term in eV."""
        energies = {name: term(batch) for name, term in self.global_terms.items()}
        if self.local_terms:
            env = environments(batch, self.neighbours(batch) if pairs is None else pairs)
            for name, term in self.local_terms.items():
                energies[name] = term(within(env, term.cutoff, self.cutoff))
        return {name: energies[name] for name in self.terms}

    def site_energies(
        self, batch: Batch, pairs: Neighbours | None = None
    ) -> Float[Tensor, " atoms"]:
        """Energy of each atom in eV."""
        return torch.stack(list(self.term_energies(batch, pairs).values())).sum(0)

    def forward(
        self, batch: Batch, pairs: Neighbours | None = None
    ) -> Float[Tensor, " structures"]:
        """Energy of each structure in eV."""
        return sum_by_structure(self.site_energies(batch, pairs), batch)

    def predict(
        self,
        structures: Structures | Batch,
        pairs: Neighbours | None = None,
        stress: bool = False,
    ) -> Prediction:
        """Energies, forces and, if asked for, stresses.

        Args:
            structures: one or several structures, or a batch.
            pairs: neighbours, if they are already known.
            stress: whether to compute the stress (needs a cell in three periodic directions).

        Raises:
            StructureError, UnknownElementError: see `batch`; or a structure that has no stress.
        """
        batch = self.batch(structures)
        if stress:
            require_volume(batch.pbc)
        if not self.local_terms:
            pairs = None
        elif pairs is None:
            pairs = self.neighbours(batch)
        sites, forces, virial = self.global_forces(batch, stress)
        if pairs is not None:
            local, slopes, vectors = self.edge_slopes(batch, pairs)
            sites = sites + local
            forces = forces.index_add(0, pairs.centre, slopes)
            forces = forces.index_add(0, pairs.neighbour, -slopes)
            if stress:
                of_edges = vectors[:, :, None] * slopes[:, None, :]
                virial = virial.index_add(0, batch.structure[pairs.centre], of_edges)
        volumes = torch.linalg.det(batch.cells).abs()[:, None, None]
        return Prediction(
            energy=sum_by_structure(sites, batch),
            forces=forces,
            site_energies=sites,
            stress=(virial + virial.mT) / (2 * volumes) if stress else None,
        )

    def edge_slopes(self, batch: Batch, pairs: Neighbours) -> EdgeSlopes:
        """Site energies of the local terms and their derivatives by edge vector.

        Sites are independent, so that they can be evaluated a few at a time: their products then
        stay in the processor's caches, and the cost grows linearly.
        """
        whole = environments(batch.with_positions(batch.positions.detach()), pairs)
        energies, slopes = [], []
        for env in site_groups(whole):
            vectors = env.vectors.requires_grad_(True)
            with torch.enable_grad():
                sites = torch.stack(
                    [
                        term(within(replace(env, vectors=vectors), term.cutoff, self.cutoff))
                        for term in self.local_terms.values()
                    ]
                ).sum(0)
                slopes += _gradients(sites, [vectors])
            energies.append(sites.detach())
        return EdgeSlopes(torch.cat(energies), torch.cat(slopes), whole.vectors.detach())

    def global_forces(self, batch: Batch, stress: bool = False) -> GlobalForces:
        """Site energies, forces and virials (zero unless asked for) of the global terms."""
        sites = batch.positions.new_zeros(batch.n_atoms)
        strain = torch.zeros_like(batch.cells)
        if not self.global_terms:
            return GlobalForces(sites, torch.zeros_like(batch.positions), strain)
        positions = batch.positions.detach().requires_grad_(True)
        moved, inputs = batch.with_positions(positions), [positions]
        if stress:
            eye = torch.eye(3, dtype=batch.positions.dtype, device=batch.positions.device)
            deform = eye + strain.requires_grad_(True)
            moved = replace(
                batch,
                positions=torch.einsum("ax,axy->ay", positions, deform[batch.structure]),
                cells=batch.cells @ deform,
            )
            inputs.append(strain)
        with torch.enable_grad():
            sites = torch.stack([term(moved) for term in self.global_terms.values()]).sum(0)
            gradients = _gradients(sites, inputs)
        return GlobalForces(sites.detach(), -gradients[0], gradients[1] if stress else strain)


def require_volume(pbc: Bool[Tensor, "structures 3"] | np.ndarray) -> None:
    """Raise StructureError for the first structure that is not periodic in three directions."""
    for index, directions in enumerate(pbc.tolist()):
        if not all(directions):
            which = f"structure {index} is" if len(pbc) > 1 else "the structure is"
            raise StructureError(
                f"{which} periodic in {sum(directions)} of 3 directions, so that it has no volume "
                "and no stress; leave stress=True out, or give it a cell and pbc=True"
            )


def _gradients(sites: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    if not sites.requires_grad:
        return [torch.zeros_like(tensor) for tensor in inputs]
    gradients = torch.autograd.grad(sites.sum(), inputs, allow_unused=True)
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(inputs, gradients, strict=True)
    ]


def _by_name(terms: Mapping[str, Term] | Iterable[Term]) -> dict[str, Term]:
    """The terms by name; those without a name are named after their kind."""
    named: dict[str, Term] = {}
    if isinstance(terms, Mapping):
        named = {str(name): term for name, term in terms.items()}
    else:
        for term in terms:
            if term.kind in named:
                raise ArgumentError(f"two terms are called {term.kind!r}; name them in a dict")
            named[term.kind] = term
    if not named:
        raise ArgumentError("a potential needs at least one term")
    return named


def _common_elements(terms: Iterable[Term]) -> tuple[int, ...] | None:
    common: tuple[int, ...] | None = None
    for term in terms:
        common = _intersection(common, term.elements)
    return common


def _intersection(
    first: tuple[int, ...] | None, second: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    if first is None or second is None:
        return second if first is None else first
    return tuple(sorted(set(first) & set(second)))
