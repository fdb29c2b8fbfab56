"""Whether a structure is made of molecules, or of atoms: a crystal, a metal, a cluster of atoms."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from interpmd.structures.bonding import NOBLE_GASES
from interpmd.structures.chemistry import bonds, put_together

#: Elements of which covalent molecules are made: H, B, C, N, O, F, Si, P, S, Cl, Se, Br, I.
ORGANIC = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53)

#: Elements whose atoms by themselves make networks, not molecules: B, C, Si.
NETWORKS = frozenset((5, 6, 14))


def made_of_atoms(atoms: Atoms) -> bool:
    """Whether a structure is no molecule and none of molecules.

    That is where bonds have no end, where an element makes no covalent molecules, where nothing is
    bonded, and in pieces of a crystal of one element.
    """
    known = put_together(bonds(atoms), len(atoms))
    if known.endless or not np.isin(atoms.numbers, (*ORGANIC, *NOBLE_GASES)).all():
        return True
    return int(known.number.max(initial=-1)) + 1 == len(atoms) or _network(atoms)


def _network(atoms: Atoms) -> bool:
    """A piece of a crystal: atoms of one element that makes no molecules by itself, or most of
    which have three neighbours or more."""
    elements = set(atoms.numbers.tolist())
    if len(elements) > 1:
        return False
    if elements <= NETWORKS:
        return True
    if len(atoms) < 5:
        return False
    degrees = np.bincount(bonds(atoms).pairs.ravel(), minlength=len(atoms))
    return bool(np.mean(degrees >= 3) > 0.5)
