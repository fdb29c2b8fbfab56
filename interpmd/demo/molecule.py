"""Malonaldehyde, whose proton jumps between two oxygen atoms."""

from __future__ import annotations

from ase import Atoms

#: Malonaldehyde (cis-enol) in Å: O=C-C=C-O-H, the proton last.
MALONALDEHYDE = Atoms(
    "OCCCOHHHH",
    positions=[
        [-1.261, 1.156, 0.0],
        [-1.193, -0.079, 0.0],
        [0.000, -0.880, 0.0],
        [1.205, -0.230, 0.0],
        [1.300, 1.083, 0.0],
        [-2.150, -0.630, 0.0],
        [-0.020, -1.960, 0.0],
        [2.160, -0.770, 0.0],
        [0.390, 1.480, 0.0],
    ],
)
FIRST, SECOND, PROTON = 0, 4, 8


def transfer_coordinate(atoms: Atoms) -> float:
    """r(H, second O) − r(H, first O) in Å: negative before the jump, positive after it."""
    return atoms.get_distance(PROTON, SECOND) - atoms.get_distance(PROTON, FIRST)
