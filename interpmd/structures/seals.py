"""Seals of frames in files: whether positions, energies and forces are those that were written."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from interpmd.storage import seal_of

#: Under which key of `info` the frames of a trajectory carry their step and seal.
STEP_KEY = "interpmd"


def exact_seal(atoms: Atoms, words: str) -> str:
    """Seal of a frame to the last bit, and of some words."""
    return seal_of(words, *_parts(atoms, lambda array: (array + 0.0).astype("<f8")))[:32]


def rounded_seal(atoms: Atoms, words: str) -> str:
    """Seal of a frame as it stands in an extxyz file, to 1e-8, and of some words."""
    return seal_of(words, *_parts(atoms, lambda array: np.rint(array * 1e8).astype("<i8")))[:32]


def _parts(atoms: Atoms, numbers_of) -> list[bytes]:
    """Everything that was computed or that a computation began with, as bytes."""
    results = {} if atoms.calc is None else atoms.calc.results
    arrays = {
        "numbers": atoms.numbers,
        "positions": atoms.positions,
        "cell": atoms.cell.array,
        "pbc": atoms.pbc.astype(int),
        **({"momenta": atoms.get_momenta()} if atoms.has("momenta") else {}),
        **{name: results[name] for name in ("energy", "forces", "stress") if name in results},
    }
    parts = []
    for name, array in arrays.items():
        parts += [name.encode(), numbers_of(np.asarray(array, dtype=float)).tobytes()]
    return parts
