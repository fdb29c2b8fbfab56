"""Internal coordinates of a structure, or of a whole trajectory, from its bonds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from ase import Atoms

from interpmd.errors import CoordinateError
from interpmd.structures.coordinates.assemble import assembled
from interpmd.structures.coordinates.bonded import bonded
from interpmd.structures.coordinates.coordinates import Coordinates
from interpmd.structures.coordinates.graph import Link, graph_of, link, unwrapped
from interpmd.structures.coordinates.nonbonded import between_molecules
from interpmd.structures.coordinates.span import span
from interpmd.structures.coordinates.stiffness import model_stiffness
from interpmd.structures.files import read_frames

#: How much farther neighbours are looked for, one after the other, while motions are missing.
FARTHER = (1.5, 2.5, 4.0)

#: Structures with more atoms are not searched for missing motions, which takes the eigenvalues of
#: a matrix of three times as many rows.
MOST_ATOMS = 500


class Bonds(Protocol):
    """Bonds as `structures.chemistry` gives them: pairs, and the cell of the second atom."""

    pairs: np.ndarray
    shifts: np.ndarray


class HydrogenBonds(Protocol):
    """Hydrogen bonds as `structures.chemistry` gives them."""

    hydrogen: np.ndarray
    acceptor: np.ndarray
    acceptor_shifts: np.ndarray


def internal_coordinates(
    frames: Atoms | Sequence[Atoms],
    bonds: Callable[[Atoms], Bonds],
    hydrogen_bonds: Callable[[Atoms], HydrogenBonds] | None = None,
) -> Coordinates:
    """The internal coordinates of a structure, or one set for all frames of a trajectory.

    Links that hold in any frame are coordinates in every frame, under one name: a hydrogen that
    changes its partner is a *shared proton* with both distances throughout. Where a link has
    loosened, its stiffness fades (see `model_stiffness`), so that nothing jumps.

    Which coordinates there are:

    - every bond, hydrogen bond and contact of atoms of different molecules
    - angles at every centre with at most six neighbours; three atoms near a line in any frame get
      two bends instead
    - one torsion for each bond, the mean of all dihedrals about it; chains of atoms on a line have
      one between the groups at their ends
    - out of plane at every centre with three neighbours
    - distance, tilts and turn of neighbouring molecules

    Where these leave out a motion that changes the shape of the first frame, neighbours are looked
    for farther out, and atoms of a crystal that share a neighbour are added.

    Args:
        frames: one structure, or frames of one system in order of time.
        bonds: the rule for a bond, as `structures.chemistry.bonds`.
        hydrogen_bonds: that for hydrogen bonds, as `structures.chemistry.hydrogen_bonds`; without
            it there are none.

    Raises:
        CoordinateError: no frames, or frames of different atoms.
    """
    frames = read_frames(frames)
    _check(frames)
    frames = unwrapped(frames)
    graph = graph_of(
        frames,
        [_links(bonds(a)) for a in frames],
        [_hydrogen_links(hydrogen_bonds(a)) if hydrogen_bonds else set() for a in frames],
    )
    inside = bonded(graph)
    coordinates = assembled(graph, inside, between_molecules(graph))
    missing = _missing(coordinates)
    for farther in FARTHER:
        if missing == 0:
            break
        wider = assembled(graph, inside, between_molecules(graph, farther))
        if (fewer := _missing(wider)) < missing:
            coordinates, missing = wider, fewer
    return coordinates


def _check(frames: list[Atoms]) -> None:
    if not frames or len(frames[0]) == 0:
        raise CoordinateError("internal coordinates need at least one frame with atoms")
    for number, frame in enumerate(frames):
        if not np.array_equal(frame.numbers, frames[0].numbers):
            raise CoordinateError(
                f"frame {number} ({frame.symbols}) holds other atoms than frame 0 "
                f"({frames[0].symbols}): one set of coordinates is for frames of one system"
            )


def _missing(coordinates: Coordinates) -> int:
    """Motions that change the shape of the first frame and no coordinate."""
    positions = coordinates.positions
    if not 1 < len(positions) <= MOST_ATOMS:
        return 0
    derivatives = coordinates.derivatives(positions)
    places = coordinates.put_together(positions)
    return span(derivatives, model_stiffness(coordinates, positions), places).missing


def _links(known: Bonds) -> set[Link]:
    return {link(i, j, s) for (i, j), s in zip(known.pairs, known.shifts, strict=True)}


def _hydrogen_links(known: HydrogenBonds) -> set[Link]:
    rows = zip(known.hydrogen, known.acceptor, known.acceptor_shifts, strict=True)
    return {link(i, j, s) for i, j, s in rows}
