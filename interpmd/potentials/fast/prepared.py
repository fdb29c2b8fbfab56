"""What was made ready of a potential or a term stays with it, until its weights change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from torch import Tensor, nn

Made = TypeVar("Made")


class Prepared:
    """Things made of a module, by name, each with the state that it was made from.

    Copies and pickles of it are empty: addresses of machine code are of one process. Threads may
    share it; at worst two of them make the same.
    """

    def __init__(self) -> None:
        self.things: dict[str, tuple[tuple, object]] = {}

    def __deepcopy__(self, memo: dict) -> Prepared:
        return Prepared()

    def __reduce__(self) -> tuple:
        return Prepared, ()


def prepared(owner: nn.Module, name: str, state: tuple, make: Callable[[], Made]) -> Made:
    """What was made under a name from this state, or made now."""
    things = owner.__dict__.setdefault("_prepared", Prepared()).things
    known, thing = things.get(name, (None, None))
    if known != state:
        thing = make()
        things[name] = (state, thing)
    return thing


def state_of(tensors: Iterable[Tensor]) -> tuple:
    """What changes when tensors are exchanged or changed in place: where they lie, torch's
    counters of changes, types."""
    result: list[object] = []
    for tensor in tensors:
        result += (tensor.data_ptr(), tensor._version, tensor.dtype)
    return tuple(result)
