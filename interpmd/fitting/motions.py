"""Rows of forces without those that say nothing: a free molecule does not push or turn itself.

The forces of every feature add up to nothing and have no torque, so that of the 3N rows of a
molecule only 3N - 6 say something. Turned to directions that are orthonormal and free of rigid
motions, these have the same X^T X and X^T y as all.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from jaxtyping import Float

#: Rigid motions that are smaller than this part of the largest (of atoms nearly in a line) stay.
LEAST = 1e-4

#: Atoms beyond which the turning would take as long as what it saves.
MOST_ATOMS = 50


def without_rigid_motions(
    atoms: Atoms,
    forces: Float[np.ndarray, "atoms 3"],
    rows: Float[np.ndarray, "rows weights"],
    values: Float[np.ndarray, " rows"],
) -> tuple[Float[np.ndarray, "fewer weights"], Float[np.ndarray, " fewer"]]:
    """Fewer rows of the same X^T X and X^T y.

    Args:
        atoms: a frame; in a cell, large, or without labels of some forces it keeps its rows.
        forces: their labels, NaN where there is none.
        rows, values: its weighted rows and their targets: energy, where it is known, and forces.
    """
    turn = turned(atoms, forces)
    if turn is None:
        return rows, values
    turn = turn.astype(rows.dtype)
    first = len(values) - turn.shape[1]
    return (
        np.concatenate([rows[:first], turn @ rows[first:]]),
        np.concatenate([values[:first], turn @ values[first:]]),
    )


def turned(
    atoms: Atoms, forces: Float[np.ndarray, "atoms 3"]
) -> Float[np.ndarray, "directions components"] | None:
    """What turns forces to directions free of rigid motions; None for frames that keep their rows.

    Args:
        atoms, forces: see `without_rigid_motions`.
    """
    free = 1 < len(atoms) <= MOST_ATOMS and not atoms.pbc.any()
    if not free or not np.isfinite(forces).all():
        return None
    return internal_directions(atoms.positions).T


def internal_directions(
    positions: Float[np.ndarray, "atoms 3"],
) -> Float[np.ndarray, "components directions"]:
    """Orthonormal displacements of free atoms that neither move nor turn the whole, as columns."""
    centred = positions - positions.mean(0)
    axes = np.eye(3)
    moved = [np.tile(axis, len(positions)) for axis in axes]
    turned = [np.cross(axis, centred).ravel() for axis in axes]
    left, sizes, _ = np.linalg.svd(np.array([*moved, *turned]).T, full_matrices=True)
    return left[:, int((sizes > LEAST * sizes[0]).sum()) :]
