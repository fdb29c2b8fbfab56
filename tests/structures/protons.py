"""Malonaldehyde with its proton at the jump, bonded to both oxygen atoms."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from interpmd.demo import FIRST, MALONALDEHYDE, PROTON, SECOND


def at_the_jump(first: float = 1.20, second: float = 1.24, apart: float = 2.42) -> Atoms:
    """Malonaldehyde with its proton at two distances in Å from the oxygen atoms, which are moved
    to stand `apart`; they come closer as a proton jumps."""
    atoms = MALONALDEHYDE.copy()
    across = atoms.positions[SECOND] - atoms.positions[FIRST]
    length = np.linalg.norm(across)
    across /= length
    atoms.positions[FIRST] += 0.5 * (length - apart) * across
    atoms.positions[SECOND] -= 0.5 * (length - apart) * across
    along = (first**2 - second**2 + apart**2) / (2 * apart)
    outwards = np.array([-across[1], across[0], 0.0])
    aside = np.sqrt(first**2 - along**2)
    atoms.positions[PROTON] = atoms.positions[FIRST] + along * across + aside * outwards
    return atoms
