"""Seals of frames in files: whether positions, energies and forces are those that were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.errors import LabelSealError, TrajectorySealError
from interpmd.storage import seal_of

#: Under which key of `info` the frames of a trajectory carry their step and seal.
STEP_KEY = "interpmd"

#: Under which key of `info` labelled frames in a file carry their seal.
LABEL_SEAL = "label_seal"

#: What else a label means, by keys of `info`.
MEANING = ("label_hash", "level", "code", "charge", "multiplicity")


def exact_seal(atoms: Atoms, words: str) -> str:
    """Seal of a frame to the last bit, and of some words."""
    return seal_of(words, *_parts(atoms, lambda array: (array + 0.0).astype("<f8")))[:32]


def rounded_seal(atoms: Atoms, words: str) -> str:
    """Seal of a frame as it stands in an extxyz file, to 1e-8, and of some words."""
    return seal_of(words, *_parts(atoms, lambda array: np.rint(array * 1e8).astype("<i8")))[:32]


def seal_label(atoms: Atoms) -> Atoms:
    """A labelled frame, as it was read from text, with its seal in `info`."""
    atoms.info.pop(LABEL_SEAL, None)
    # a word that is no number, whatever its digits
    atoms.info[LABEL_SEAL] = f"s{rounded_seal(atoms, _meaning(atoms))}"
    return atoms


def check_label(atoms: Atoms, where: str) -> bool:
    """Take the seal of a labelled frame off; whether it had one.

    Raises:
        LabelSealError: positions, energy, forces, level, ... are not those that were written.
    """
    seal = atoms.info.pop(LABEL_SEAL, None)
    if seal is not None and seal != f"s{rounded_seal(atoms, _meaning(atoms))}":
        raise LabelSealError(
            f"{where} was altered after it was labelled: structure, energy, forces and level do "
            f"not fit its seal; label it again, or remove {LABEL_SEAL}= from the file if you mean "
            "what it says now"
        )
    return seal is not None


def mark_step(atoms: Atoms, step: int, time: float, settings: str) -> None:
    """Give a frame of a trajectory its mark: step, time in fs, seal of the settings, and seal."""
    mark = {"step": int(step), "time_fs": float(time), "settings": settings}
    atoms.info[STEP_KEY] = mark | {"seal": exact_seal(atoms, repr(sorted(mark.items())))}


def take_mark(atoms: Atoms) -> dict[str, Any] | None:
    """Take the mark of a frame off; None if there is none, without "seal" if it does not fit."""
    mark = atoms.info.get(STEP_KEY)
    if not isinstance(mark, dict) or not {"step", "time_fs", "settings", "seal"} <= set(mark):
        return None
    del atoms.info[STEP_KEY]
    seal = mark.pop("seal")
    fits = seal == exact_seal(atoms, repr(sorted(mark.items())))
    return mark | {"seal": seal} if fits else mark


def check_seals(frames: Iterable[Atoms], where: str) -> None:
    """Check frames that were read from a file and carry seals, and take these off.

    Frames of trajectories then have their time in ``info["time_fs"]``.

    Raises:
        LabelSealError, TrajectorySealError: a frame is not what was written.
    """
    for index, atoms in enumerate(frames):
        name = f"{where}: frame {index}"
        check_label(atoms, name)
        if (mark := take_mark(atoms)) is not None:
            if "seal" not in mark:
                raise TrajectorySealError(f"{name} is not what was written: it was altered")
            atoms.info["time_fs"] = mark["time_fs"]


def _meaning(atoms: Atoms) -> str:
    return repr([str(atoms.info.get(key)) for key in MEANING])


def _parts(atoms: Atoms, numbers_of: Callable[[np.ndarray], np.ndarray]) -> list[bytes]:
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
