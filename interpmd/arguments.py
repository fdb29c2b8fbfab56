"""Numbers that people pass: refused by name where they make no sense."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from inspect import signature
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.errors import ArgumentError, StructureError


def positive(**values: Any) -> None:
    """Raise ArgumentError unless every value is a finite number above zero."""
    for name, value in values.items():
        _number(name, value, "a number above 0", lambda x: x > 0)


def not_negative(**values: Any) -> None:
    """Raise ArgumentError unless every value is a finite number, 0 or more."""
    for name, value in values.items():
        _number(name, value, "a number, 0 or more", lambda x: x >= 0)


def finite(**values: Any) -> None:
    """Raise ArgumentError unless every value is a finite number."""
    for name, value in values.items():
        _number(name, value, "a finite number", lambda x: True)


def part(**values: Any) -> None:
    """Raise ArgumentError unless every value is a number from 0 to below 1."""
    for name, value in values.items():
        _number(name, value, "a number from 0 to below 1", lambda x: 0 <= x < 1)


def count(at_least: int = 1, **values: Any) -> None:
    """Raise ArgumentError unless every value is a whole number, `at_least` or more."""
    for name, value in values.items():
        if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
            raise ArgumentError(f"{name} is a whole number, {at_least} or more, not {value!r}")
        if value < at_least:
            raise ArgumentError(f"{name} is a whole number, {at_least} or more, not {value}")


def atoms_of(given: Any, name: str, sizes: Iterable[int] = ()) -> tuple[int, ...]:
    """Atoms by their numbers, or ArgumentError.

    Args:
        given: whole numbers, 0 or more; whether a structure has them is for others to say.
        name: of the argument.
        sizes: how many there may be; any number from one on if empty.
    """
    sizes = tuple(sizes)
    words = f" ({' or '.join(map(str, sizes))} of them)" if sizes else ""
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str) or not len(given):
        raise ArgumentError(f"{name} are numbers of atoms{words}, not {given!r}")
    for place, atom in enumerate(given):
        count(0, **{f"{name}[{place}]": atom})
    if sizes and len(given) not in sizes:
        raise ArgumentError(f"{name} are numbers of atoms{words}, not {len(given)}: {given!r}")
    return tuple(int(atom) for atom in given)


def numbers_of(given: Any, name: str) -> Float[np.ndarray, " numbers"]:
    """Finite numbers as an array of one dimension, or ArgumentError."""
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ArgumentError(f"{name} are finite numbers, not {given!r}")
    return values


def one_or_more(given: Any, name: str, good: Callable[..., None] = positive) -> tuple[Any, ...]:
    """One number or several as a tuple, of which each makes sense, or ArgumentError.

    Args:
        given: a number, or a sequence of one or more.
        name: of the argument.
        good: what each has to be: `positive`, `not_negative`, `finite` or `count`.
    """
    if isinstance(given, numbers.Number | np.number):
        good(**{name: given})
        return (given,)
    if not isinstance(given, Sequence | np.ndarray | range) or isinstance(given, str):
        raise ArgumentError(f"{name} is a number or several, not {given!r}")
    if not len(given):
        raise ArgumentError(f"{name} is a number or several, and none is given")
    for place, each in enumerate(given):
        good(**{f"{name}[{place}]": each})
    return tuple(given)


def words_of(given: Any, name: str) -> tuple[str, ...]:
    """One word or several as a tuple, or ArgumentError."""
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Iterable) or not all(isinstance(each, str) for each in given):
        raise ArgumentError(f"{name} is a word or several, not {given!r}")
    return tuple(given)


def interval_of(given: Any, name: str) -> tuple[float, float]:
    """Two finite numbers that ascend, or ArgumentError."""
    ends = numbers_of(given, name)
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ArgumentError(f"{name} are two numbers, the lower and the upper, not {given!r}")
    return float(ends[0]), float(ends[1])


def range_of(given: Any, name: str) -> tuple[float, float]:
    """Two numbers above zero that ascend, or ArgumentError."""
    if not isinstance(given, Sequence | np.ndarray) or isinstance(given, str) or len(given) != 2:
        raise ArgumentError(f"{name} are two numbers, the lower and the upper, not {given!r}")
    low, high = given
    positive(**{f"{name}[0]": low, f"{name}[1]": high})
    if low > high:
        raise ArgumentError(f"{name} ascend, but {low} is above {high}")
    return float(low), float(high)


def of_class(kind: type, **values: Any) -> None:
    """Raise ArgumentError unless every value is of a class.

    Args:
        kind: the class.
        values: by the names of the arguments.
    """
    for name, value in values.items():
        if isinstance(value, kind):
            continue
        hint = ""
        if isinstance(getattr(value, "potential", None), kind):
            hint = f": pass {name}.potential"
        elif isinstance(value, str) and kind.__name__ == "Potential":
            hint = f": pass im.load({value!r})"
        given = repr(value) if isinstance(value, str) else type(value).__name__
        raise ArgumentError(f"{name} is of the class {kind.__name__}, not {given}{hint}")


def of_functions(functions: Iterable[Callable], given: Iterable[str], name: str) -> None:
    """Raise ArgumentError for an option that no function takes, before work is done.

    Args:
        functions: that will get them, each passing on what it does not know itself.
        given: names of the options.
        name: of who was given them, for the message.
    """
    known = [
        word
        for function in functions
        for word, one in signature(function).parameters.items()
        if one.kind is not one.VAR_KEYWORD
    ]
    options(dict.fromkeys(given), dict.fromkeys(known), name)


def options(
    given: Mapping[str, Any], known: Iterable[str], name: str, own: Iterable[str] = ()
) -> None:
    """Raise ArgumentError for an option that is not known, or for what are no options.

    Args:
        given: by name.
        known: names of the options.
        name: of who was given them, for the message.
        own: keywords that it has besides, which may have been meant.
    """
    known = list(known)
    if not isinstance(given, Mapping):
        raise ArgumentError(f"{name} is a mapping from options to values, not {given!r}")
    for key in given:
        if key not in known:
            words = ", ".join(known) or "none"
            raise ArgumentError(
                f"{name} has no option {key!r}{meant(key, [*known, *own])}; known: {words}"
            )


def seeds(**values: Any) -> None:
    """Raise ArgumentError unless every value is a whole number that can seed a generator."""
    for name, value in values.items():
        count(0, **{name: value})
        if value >= 2**63:
            raise ArgumentError(f"{name} is a whole number below 2^63, not {value}")


def named(given: Any, known: Iterable[str]) -> bool:
    """Whether it is one of the known words; what is no word at all (a list, an array) is none."""
    return isinstance(given, str) and given in known


def one_of(known: Iterable[str], **values: Any) -> None:
    """Raise ArgumentError unless every value is one of the known words."""
    known = list(known)
    for name, value in values.items():
        if not named(value, known):
            words = " or ".join(map(repr, known))
            raise ArgumentError(f"{name} is {words}, not {value!r}{meant(value, known)}")


def factors(known: Iterable[str], given: Mapping[str, Any], name: str) -> dict[str, float]:
    """Factors by name, each 0 or more, of names that are known.

    Raises:
        ArgumentError: a name that nothing has, or a factor that makes no sense.
    """
    if not isinstance(given, Mapping):
        raise ArgumentError(f"{name} is a mapping from names to factors, not {given!r}")
    known = sorted(set(known))
    for key, value in given.items():
        if key not in known:
            raise ArgumentError(
                f"{name} names {key!r}, which no frame is; the subsets are "
                f"{', '.join(map(repr, known))}{meant(key, known)}"
            )
        not_negative(**{f"{name}[{key!r}]": value})
    return {key: float(value) for key, value in given.items()}


def meant(given: Any, known: Iterable[str]) -> str:
    """A question whether a near name was meant, empty if none is near."""
    near = get_close_matches(str(given), list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def masses_of(atoms: Atoms, name: str = "structure") -> None:
    """Raise StructureError unless every mass is a finite number above zero."""
    masses = atoms.get_masses()
    if (wrong := np.flatnonzero(~(np.isfinite(masses) & (masses > 0)))).size:
        atom = int(wrong[0])
        raise StructureError(
            f"{name}: the mass of atom {atom} ({atoms.symbols[atom]}) is {masses[atom]:g}; atoms "
            "that move need a mass above 0 (to hold an atom in its place, use FixAtoms)"
        )


def _number(name: str, value: Any, what: str, good: Any) -> None:
    real = isinstance(value, numbers.Real | np.number) and not isinstance(value, bool | np.bool_)
    if not real or not math.isfinite(value) or not good(value):
        raise ArgumentError(f"{name} is {what}, not {value!r}")
