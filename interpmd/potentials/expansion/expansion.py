"""The neural cluster expansion: a potential of finite body order, linear in its read-out.

For a site i with neighbours j (species s_j, distance r, direction u):

    C_i,s,n,lm = sum_{j of species s} h_n(r) Y_lm(u)             h: radial network (radial.py)
    A_i,k,lm   = sum_{s,n} W_l,k,(s,n) C_i,s,n,lm                k: channels
    B_i,k,p    = invariants of degree 1..4 of A_i,k              invariants.py
    E_i        = sum_{k,p} w_{Z_i,k,p} B_i,k,p                   w: the read-out, in closed form

A product of degree nu contains nu neighbours, so the body order is nu + 1 and finite. It can
contain the same neighbour more than once: degree nu also contributes to the lower body orders. The
table of rows (`interpmd.decompose`) separates them by inclusion and exclusion.

Sources: the atomic cluster expansion, Drautz, Phys. Rev. B 99, 014104 (2019), equations 17-26;
products channel by channel, Darby et al., Phys. Rev. Lett. 131, 028001 (2023), equation 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interpmd.errors import ArgumentError
from interpmd.potentials.base import BODY_NAMES, LearnedTerm, ascending_numbers, register
from interpmd.potentials.expansion.angular import harmonics_of, monomial_coefficients
from interpmd.potentials.expansion.invariants import Invariants
from interpmd.potentials.expansion.radial import RadialNetwork
from interpmd.structures.edges import Environments

#: Largest degree of the products; the body order is one more.
MAX_DEGREE = 4

#: Largest degree l: the couplings of degree 6 take half a minute to compute, those of 8 many.
MAX_L = 6

#: Most numbers in one array of the term, 80 MB; refused before it is made.
MAX_NUMBERS = 10_000_000


@dataclass(frozen=True)
class Features:
    """Invariants of sites and, edge by edge, their gradients.

    Attributes:
        values: shape (sites, features).
        gradients: with respect to the edge vectors in 1/Å, shape (edges, 3, features).
    """

    values: Float[Tensor, "sites features"]
    gradients: Float[Tensor, "edges 3 features"]


@register
class ClusterExpansion(LearnedTerm):
    """The neural cluster expansion up to body order 5.

    Args:
        elements: atomic numbers or symbols.
        cutoff: Å.
        lmax: largest degree l of the spherical harmonics; one number, or one for each body order.
        channels: number of channels for the body orders 2, 3, ...; how many there are sets the
            body order. Or such a list for the sites of each element, by
            atomic number.
        basis: number of Bessel functions.
        functions: number of radial functions of the network.
        gain: how fast the random radial functions vary; see `RadialNetwork`.
        seed: of the random network and mixing.
        stretch, decay: where the radial functions are fine and large, in Å; see `RadialNetwork`.

    Attributes:
        channels: most of any element, by body order.
        channels_of: those of the sites of each element, shape (species, orders).

    Raises:
        ArgumentError: a body order beyond 5, a size beyond `MAX_L` or `MAX_NUMBERS`, or other
            arguments that make no sense; before anything large is made.
        UnknownElementError: no element has this symbol or number.
    """

    kind = "expansion"
    #: the products of more sites do not fit into the caches (1024 take 1.6 times as long)
    sites_at_once = 64

    radial: RadialNetwork
    mixing: Float[Tensor, "degrees inputs channels"]
    monomials: Float[Tensor, "powers components"]
    degrees: Sequence[Invariants]

    def __init__(
        self,
        elements: Sequence[int | str],
        cutoff: float = 5.0,
        lmax: int | Sequence[int] = 3,
        channels: Sequence[int] | Sequence[Sequence[int]] = (64, 64, 64, 64),
        basis: int = 8,
        functions: int = 32,
        gain: float = 1.0,
        seed: int = 0,
        stretch: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.elements = ascending_numbers(elements)
        self.channels_of = _by_element(channels, max(1, len(self.elements)))
        most = self.channels_of.max(0).tolist()
        each = [lmax] * len(most) if isinstance(lmax, int) else list(lmax)
        if len(each) != len(most):
            raise ArgumentError(f"lmax is one number, or one for each of the channels, not {lmax}")
        if not all(_whole(l, 0, MAX_L) for l in each):
            raise ArgumentError(
                f"lmax is a whole number, 0 or more and at most {MAX_L}, not {lmax}"
            )
        if not 0 < cutoff < math.inf or not math.isfinite(gain) or not elements:
            raise ArgumentError("the cutoff must be positive, gain a number, and elements given")
        if not (_whole(basis, 1) and _whole(functions, 1)):
            raise ArgumentError(f"basis and functions are 1 or more, not {basis} and {functions}")
        inputs = len(self.elements) * functions
        _check_size((max(each) + 1) * inputs * max(most), f"mixing of {max(most)} channels")
        _check_size(functions * max(basis, functions), f"a network of {functions} functions")
        self.cutoff, self.channels = float(cutoff), tuple(most)
        self.lmax_by_order, self.lmax = tuple(each), max(each)
        self.functions, self.gain, self.seed = int(functions), float(gain), int(seed)
        self.body_order = len(most) + 1
        self.radial = RadialNetwork(
            self.cutoff, basis, functions, gain, seed, float(stretch), float(decay)
        )
        species = torch.full((max(self.elements) + 1,), -1)
        species[list(self.elements)] = torch.arange(len(self.elements))
        self.register_buffer("species", species, persistent=False)
        generator = torch.Generator().manual_seed(int(seed) + 1)
        mixing = torch.randn(
            self.lmax + 1, inputs, max(most), generator=generator, dtype=torch.float64
        )
        self.register_buffer("mixing", mixing * inputs**-0.5)
        self._prepare_couplings()
        _check_size(len(self.elements) * self.n_features, f"the read-out of {most} channels")
        self.register_readout(self.n_features)

    @classmethod
    def example(cls) -> ClusterExpansion:
        """A small instance with a random read-out."""
        arguments = {"cutoff": 4.0, "lmax": (0, 2, 2, 1), "channels": (3, 3, 2, 2), "functions": 4}
        term = cls(["H", "C", "O"], **arguments)
        generator = torch.Generator().manual_seed(0)
        term.readout.copy_(torch.randn(term.readout.shape, generator=generator) * 0.1)
        return term

    def config(self) -> dict[str, Any]:
        return {
            "elements": list(self.elements),
            "cutoff": self.cutoff,
            "lmax": list(self.lmax_by_order),
            "channels": self.channels_of.tolist() if self._uneven else list(self.channels),
            "basis": self.radial.basis,
            "functions": self.functions,
            "gain": self.gain,
            "seed": self.seed,
            "stretch": self.radial.stretch,
            "decay": self.radial.decay,
        }

    def row_name(self, order: int) -> str:
        return BODY_NAMES[order]

    @property
    def n_features(self) -> int:
        """Number of invariants of a site, over all degrees."""
        return sum(k * p for k, p in zip(self.channels, self.n_invariants, strict=True))

    @cached_property
    def columns(self) -> Int[np.ndarray, " weights"]:
        """Weights that an element has, as places in (species, features); others are zero."""
        used = [
            np.repeat(np.arange(most) < some[:, None], count, axis=1)
            for most, some, count in zip(
                self.channels, self.channels_of.T, self.n_invariants, strict=True
            )
        ]
        return np.flatnonzero(np.concatenate(used, axis=1))

    def in_readout(
        self, weights: Float[np.ndarray, "weights ..."]
    ) -> Float[Tensor, "species features ..."]:
        """Weights, in the order of `columns`, where they stand in the read-out."""
        shape = len(self.elements), self.n_features, *weights.shape[1:]
        whole = np.zeros((shape[0] * shape[1], *shape[2:]))
        whole[self.columns] = weights
        return torch.from_numpy(whole.reshape(shape))

    @property
    def feature_order(self) -> Int[np.ndarray, " features"]:
        """Body order of each feature."""
        blocks = zip(self.channels, self.n_invariants, strict=True)
        return np.concatenate([np.full(k * p, 2 + nu) for nu, (k, p) in enumerate(blocks)])

    def forward(self, env: Environments) -> Float[Tensor, " sites"]:
        density, species = self.density(env), self.species[env.centre_numbers]
        weights = self.readout.split(self._sizes, dim=1)
        energy = (weights[0][species] * density[0, :, : self.channels[0]]).sum(1)
        for channels, weight, degree in zip(
            self.channels[1:], weights[1:], self.degrees, strict=True
        ):
            weight = weight.unflatten(1, (channels, -1))
            energy = energy + degree.contract(density[..., :channels], weight, species)
        return energy

    def density(self, env: Environments) -> Float[Tensor, "components sites channels"]:
        """A: the neighbour density of each site, projected on channels and harmonics."""
        radial, angular, pair = self._edges(env.vectors, env.neighbour_numbers)
        radial = env.gated(radial)
        spread = radial.new_zeros(len(radial), len(self.elements), self.functions)
        spread = spread.scatter(
            1, pair[:, None, None].expand(-1, 1, self.functions), radial[:, None]
        )
        return self._mix(_outer_by_site(spread.flatten(1), angular, env))

    def features(self, env: Environments) -> Float[Tensor, "sites features"]:
        """Invariants B of each site; the energy is linear in them. Zero where an element has no
        weight."""
        density = self.density(env)
        values = [density[0, :, : self.channels[0]]]
        for channels, degree in zip(self.channels[1:], self.degrees, strict=True):
            values.append(degree(density[..., :channels]).permute(1, 2, 0).flatten(1))
        found = torch.cat(values, dim=1)
        if not self._uneven:
            return found
        used = self.in_readout(np.ones(len(self.columns))).to(found)
        return found * used[self.species[env.centre_numbers]]

    def _edges(self, vectors: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        distances = vectors.pow(2).sum(1).sqrt()
        angular = harmonics_of(vectors / distances[:, None], self.monomials)
        return self.radial(distances), angular, self.species[numbers]

    def _mix(self, coefficients: Tensor) -> Tensor:
        widths = [2 * l + 1 for l in range(self.lmax + 1)]
        blocks = coefficients.transpose(0, 1).contiguous().split(widths)
        mixed = [block.flatten(0, 1) @ self.mixing[l] for l, block in enumerate(blocks)]
        return torch.cat(mixed).unflatten(0, (sum(widths), -1))

    @property
    def _uneven(self) -> bool:
        """Whether elements differ in their channels."""
        return bool((self.channels_of != self.channels_of[0]).any())

    def _prepare_couplings(self) -> None:
        self.degrees = nn.ModuleList(
            Invariants(lmax, nu) for nu, lmax in enumerate(self.lmax_by_order[1:], start=2)
        )
        self.n_invariants = [1, *(degree.count for degree in self.degrees)]
        self.labels = [("0",), *(degree.labels for degree in self.degrees)]
        monomials = torch.as_tensor(monomial_coefficients(self.lmax))
        self.register_buffer("monomials", monomials, persistent=False)
        self._sizes = [k * p for k, p in zip(self.channels, self.n_invariants, strict=True)]


def _by_element(
    channels: Sequence[int] | Sequence[Sequence[int]], elements: int
) -> Int[np.ndarray, "species orders"]:
    """Channels of the sites of each element, checked."""
    rows = [channels] * elements if all(_whole(k) for k in channels) else channels
    right = len(rows) == elements and len({np.size(row) for row in rows}) == 1
    flat = [k for row in rows for k in np.atleast_1d(np.asarray(row, dtype=object))]
    if not (right and 1 <= np.size(rows[0]) <= MAX_DEGREE and all(_whole(k, 1) for k in flat)):
        raise ArgumentError(
            f"channels are 1 to {MAX_DEGREE} positive numbers, or such a list for each element, "
            f"not {channels}"
        )
    return np.array([list(row) for row in rows])


def _whole(value: object, least: float = -math.inf, most: float = math.inf) -> bool:
    """Whether a value is a whole number in a range."""
    return isinstance(value, int | np.integer) and bool(least <= value <= most)


def _check_size(numbers: int, what: str) -> None:
    if numbers > MAX_NUMBERS:
        raise ArgumentError(
            f"{what} would hold {numbers:.2g} numbers, and at most {MAX_NUMBERS:.2g} are allowed; "
            "take fewer channels or functions, or a smaller lmax"
        )


def _outer_by_site(
    radial: Float[Tensor, "edges inputs"],
    angular: Float[Tensor, "edges components"],
    env: Environments,
) -> Float[Tensor, "sites components inputs"]:
    """Sum over the edges of each site of the outer product angular x radial."""
    if env.degree is not None and env.degree > 0:
        shape = (env.n_sites, env.degree)
        return angular.unflatten(0, shape).mT @ radial.unflatten(0, shape)
    products = (angular[:, :, None] * radial[:, None, :]).flatten(1)
    sums = products.new_zeros(env.n_sites, products.shape[1])
    return sums.index_add(0, env.centre, products).unflatten(1, (angular.shape[1], -1))
