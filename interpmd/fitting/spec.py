"""What kind of potential to fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from interpmd import arguments
from interpmd.errors import ArgumentError
from interpmd.potentials.base import ascending_numbers
from interpmd.potentials.expansion import ClusterExpansion

#: Weights of the read-out for each element, and for all together, where they are not given.
PER_ELEMENT, MOST = 5_000, 20_000

#: Cutoff in Å where it is not given.
CUTOFF = 5.0

#: Largest degrees for body orders 2, 3, ..., and where channels are refined.
LMAX, LMAX_OF_REFINED = (0, 4, 4, 3), (0, 4, 4, 4)

#: Channels for body orders 2, 3, ... where they are not given, before they are scaled down.
CHANNELS = (1024, 1024, 1024, 256)


def as_spec(given: Spec | Mapping[str, Any] | None) -> Spec:
    """A spec, its fields as a mapping, or None for the usual one.

    Raises:
        ArgumentError: anything else, or a field that there is not.
    """
    if isinstance(given, Spec):
        return given
    of_spec = {} if given is None else given
    arguments.options(of_spec, [field.name for field in fields(Spec)], "spec")
    return Spec(**of_spec)


@dataclass(frozen=True)
class Spec:
    """What kind of potential to fit, and with which prior.

    Attributes:
        cutoff: Å.
        lmax: largest degree l of the spherical harmonics; one number, or one for each body order.
            If None, `LMAX`, or `LMAX_OF_REFINED` where channels are refined.
        channels: for body orders 2, 3, ...; scaled down so that the read-out has at most
            `weights` weights. If None, `CHANNELS`.
        channels_by_element: part of these channels that the sites of an element have, by symbol; 1
            where not given. "bonds" gives the more channels to an element the more bonds it has;
            see `interpmd.fitting.by_element`. If None, a fit takes "bonds" where `channels` are not
            given either; channels that are given are those of all elements.
        weights: most weights of the read-out, over all elements; if None, `PER_ELEMENT` for each,
            at most `MOST`, and where labels are fewer, less; see `interpmd.fitting.size`.
        basis: number of Bessel functions of the radial network, the smoothness prior: few
            functions vary slowly. If None, trial fits of a quarter of the weights choose one of
            `BASES`; what they cannot tell, docs/evidence.md shows for acetylacetone.
        functions, gain, stretch, decay: of the radial network; see `RadialNetwork`.
        terms: physics terms beside the expansion, by kind, with their arguments.
        parsimony: factor on the ridge per body order above two: among fits of equal quality it
            prefers the one of lower body order.
        samples: number of posterior samples that are kept.
        least_rows: weight of a penalty on the forces of the rows themselves, which makes rows of
            atoms small and alike in two fits, where totals leave them open. If None, solids and
            liquids of atoms, whose rows are read, have the largest of some weights that costs at
            most 3 % of the validation error; others, and those of weight 0, have none.

    Example:
        >>> import interpmd as im
        >>> expansion = im.Spec(cutoff=4.0, weights=2000, basis=8).expansion([1, 8], seed=0)
        >>> expansion.body_order, len(expansion.columns) <= 2000
        (5, True)
    """

    cutoff: float = CUTOFF
    lmax: int | tuple[int, ...] | None = None
    channels: tuple[int, ...] | None = None
    channels_by_element: Mapping[str, float] | str | None = None
    weights: int | None = None
    basis: int | None = 8
    functions: int = 32
    gain: float = 0.7
    stretch: float = 1.0
    decay: float = 2.0
    terms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parsimony: float = 3.0
    samples: int = 32
    least_rows: float | None = None

    def __post_init__(self) -> None:
        arguments.positive(cutoff=self.cutoff, gain=self.gain, parsimony=self.parsimony)
        arguments.count(functions=self.functions, samples=self.samples)
        optional = {"weights": self.weights, "basis": self.basis}
        arguments.count(**{name: value for name, value in optional.items() if value is not None})
        for degree in np.atleast_1d(np.asarray(self.degrees(), dtype=object)):
            arguments.count(0, lmax=degree)
        for count in self.channels or ():
            arguments.count(0, channels=count)
        self._check_channels_by_element()

    def _check_channels_by_element(self) -> None:
        given = self.channels_by_element
        if given is None:
            return
        if isinstance(given, str):
            if given != "bonds":
                raise ArgumentError(f"channels_by_element is 'bonds' or numbers, not {given!r}")
            return
        if not isinstance(given, Mapping):
            raise ArgumentError(
                f"channels_by_element is 'bonds' or numbers by symbol, not {given!r}"
            )
        for symbol, part in given.items():
            number = isinstance(part, int | float | np.number) and not isinstance(part, bool)
            if symbol not in chemical_symbols[1:] or not number or not 0 < part <= 1:
                raise ArgumentError(
                    "channels_by_element holds numbers above 0, at most 1, by symbol of an "
                    f"element, not {symbol!r}: {part!r}"
                )

    def degrees(self, refined: bool = False) -> int | tuple[int, ...]:
        """Largest degree of the spherical harmonics, where channels are refined or not."""
        if self.lmax is not None:
            return self.lmax
        return LMAX_OF_REFINED if refined else LMAX

    def size(self, elements: int) -> int:
        """Most weights of the read-out for a number of elements."""
        return min(PER_ELEMENT * elements, MOST) if self.weights is None else self.weights

    def expansion(self, elements: Iterable[int], seed: int) -> ClusterExpansion:
        """The expansion for some elements, its channels scaled to the number of weights.

        All elements have as many where `channels_by_element` is None: a fit knows their bonds.
        """
        given = {
            "elements": sorted(elements),
            "cutoff": self.cutoff,
            "lmax": self.degrees(),
            "basis": self.basis,
            "functions": self.functions,
            "gain": self.gain,
            "stretch": self.stretch,
            "decay": self.decay,
            "seed": seed,
        }
        own = self.channels_by_element or {}
        if isinstance(own, str):
            raise ArgumentError(f"which channels {own!r} gives depends on frames; name them")
        most = CHANNELS if self.channels is None else self.channels
        parts = [own.get(chemical_symbols[z], 1.0) for z in ascending_numbers(elements)]

        def of(factor: float) -> ClusterExpansion:
            channels = [[max(1, int(part * factor * k)) for k in most] for part in parts]
            return ClusterExpansion(channels=channels, **given)

        term = of(1.0)
        count, limit = len(term.columns), self.size(len(term.elements))
        return term if count <= limit else of(limit / count)
