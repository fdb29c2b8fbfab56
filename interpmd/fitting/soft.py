"""Forces that count by the energy that they are worth in a relaxation.

Near a minimum with Hessian H, forces that are wrong by g move it by H^-1 g and lower it by
g H^-1 g / 2. An error of 0.1 eV/Å along a bond is nothing then; along a torsion, or between atoms
that merely touch, it is a minimum of its own. Rows of forces F are turned to

    (1 + s^2 (H + h)^-1)^1/2 F

so that their squares are those of F and s^2 times those of (H + h)^-1/2 F. H is a model of springs
between bonded atoms and between neighbours of one atom, as in Lindh, Bernhardsson, Karlström,
Malmqvist, Chem. Phys. Lett. 241, 423 (1995), without its torsions, which h stands for.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.fitting.targets import Targets
from interpmd.structures.chemistry import bonds

#: Springs of bonds and between neighbours of one atom, and what all other motions have, in eV/Å².
BOND, ANGLE, SOFTEST = 30.0, 8.0, 1.0


def softened(
    atoms: Atoms,
    target: Targets,
    rows: Float[np.ndarray, "rows weights"],
    values: Float[np.ndarray, " rows"],
) -> tuple[Float[np.ndarray, "rows weights"], Float[np.ndarray, " rows"]]:
    """Weighted rows of a frame and their targets (energy, where it is known, and forces), of which
    those of forces count by what they are worth."""
    turn = softening(atoms, target)
    return (rows, values) if turn is None else _turned(turn, rows, values)


def hardened(
    atoms: Atoms,
    target: Targets,
    rows: Float[np.ndarray, "rows columns"],
    values: Float[np.ndarray, " rows"],
) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, " rows"]]:
    """Softened rows, and their targets, as they were."""
    turn = softening(atoms, target)
    return (rows, values) if turn is None else _turned(np.linalg.inv(turn), rows, values)


def _turned(
    turn: Float[np.ndarray, "components components"], rows: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and values of which those of forces, the last ones, are turned."""
    first = len(values) - len(turn)
    return (
        np.concatenate([rows[:first], turn.astype(rows.dtype) @ rows[first:]]),
        np.concatenate([values[:first], turn @ values[first:]]),
    )


def softening(atoms: Atoms, target: Targets) -> Float[np.ndarray, "components components"] | None:
    """What turns the rows of forces of a frame; None where they stay: in a cell, without labels of
    some forces, and without `soft_weight`."""
    free = len(atoms) > 1 and not atoms.pbc.any()
    if not target.soft_weight or not free or not np.isfinite(target.forces).all():
        return None
    sizes, directions = np.linalg.eigh(springs(atoms))
    lengths = np.sqrt(1.0 + target.soft_weight**2 / (sizes + SOFTEST))
    return (directions * lengths) @ directions.T


def springs(atoms: Atoms) -> Float[np.ndarray, "components components"]:
    """Hessian of the model, in eV/Å²."""
    count = len(atoms)
    bonded = np.zeros((count, count), dtype=bool)
    first, second = bonds(atoms).pairs.T
    bonded[first, second] = bonded[second, first] = True
    besides = (bonded.astype(int) @ bonded > 0) & ~bonded & ~np.eye(count, dtype=bool)
    between = atoms.positions[:, None] - atoms.positions
    unit = between / (np.linalg.norm(between, axis=-1) + np.eye(count))[..., None]
    stiffness = BOND * bonded + ANGLE * besides
    blocks = stiffness[..., None, None] * unit[..., :, None] * unit[..., None, :]
    hessian = -blocks
    hessian[np.arange(count), np.arange(count)] = blocks.sum(axis=1)
    return hessian.transpose(0, 2, 1, 3).reshape(3 * count, 3 * count)
