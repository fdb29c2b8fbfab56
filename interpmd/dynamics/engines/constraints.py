"""Constraints of ASE as other engines take them."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixBondLengths

from interpmd.errors import ArgumentError


def held(
    atoms: Atoms, engine: str, lengths_too: bool = True
) -> tuple[list[int], list[tuple[int, int, float]]]:
    """Atoms that stay where they are, and pairs at fixed distances (Å).

    Args:
        atoms: with constraints of ASE.
        engine: its name, for the error.
        lengths_too: whether the engine can fix distances.

    Raises:
        ArgumentError: a constraint that the engine does not know.
    """
    fixed: list[int] = []
    lengths: list[tuple[int, int, float]] = []
    for constraint in atoms.constraints:
        if isinstance(constraint, FixAtoms):
            fixed += constraint.index.tolist()
        elif isinstance(constraint, FixBondLengths) and lengths_too:
            given = constraint.bondlengths
            if given is None:
                given = np.array([atoms.get_distance(*p, mic=True) for p in constraint.pairs])
            pairs = zip(constraint.pairs, given, strict=True)
            lengths += [(int(a), int(b), float(length)) for (a, b), length in pairs]
        else:
            raise ArgumentError(
                f"engine={engine!r} does not know the constraint {type(constraint).__name__}; take "
                "engine='ase'"
            )
    return fixed, lengths


def only_simple(atoms: Atoms) -> bool:
    """Whether all constraints are of the kinds that `held` knows."""
    return all(isinstance(each, FixAtoms | FixBondLengths) for each in atoms.constraints)
