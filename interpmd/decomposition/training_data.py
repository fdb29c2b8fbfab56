"""Training data of a potential: given frames, or those that its card names."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from ase import Atoms
from ase.data import atomic_numbers

from interpmd.errors import UnknownElementError
from interpmd.potentials.potential import Potential
from interpmd.structures.files import read_frames
from interpmd.structures.seen import SeenDistances


def training_frames(potential: Potential) -> list[Atoms] | None:
    """The frames that a shipped potential was fitted to, read from a clone of the repository;
    None if they are not there."""
    named = potential.card.provenance.get("train")
    if not isinstance(named, str):
        return None
    root = Path(str(files("interpmd"))).parent
    paths = [root / part.strip() for part in named.split(",")]
    if not all(path.is_file() for path in paths):
        return None
    return [atoms for path in paths for atoms in read_frames(path)]


def seen_distances(
    potential: Potential, frames: str | Path | Iterable[Atoms] | SeenDistances | None
) -> SeenDistances | None:
    """Distances in the frames; or in the potential's own training data, read anew if they are
    there, else as its card counts them; None if neither is known."""
    if isinstance(frames, SeenDistances):
        return frames
    known = training_frames(potential) if frames is None else read_frames(frames)
    if known is not None:
        return SeenDistances.of(known, potential.cutoff)
    counts = potential.card.provenance.get("distances")
    return None if counts is None else SeenDistances.from_json(counts, potential.cutoff)


def single_terms(potential: Potential) -> dict[str, Potential]:
    """Each term that joins atoms as a potential of its own, in float64."""
    return {
        name: Potential({name: copy.deepcopy(term).double()})
        for name, term in potential.terms.items()
        if term.body_order != 1
    }


def element(potential: Potential, symbol: str) -> int:
    """Atomic number of a symbol that the potential knows.

    Raises:
        UnknownElementError: no such element, or not in the potential.
    """
    number = atomic_numbers.get(symbol) if isinstance(symbol, str) else None
    if number is None or (potential.elements and number not in potential.elements):
        raise UnknownElementError(f"the potential knows no element {symbol!r}")
    return number
