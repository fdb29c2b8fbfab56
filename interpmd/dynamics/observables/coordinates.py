"""A coordinate in every frame: of atoms, of a function, or numbers that are there already."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd import arguments
from interpmd.errors import ArgumentError
from interpmd.structures.movable import coordinate as movable

#: What a coordinate is, for messages.
WORDS = "a coordinate is two to four atoms, a function of a structure, or one number for each frame"

#: Two atoms (a distance in Å), three (an angle) or four (a dihedral in degrees); a function of a
#: structure, as a reaction coordinate; or a number for each frame.
CoordinateLike = Sequence[int] | Callable[[Atoms], float] | Float[np.ndarray, " frames"]


def values_of(
    frames: Sequence[Atoms], coordinate: CoordinateLike
) -> tuple[Float[np.ndarray, " frames"], str, str]:
    """A coordinate in every frame, its name, and its unit ("" where it is not known).

    Dihedrals lie between -180 and 180 degrees.

    Raises:
        StructureError: no such atoms.
        ArgumentError: no coordinate, another number of values than of frames, or values that are
            not finite.
    """
    if callable(coordinate):
        values = _numbers([coordinate(atoms) for atoms in frames])
        # a reaction coordinate says what it is
        name = getattr(coordinate, "name", getattr(coordinate, "__name__", "coordinate"))
        name = "coordinate" if name == "<lambda>" else str(name).replace("_", " ")
        unit = str(getattr(coordinate, "unit", ""))
    elif isinstance(coordinate, str) or not hasattr(coordinate, "__len__"):
        raise ArgumentError(f"{WORDS}, not {coordinate!r}")
    elif len(coordinate) in (2, 3, 4) and all(isinstance(a, int | np.integer) for a in coordinate):
        found = movable(frames[0], *arguments.atoms_of(coordinate, "coordinate"))
        symbols = frames[0].get_chemical_symbols()
        chain = "–".join(f"{symbols[a]}{a}" for a in found.atoms)
        word = {2: "distance", 3: "angle", 4: "dihedral"}[len(found.atoms)]
        name, unit = f"{word} {chain}", found.unit
        get = f"get_{word}"
        mic = bool(frames[0].pbc.any())
        values = np.array([getattr(atoms, get)(*found.atoms, mic=mic) for atoms in frames])
        if word == "dihedral":
            values = (values + 180) % 360 - 180
    else:
        values, name, unit = _numbers(coordinate), "coordinate", ""
    if values.shape != (len(frames),):
        raise ArgumentError(f"{WORDS}: of {len(frames)}, not {values.size} numbers")
    if not np.isfinite(values).all():
        frame = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ArgumentError(f"the coordinate of frame {frame} is {values[frame]}")
    return values, name, unit


def _numbers(given: Any) -> np.ndarray:
    try:
        return np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        raise ArgumentError(f"{WORDS}, and this gives no numbers: {given!r:.80}") from None
