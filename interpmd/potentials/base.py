"""What a term of a potential is.

A potential is a sum of named terms (`interpmd.potentials.potential.Potential`). A term returns
contributions, one per site; the caller sums them. There are two kinds:

* `LocalTerm`: the energy of a site is a function of the vectors to its neighbours. Everything
  else (forces, stress, the table of rows) follows from that one function. A `LearnedTerm` is one
  whose weights come from a fit, with samples of their posterior.
* `GlobalTerm`: the energy of a site depends on the whole structure (charges that equilibrate).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interpmd.errors import ArgumentError
from interpmd.structures.edges import Environments
from interpmd.structures.systems import Batch, atomic_number

#: Nearest neighbours of an atom, of each element, whose distances the extrapolation grade watches.
NEAREST = 8

#: A limit (Å, eV) that nothing exceeds, before anything is learned.
ANYTHING = 1e6

#: Field names of the body orders, used for rows of terms that span several of them.
BODY_NAMES = {1: "atom", 2: "pair", 3: "triplet", 4: "quadruplet", 5: "quintuplet"}


class Term(nn.Module, ABC):
    """A named contribution to the energy, in eV.

    Attributes:
        kind: name under which the term is registered, saved and loaded.
        elements: atomic numbers that the term knows, or None if it knows all.
        body_order: largest number of atoms in one of its rows; None if not finite.
    """

    kind: ClassVar[str]
    elements: tuple[int, ...] | None = None
    body_order: int | None

    @classmethod
    @abstractmethod
    def example(cls) -> Term:
        """A small instance; the conformance suite runs over the examples of all terms."""

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Keyword arguments (JSON values) that rebuild the term; tensors go to the state dict."""

    def row_name(self, order: int) -> str:
        """Name of the rows of a given body order in the table."""
        return self.kind


class LocalTerm(Term):
    """A term whose site energy depends on the vectors from the site to its neighbours.

    Attributes:
        cutoff: Å; contributions of neighbours vanish smoothly at and beyond it.
        sites_at_once: number of small sites (subsets of neighbours) that are best evaluated
            together; few if the intermediate values of many would not fit into the caches.
    """

    cutoff: float
    body_order: int
    sites_at_once: ClassVar[int] = 4096

    @abstractmethod
    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        """Energy of each site in eV.

        The contribution of every neighbour is multiplied by its gate (`env.gated`), so that gates
        of 0 and 1 mean that it is absent and present. A site without neighbours is valid and
        common: the table of rows evaluates every site on subsets of its neighbours. Sites are
        independent of each other.
        """

    @property
    def n_samples(self) -> int:
        """Number of posterior samples; 0 where nothing was learned."""
        return 0

    def energies_and_samples(
        self, env: Environments
    ) -> tuple[Float[Tensor, " sites"], Float[Tensor, "sites samples"]]:
        """Energy of each site, and its deviations under samples of the posterior, in eV."""
        energies = self(env)
        return energies, energies.new_zeros(len(energies), 0)


class LearnedTerm(LocalTerm):
    """A local term with a linear read-out, whose weights have a normal posterior.

    E_i = sum over features p: w_{Z_i,p} B_i,p

    A subclass registers `species`, calls `register_readout`, and writes `features`. It may write
    `forward` as well, if the energy can be computed without all features.

    Attributes:
        elements: atomic numbers, ascending.
        species: place of each atomic number among the elements, -1 elsewhere, shape (numbers,).
        readout: w, mean of the posterior, in eV, shape (species, features).
        samples: deviations from the mean under samples of the posterior, in eV, shape (species,
            features, samples); without samples before a fit.
        grade_scale: standard deviation of a force that is usual in new frames like those of the
            training data in eV/Å, shape (species,); the unit of the extrapolation grade.
        energy_scale: the same of an energy, over the square root of the number of atoms, in eV.
        charge_scale: standard deviation, in e, of charges of elements that stand for what parts
            further apart than the cutoff do to each other, in error bars; 0 where no data tell. See
            `interpmd.potentials.apart`.
        radical_scale: factor of the error bars of rows of atoms: what some atoms do without the
            others is not in data of whole molecules. See `interpmd.trust.radicals`.
        nearest: ranges of the distances to the nearest neighbours in the training data, of each
            element and, last, of any, in Å, shape (species, species + 1, neighbours, 2); see
            `interpmd.potentials.surroundings`.
    """

    elements: tuple[int, ...]
    species: Int[Tensor, " numbers"]
    readout: Float[Tensor, "species features"]
    samples: Float[Tensor, "species features samples"]
    grade_scale: Float[Tensor, " species"]
    energy_scale: Float[Tensor, ""]
    charge_scale: Float[Tensor, ""]
    radical_scale: Float[Tensor, ""]
    nearest: Float[Tensor, "species channels neighbours 2"]

    def register_readout(self, n_features: int) -> None:
        """Buffers of the read-out and its posterior, before anything is learned."""
        n_species = len(self.elements)
        self.register_buffer("readout", torch.zeros(n_species, n_features).double())
        self.register_buffer("samples", torch.zeros(n_species, n_features, 0))
        self.register_buffer("grade_scale", torch.ones(n_species).double())
        self.register_buffer("energy_scale", torch.tensor(ANYTHING).double())
        self.register_buffer("charge_scale", torch.tensor(0.0).double())
        self.register_buffer("radical_scale", torch.tensor(1.0).double())
        ranges = torch.tensor([0.0, ANYTHING]).double()
        self.register_buffer("nearest", ranges.repeat(n_species, n_species + 1, NEAREST, 1))

    @abstractmethod
    def features(self, env: Environments) -> Float[Tensor, "sites features"]:
        """B: what the energy of each site is linear in, without unit."""

    @property
    def n_samples(self) -> int:
        return self.samples.shape[-1]

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        return (self.features(env) * self.readout[self.species[env.centre_numbers]]).sum(1)

    def energies_and_samples(
        self, env: Environments
    ) -> tuple[Float[Tensor, " sites"], Float[Tensor, "sites samples"]]:
        features, species = self.features(env), self.species[env.centre_numbers]
        return (features * self.readout[species]).sum(1), self._sampled(features, species)

    def site_energy_samples(self, env: Environments) -> Float[Tensor, "sites samples"]:
        """Deviations of the site energies under samples of the posterior, in eV."""
        return self._sampled(self.features(env), self.species[env.centre_numbers])

    def grade_scale_of(self, numbers: Int[Tensor, " atoms"]) -> Float[Tensor, " atoms"]:
        """Scale of the extrapolation grade of atoms with these atomic numbers, in eV/Å."""
        return self.grade_scale[self.species[numbers]]

    def _sampled(
        self, features: Float[Tensor, "sites features"], species: Int[Tensor, " sites"]
    ) -> Float[Tensor, "sites samples"]:
        sampled = [features @ self.samples[s].to(features) for s in range(len(self.elements))]
        return torch.stack(sampled)[species, torch.arange(len(species), device=species.device)]


class GlobalTerm(Term):
    """A term whose site energies depend on the whole structure.

    Attributes:
        periodic: whether it is defined in periodic cells.
    """

    periodic: ClassVar[bool] = False
    body_order: int | None = None

    @abstractmethod
    def forward(self, batch: Batch) -> Float[Tensor, " atoms"]:
        """Energy of each atom in eV; differentiable in positions (and cells where periodic)."""


def ascending_numbers(elements: Iterable[int | str]) -> tuple[int, ...]:
    """Atomic numbers of some elements, given by symbol or number, each once.

    Raises:
        UnknownElementError: no element has this symbol or number.
    """
    return tuple(sorted({atomic_number(element) for element in elements}))


AnyTerm = TypeVar("AnyTerm", bound=Term)

#: Classes of terms by kind; the decorator `register` adds a new term, to the conformance suite too.
TERMS: dict[str, type[Term]] = {}


def register(cls: type[AnyTerm]) -> type[AnyTerm]:
    """Class decorator: make a term known to `load` and to the conformance suite."""
    if cls.kind in TERMS:
        raise ArgumentError(f"two terms are called {cls.kind!r}")
    TERMS[cls.kind] = cls
    return cls
