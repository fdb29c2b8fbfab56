"""Channels of expansions: of several as one, some of one, and the columns of their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from interpmd.potentials.expansion import ClusterExpansion

#: Tensors of an expansion that are those of its channels; the others are of all members alike.
OWN = ("mixing", "readout", "samples")


def member(term: ClusterExpansion, number: int) -> ClusterExpansion:
    """An expansion with the same radial network and other channels; number 0 is the same."""
    other = ClusterExpansion(**(term.config() | {"seed": term.seed + number}))
    other.radial.load_state_dict(term.radial.state_dict())
    return other


def joined(members: Sequence[ClusterExpansion]) -> ClusterExpansion:
    """The expansion whose energy is the mean of those of several with the same radial network.

    Channel k of member m becomes channel k K + m, so that the first channels of every body order,
    which it takes from the common list, are the first ones of all members.
    """
    first, count = members[0], len(members)
    channels = (count * first.channels_of).tolist()
    term = ClusterExpansion(**(first.config() | {"channels": channels}))
    kept = {n: t for n, t in first.state_dict().items() if n not in OWN}
    term.load_state_dict(term.state_dict() | kept)
    term.mixing.copy_(torch.stack([m.mixing for m in members], dim=-1).flatten(-2))
    term.readout.copy_(interleaved(first, [m.readout for m in members]) / count)
    term.samples = interleaved(first, [m.samples for m in members]) / count**0.5
    return term


def apart(term: ClusterExpansion, count: int) -> list[ClusterExpansion]:
    """The members of an expansion that `joined` has made of so many."""
    own = {"channels": (term.channels_of // count).tolist()}
    kept = {n: t for n, t in term.state_dict().items() if n not in OWN}
    found = []
    for number in range(count):
        part = ClusterExpansion(**(term.config() | own | {"seed": term.seed + number}))
        part.load_state_dict(part.state_dict() | kept)
        part.mixing.copy_(term.mixing[..., number::count])
        columns = [_columns(part, each, number, count) for each in (term.readout, term.samples)]
        part.readout.copy_(count * columns[0])
        part.samples = count**0.5 * columns[1]
        found.append(part)
    return found


def _columns(part: ClusterExpansion, whole: Tensor, number: int, count: int) -> Tensor:
    """Weights of one member, as `interleaved` has put them among those of all."""
    orders, start = [], 0
    for channels, invariants in zip(part.channels, part.n_invariants, strict=True):
        stop = start + count * channels * invariants
        each = whole[:, start:stop].unflatten(1, (channels, count, invariants))
        orders.append(each[:, :, number].flatten(1, 2))
        start = stop
    return torch.cat(orders, dim=1)


def interleaved(term: ClusterExpansion, parts: Sequence[Tensor]) -> Tensor:
    """Weights of members in the order of the joined expansion, shape (species, features, ...)."""
    orders, start = [], 0
    for channels, invariants in zip(term.channels, term.n_invariants, strict=True):
        some = slice(start, start + channels * invariants)
        each = [part[:, some].unflatten(1, (channels, invariants)) for part in parts]
        orders.append(torch.stack(each, dim=2).flatten(1, 3))
        start = some.stop
    return torch.cat(orders, dim=1)


def first_channels(term: ClusterExpansion, part: float) -> Int[np.ndarray, " columns"]:
    """Columns of the weights of the first channels of every body order, for all elements.

    Channels are random and alike, so that they are what an expansion of fewer weights would have.
    """
    return _of_channels(term, lambda count: np.arange(max(1, int(part * count))))


def every(term: ClusterExpansion, first: int, step: int) -> ClusterExpansion:
    """The expansion of some channels only, of each body order: `first`, `first` + `step`, ..."""
    channels = [[len(range(first, k, step)) for k in of] for of in term.channels_of.tolist()]
    part = ClusterExpansion(**(term.config() | {"channels": channels}))
    part.radial.load_state_dict(term.radial.state_dict())
    part.mixing.copy_(term.mixing[..., first::step][..., : max(part.channels)])
    return part


def columns_of_every(term: ClusterExpansion, first: int, step: int) -> Int[np.ndarray, " columns"]:
    """Columns of the weights of these channels among those of all, in their order."""
    return _of_channels(term, lambda count: np.arange(first, count, step))


def _of_channels(
    term: ClusterExpansion, chosen: Callable[[int], Int[np.ndarray, " channels"]]
) -> Int[np.ndarray, " columns"]:
    """Columns of the weights of some channels, given those of so many."""
    places = []
    for s, counts in enumerate(term.channels_of.tolist()):
        start = s * term.n_features
        for count, channels, invariants in zip(
            counts, term.channels, term.n_invariants, strict=True
        ):
            own = chosen(count)[:, None] * invariants + np.arange(invariants)
            places.append(start + own.ravel())
            start += channels * invariants
    return np.searchsorted(term.columns, np.concatenate(places))
