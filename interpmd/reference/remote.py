"""What a job does in another process: one at a time, and its warnings come back with its result."""

from __future__ import annotations

import hashlib
import pickle
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")

#: Workers of a cluster may have several threads, and neither quantum codes nor torch's number of
#: threads are theirs alone.
_ALONE = threading.Lock()


class Killed:
    """What stands for the result of a job whose process was killed again and again."""

    def __str__(self) -> str:
        return "its process was killed twice, the second time alone (out of memory?)"


class Shared(Generic[T]):
    """Something that many jobs have in common: a process unpacks it once.

    Args:
        value: can be pickled.
    """

    def __init__(self, value: T) -> None:
        self.value = value
        self._packed: bytes | None = None

    def __reduce__(self) -> tuple:
        if self._packed is None:
            self._packed = pickle.dumps(self.value)
        return _unpacked, (hashlib.sha256(self._packed).hexdigest(), self._packed)


@lru_cache(maxsize=4)
def _unpacked(digest: str, packed: bytes) -> Shared:
    return Shared(pickle.loads(packed))


def remotely(function: Callable[..., T], job: tuple) -> tuple[T, list[tuple[str, type[Warning]]]]:
    """A result and the warnings on the way to it."""
    with _ALONE, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        result = function(*job)
    return result, [(str(one.message), one.category) for one in caught]


def with_warnings(outcome: tuple[T, list[tuple[str, type[Warning]]]]) -> T:
    """The result; its warnings are given here."""
    result, found = outcome
    for message, category in found:
        warnings.warn(message, category, stacklevel=4)
    return result
