"""Stresses of single frames against what a small fit to energies and forces says of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.fitting.checks import data
from interpmd.fitting.checks.finding import Finding, named
from interpmd.fitting.checks.robust import deviation

#: Frames of about the volume of another (a part of it) that the fit has to have seen.
ALIKE, SEEN = 0.03, 3

#: Deviations of energies within which a fit knows a frame.
KNOWN = 4.0

#: Fewest stresses that can judge each other.
FEWEST = 8

CORRECT = 'correct {them}, leave {them} out, or the {frames}: outliers="leave out"'


def outlying_stress(
    frames: Sequence[Atoms],
    numbers: np.ndarray,
    left: np.ndarray,
    predicted: np.ndarray,
    learned: np.ndarray,
) -> list[Finding]:
    """Stresses that are of another sign or size than in all other frames.

    A single stress is judged only where a fit that never saw a stress knows the frame: by its
    energy, and by frames of about its volume. The mean pressure is taken from all.

    Args:
        frames: any. numbers: their indices in the data.
        left: energies less the fitted ones, eV.
        predicted: stresses of the fit in eV/Å³, shape (frames, 3, 3), not a number for molecules.
        learned: whether the fit has seen a frame.
    """
    given = np.array(data.stresses(frames))
    has = np.isfinite(given).all((1, 2)) & np.isfinite(predicted).all((1, 2))
    if has.sum() < FEWEST:
        return []
    # cells that are all alike do not tell a fit their pressure
    offset = np.median((given - predicted)[has], axis=0)
    expected = predicted + offset
    size, size_expected = _norm(given), _norm(expected)
    off = _norm(given - expected)
    typical = max(float(np.median(off[has])), 1e-9)
    judged = has & _understood(frames, left, learned & has)
    unknown = numbers[has & ~judged]
    empty = has & (size == 0) & (size[has].max() > 0)
    pushed = np.array([np.nan_to_num(f).any() for f in data.forces(frames)])
    zero = empty & (pushed | (judged & (size_expected > 8 * typical)))
    judged &= ~empty
    turned = _norm(given + expected)
    flipped = judged & (off > 4 * typical) & (turned < 0.5 * off)
    flipped &= (turned < 4 * typical) | (turned < 0.3 * size)
    huge = judged & ~flipped & (size > 10 * size_expected) & (size > 20 * typical)
    strange = judged & ~flipped & ~huge & (off > 20 * typical)
    strange &= off > np.maximum(size, size_expected)
    return [
        *_unchecked(unknown),
        *_found(numbers[zero], "zero, where forces or other frames say that it is not"),
        *_found(numbers[flipped], "of the wrong sign (pressure tensors) beside all others"),
        *_found(numbers[huge], "more than ten times what all others say; check its unit"),
        *_found(numbers[strange], "far from what energies and forces say"),
    ]


def _understood(frames: Sequence[Atoms], left: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Whether the fit knows a frame: by its energy, and by frames of its kind and volume."""
    known = np.isfinite(left)
    typical = max(deviation(left[known & seen]), 1e-4)
    per_atom = np.log([max(a.cell.volume, 1e-9) / len(a) for a in frames])
    kinds = [np.bincount(a.numbers).tobytes() for a in frames]
    kinds = np.array([kinds.index(kind) for kind in kinds])
    alike = np.array(
        [
            (seen & (kinds == kind) & (np.abs(per_atom - volume) < ALIKE)).sum()
            for kind, volume in zip(kinds, per_atom, strict=True)
        ]
    )
    return known & (np.abs(np.nan_to_num(left)) < KNOWN * typical) & (alike - seen >= SEEN)


def _unchecked(numbers: np.ndarray) -> list[Finding]:
    if not numbers.size:
        return []
    what = (
        f"the {'stresses' if numbers.size > 1 else 'stress'} of {named(numbers)} could not be "
        "checked one by one: too few other frames are like them"
    )
    return [Finding("stress", what, frames=tuple(numbers.tolist()), weight="note")]


def _found(numbers: np.ndarray, words: str) -> list[Finding]:
    if not numbers.size:
        return []
    many = numbers.size > 1
    what = f"the {'stresses' if many else 'stress'} of {named(numbers)} {'are' if many else 'is'}"
    advice = CORRECT.format(them="them" if many else "it", frames="frames" if many else "frame")
    return [Finding("outliers", f"{what} {words}", advice, tuple(numbers.tolist()))]


def _norm(tensors: np.ndarray) -> np.ndarray:
    return np.sqrt((tensors**2).sum((-2, -1)))
