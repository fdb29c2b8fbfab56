"""Atoms by index or by name ("H8"), as people give them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from interpmd.errors import TargetError


class NamedAtom(int):
    """The index of an atom that was given by its name: "H8" is the atom 8, a hydrogen.

    Attributes:
        symbol: what the structure must have there.
    """

    symbol: str

    def __new__(cls, name: str) -> NamedAtom:
        """Raises TargetError for what is no name of an atom."""
        found = re.fullmatch(r"([A-Z][a-z]?)(\d+)", name.strip())
        if found is None or found[1] not in atomic_numbers:
            raise TargetError(
                f"an atom is named by its index, or by symbol and index as in 'H8', not {name!r}"
            )
        index = super().__new__(cls, found[2])
        index.symbol = found[1]
        return index

    def __getnewargs__(self) -> tuple[str]:
        return (f"{self.symbol}{int(self)}",)


def indexed(given: Any) -> Any:
    """Names of atoms and numbers of numpy as Python has them, several as a tuple.

    So a question is the same, is kept and can be a key, whether it came as a list or an array.

    Raises:
        TargetError: text that is no name of an atom.
    """
    if isinstance(given, str):
        return NamedAtom(given)
    if isinstance(given, np.generic):
        return given.item()
    if isinstance(given, np.ndarray):
        return indexed(given.tolist())
    return tuple(map(indexed, given)) if isinstance(given, Sequence) else given


def atom_of(given: int | str, atoms: Atoms) -> int:
    """The index of an atom of a structure, given by index or name ("H8").

    Raises:
        TargetError: there is no such atom, or it is of another element.
    """
    return checked([indexed(given)], atoms)[0]


def names_of(indices: Sequence[Any], atoms: Atoms) -> list[str]:
    """Atoms of a structure by symbol and index, as "H8"; those that it lacks by index."""
    return [f"{atoms.symbols[a]}{a}" if 0 <= a < len(atoms) else str(a) for a in indices]


def in_words(indices: Sequence[Any], atoms: Atoms | None) -> str:
    """Atoms by name, or by number where there is no structure that says what they are."""
    if atoms is not None:
        return ", ".join(names_of(indices, atoms))
    return f"atom{'s' * (len(indices) > 1)} {', '.join(map(str, indices))}"


def checked(indices: Sequence[int], atoms: Atoms) -> list[int]:
    """The indices as whole numbers; raises TargetError for what is none of the structure's."""
    if not len(indices):
        raise TargetError("a force acts on one atom at least, and none is given")
    for index in indices:
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise TargetError(f"an atom is named by its index, a whole number, not {index!r}")
        if not 0 <= index < len(atoms):
            raise TargetError(
                f"there is no atom {index}: {atoms.symbols} has atoms 0 to {len(atoms) - 1}"
            )
        named = getattr(index, "symbol", None)
        if named not in (None, actual := atoms.symbols[index]):
            same = [f"{named}{i}" for i in np.flatnonzero(atoms.symbols == named)[:20]]
            raise TargetError(
                f"there is no {named}{index}: atom {index} is {actual}; "
                + (f"{named} are {', '.join(same)}" if same else f"{atoms.symbols} has no {named}")
            )
    found = [int(i) for i in indices]
    if len(set(found)) < len(found):
        again = next(i for i in found if found.count(i) > 1)
        raise TargetError(
            f"{atoms.symbols[again]}{again} is named {found.count(again)} times; once is enough"
        )
    return found
