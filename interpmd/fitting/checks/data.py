"""Labels of frames as arrays, not a number where a frame lacks them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.stress import voigt_6_to_full_3x3_stress

from interpmd.structures.files.keys import results_of


def energies(frames: Sequence[Atoms]) -> np.ndarray:
    """Energies in eV, shape (frames,)."""
    return np.array([_number(results_of(a).get("energy")) for a in frames], dtype=float)


def forces(frames: Sequence[Atoms]) -> list[np.ndarray]:
    """Forces in eV/Å, each of shape (atoms, 3)."""
    return [_array(results_of(a).get("forces"), (len(a), 3)) for a in frames]


def stresses(frames: Sequence[Atoms]) -> list[np.ndarray]:
    """Stresses in eV/Å³ of frames periodic in all directions, each of shape (3, 3)."""
    found = []
    for atoms in frames:
        stress = results_of(atoms).get("stress") if atoms.pbc.all() else None
        if stress is not None and np.shape(stress) == (6,):
            stress = voigt_6_to_full_3x3_stress(np.asarray(stress, dtype=float))
        found.append(_array(stress, (3, 3)))
    return found


def _number(value: object) -> float:
    return np.nan if value is None else float(np.asarray(value, dtype=float).reshape(-1)[0])


def _array(value: object, shape: tuple[int, ...]) -> np.ndarray:
    if value is None or np.size(value) != np.prod(shape):
        return np.full(shape, np.nan)
    return np.asarray(value, dtype=float).reshape(shape)
