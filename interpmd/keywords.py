"""Keywords that have new names: the old ones still work, and warn."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def renamed(**new_names: str) -> Callable[[F], F]:
    """Decorator of a function some of whose keywords have new names, given as ``old="new"``.

    >>> @renamed(steps="n_steps")
    ... def simulate(n_steps): ...

    A call with the old keyword passes its value on under the new one and gives a FutureWarning,
    which Python shows to everybody, at the line of the caller. A call with both raises TypeError.
    Warnings that the function itself gives need a `stacklevel` of one more.

    On a dataclass, decorate ``__init__``: ``Spec.__init__ = renamed(...)(Spec.__init__)``.
    """

    def decorator(function: F) -> F:
        @functools.wraps(function)
        def wrapper(*args: Any, **keywords: Any) -> Any:
            for old, new in new_names.items():
                if old not in keywords:
                    continue
                name = function.__qualname__.removesuffix(".__init__")
                if new in keywords:
                    raise TypeError(f"{name}() got {new!r} and also {old!r}, its former name")
                warnings.warn(
                    f"{name}({old}=...) is now {name}({new}=...); "
                    "the old name will go with the next release",
                    FutureWarning,
                    stacklevel=2,
                )
                keywords[new] = keywords.pop(old)
            return function(*args, **keywords)

        return wrapper  # type: ignore[return-value]

    return decorator
