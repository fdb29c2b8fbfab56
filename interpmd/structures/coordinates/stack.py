"""Coordinates of many frames at once: of one molecule, several times faster than frame by frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from interpmd.structures.coordinates.coordinates import Coordinates, Members
from interpmd.structures.coordinates.stiffness import model_stiffness

#: Numbers in the derivatives of the frames that are evaluated together.
TOGETHER = 4_000_000


def changes(
    coordinates: Coordinates,
    positions: Float[np.ndarray, "frames atoms 3"],
    cells: Float[np.ndarray, "frames 3 3"] | None = None,
) -> Float[np.ndarray, "frames components"]:
    """What the components have changed by since the first frame, dihedrals the short way round
    from one frame to the next.

    Args:
        coordinates: made from all frames.
        positions: Å, unwrapped.
        cells: of every frame in Å; that of the coordinates if None.
    """
    boxes = [None] * len(positions) if cells is None else list(cells)
    steps = np.zeros((len(positions), len(coordinates.row)))
    for frame in range(1, len(positions)):
        steps[frame] = coordinates.change(
            positions[frame - 1], positions[frame], boxes[frame - 1], boxes[frame]
        )
    return np.cumsum(steps, axis=0)


def on_frames(
    coordinates: Coordinates, positions: Float[np.ndarray, "frames atoms 3"]
) -> tuple[
    Float[np.ndarray, "frames components"],
    Float[np.ndarray, "frames components atoms 3"],
    Float[np.ndarray, "frames components"],
]:
    """Changes since the first frame, derivatives and stiffnesses of the components.

    The frames have the cell of the coordinates; see `changes`, `Coordinates.derivatives` and
    `model_stiffness` for what is returned.

    Raises:
        CoordinateError: positions of another number of atoms, not finite, or two on one place.
    """
    positions = np.asarray(positions, dtype=float)
    if len(coordinates.pairs.pairs):  # whole molecules against each other: frame by frame
        derivatives = np.stack([coordinates.derivatives(x) for x in positions])
        stiffnesses = np.stack([model_stiffness(coordinates, x) for x in positions])
        return changes(coordinates, positions), derivatives, stiffnesses
    size = max(1, TOGETHER // max(1, len(coordinates.row) * positions[0].size))
    raw, derivatives, stiffnesses = [], [], []
    for start in range(0, len(positions), size):
        part = positions[start : start + size]
        values, slopes = _evaluated(coordinates, part)
        raw.append(values)
        derivatives.append(slopes)
        stiffnesses.append(_stiffness(coordinates, part))
    values = np.concatenate(raw)
    steps = np.diff(values, axis=0, prepend=values[:1])
    where = coordinates.dihedrals_at()
    steps[:, where] -= 2 * np.pi * np.round(steps[:, where] / (2 * np.pi))
    moved = np.cumsum(np.stack([coordinates.averaged(step) for step in steps]), axis=0)
    return moved, np.concatenate(derivatives), np.concatenate(stiffnesses)


def _evaluated(c: Coordinates, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Raw values, with every dihedral for itself, and derivatives of the components."""
    count, atoms = positions.shape[:2]
    values, first = [], 0
    matrix = np.zeros((count, len(c.row), atoms, 3))
    for members, formula, width in c.forms():
        x = positions[:, members.atoms] + members.shifts @ c.cell
        value, slope = formula(x.reshape(-1, *x.shape[2:]))
        values.append(value.reshape(count, -1))
        slope = slope.reshape(count, width * len(members), *x.shape[2:])
        rows = np.arange(width * len(members))
        of_atoms = np.repeat(members.atoms, width, axis=0)
        if members is c.dihedrals:
            rows, slope = c.torsion, slope * c.share()[:, None, None]
        for member in range(of_atoms.shape[1]):
            np.add.at(matrix, (slice(None), first + rows, of_atoms[:, member]), slope[:, :, member])
        first += len(np.unique(rows))
    if not np.isfinite(matrix).all():
        bad = np.flatnonzero(~np.isfinite(matrix).all((1, 2, 3)))[0]
        c.evaluate(positions[bad])  # says which atoms lie on top of each other
    return np.concatenate(values, axis=1), matrix


def _stiffness(c: Coordinates, positions: np.ndarray) -> np.ndarray:
    """The frames side by side as one structure, whose coordinates are those of each."""
    count, atoms = positions.shape[:2]

    def several(members: Members) -> Members:
        shift = atoms * np.arange(count)[:, None, None]
        width = members.atoms.shape[1]
        return Members(
            (members.atoms + shift).reshape(-1, width), np.tile(members.shifts, (count, 1, 1))
        )

    names = ("stretches", "angles", "bends", "lone_bends", "dihedrals", "planes")
    side_by_side = replace(
        c,
        numbers=np.tile(c.numbers, count),
        torsion=(c.torsion + c.torsions * np.arange(count)[:, None]).ravel(),
        loose=np.tile(c.loose, count),
        **{name: several(getattr(c, name)) for name in names},
    )
    flat = model_stiffness(side_by_side, positions.reshape(-1, 3))
    bends = len(c.bends) + len(c.lone_bends)
    sizes = [len(c.stretches), len(c.angles)]
    sizes += [2 * len(c.bends), 2 * bends - 2 * len(c.bends), c.torsions, len(c.planes)]
    ends = np.cumsum([size * count for size in sizes])[:-1]
    parts = [part.reshape(count, -1) for part in np.split(flat, ends)]
    return np.concatenate(parts, axis=1)
