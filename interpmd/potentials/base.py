"""What a term of a potential is.

A potential is a sum of named terms (`interpmd.potentials.potential.Potential`). A term returns
contributions, one per site; sums are the caller's. Two kinds exist:

* `LocalTerm`: the energy of a site is a function of the vectors to its neighbours. Everything
  else (forces, stress, the table of rows) follows from that one function.
* `GlobalTerm`: the energy of a site depends on the whole structure (charges that equilibrate).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from interpmd.structures.systems import Batch, Environments

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


class LocalTerm(Term):
    """A term whose site energy depends on the vectors from the site to its neighbours.

    Attributes:
        cutoff: angstrom; contributions of neighbours vanish smoothly at and beyond it.
        sites_at_once: number of small sites (subsets of neighbours) that are best evaluated
            together; few where the intermediate values of many would leave the caches.
    """

    cutoff: float
    body_order: int
    sites_at_once: ClassVar[int] = 4096

    @abstractmethod
    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        """Energy of each site in eV.

        Every neighbour contributes times its gate (`env.gated`), so that gates of 0 and 1 are
        the same as its absence and presence. A site without neighbours is legal and common: the
        table of rows evaluates every site on subsets of its neighbours. Sites are independent of
        each other.
        """

    def row_name(self, order: int) -> str:
        """Name of the rows of a given body order in the table."""
        return self.kind


class GlobalTerm(Term):
    """A term whose site energies depend on the whole structure."""

    body_order: int | None = None

    @abstractmethod
    def forward(self, batch: Batch) -> Float[Tensor, " atoms"]:
        """Energy of each atom in eV; differentiable in positions (and cells where periodic)."""

    def row_name(self, order: int) -> str:
        """Name of the rows of a given body order in the table."""
        return self.kind


#: Classes of terms by kind; a new term registers itself with the decorator and joins the
#: conformance suite.
TERMS: dict[str, type[Term]] = {}


def register(cls: type[Term]) -> type[Term]:
    """Class decorator: make a term known to `load` and to the conformance suite."""
    if cls.kind in TERMS:
        raise ValueError(f"two terms are called {cls.kind!r}")
    TERMS[cls.kind] = cls
    return cls
