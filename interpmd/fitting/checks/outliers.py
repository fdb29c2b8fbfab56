"""Frames whose labels do not fit those of all others, found before a fit is trusted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.fitting.checks import data
from interpmd.fitting.checks.finding import Finding, named
from interpmd.fitting.checks.outlying_stress import outlying_stress
from interpmd.fitting.checks.robust import deviation
from interpmd.fitting.checks.small_fit import SmallFit

#: Deviations by which a label is wrong beyond doubt.
DOUBTLESS = 25.0

#: Part of what a fit says that it may itself be wrong by: of energies, and of forces.
OF_ENERGY, OF_FORCES = 0.08, 0.3

#: Frames of one composition that can judge each other.
ENOUGH = 5

LEAVE_OUT = 'correct them, or leave these frames out: outliers="leave out"'


def check_outliers(
    frames: Sequence[Atoms], numbers: Sequence[int], fit: SmallFit, learned: Sequence[int]
) -> list[Finding]:
    """Frames whose energy, forces or stress do not fit those of all others.

    Args:
        frames: all with more than one atom. numbers: their indices in the data.
        fit: to some of them, solved. learned: their indices in the data.
    """
    places = np.asarray(numbers)
    there, seen = fit.beside(frames), np.isin(places, learned)
    return [
        *_energies(frames, places, there.left, there.fitted, seen),
        *_forces(frames, places, there.forces),
        *outlying_stress(frames, places, there.left, there.stresses, seen),
    ]


def _energies(
    frames: Sequence[Atoms],
    numbers: np.ndarray,
    left: np.ndarray,
    fitted: np.ndarray,
    learned: np.ndarray,
) -> list[Finding]:
    known = np.isfinite(left)
    if known.sum() < 2 * ENOUGH:
        return []
    typical = max(deviation(left[known]), 1e-4)
    group, sizes = _groups(frames)
    common = sizes[group] >= ENOUGH
    middle = np.array([np.median(fitted[group == g]) for g in range(len(sizes))])[group]
    per_atom = np.array([len(a) for a in frames])
    middle = np.where(common, middle, np.median(fitted / per_atom) * per_atom)
    # what is unlike all others is judged only where the fit has seen it
    own = [
        deviation(left[known & (group == g)]) if n >= ENOUGH else 0.0 for g, n in enumerate(sizes)
    ]
    usual = np.maximum(typical, np.array(own)[group])
    score = np.abs(left) / (usual + OF_ENERGY * np.abs(fitted - middle))
    judged = known & (common | (learned & (np.abs(left) > 1.0)))
    wrong = np.flatnonzero(judged & (score > DOUBTLESS))
    wrong = wrong[np.argsort(-score[wrong])]
    if not wrong.size:
        return []
    return [
        Finding(
            "outliers",
            f"the energies of {named(numbers[wrong])} are off by {_sizes(left[wrong], 'eV')}, "
            f"where those of others are off by {1e3 * typical:.3g} meV",
            LEAVE_OUT,
            tuple(numbers[wrong].tolist()),
        )
    ]


def _forces(
    frames: Sequence[Atoms], numbers: np.ndarray, predicted: Sequence[np.ndarray]
) -> list[Finding]:
    labels = data.forces(frames)
    mean = lambda x: np.sqrt((x**2).mean())  # noqa: E731
    size, given = np.array([mean(p) for p in predicted]), np.array([mean(f) for f in labels])
    off = np.array([mean(f - p) for f, p in zip(labels, predicted, strict=True)])
    both = np.array([(f * p).mean() for f, p in zip(labels, predicted, strict=True)])
    known = np.isfinite(given) & np.array([len(a) > 1 for a in frames])
    if known.sum() < 2 * ENOUGH or not size[known].any():
        return []
    with np.errstate(invalid="ignore", divide="ignore"):
        factor, alike = both / size**2, both / (size * given)
    typical = max(float(np.median(off[known])), 1e-4)
    group, sizes = _groups(frames)
    wrong_by = off / np.maximum(size, 1e-300)
    understood = np.array(
        [
            size_of >= ENOUGH
            and np.nanquantile(np.abs(alike[known & (group == g)]), 0.4, method="lower") > 0.9
            and np.nanquantile(wrong_by[known & (group == g)], 0.6, method="higher") < 0.4
            for g, size_of in enumerate(sizes)
        ]
    )[group]
    # two atoms push each other along one line: their forces are always alike
    usable = known & understood & (size > 5 * typical) & np.array([len(a) > 2 for a in frames])
    empty = usable & (given < 1e-9)
    scale = np.abs(np.log(np.maximum(np.abs(factor), 1e-300)))
    scaled = usable & ~empty & (np.abs(alike) > 0.8) & ((factor < 0) | (scale > 1.0))
    comparable = (given < 2 * size) & (size < 2 * given)
    strange = usable & ~empty & ~scaled & (alike < 0.2) & comparable
    huge = known & ~scaled & (off > DOUBTLESS * (typical + OF_FORCES * size))
    found = []
    for which, what in (
        (scaled, "{are} about {factor:.3g} times what all others say"),
        (empty, "{are} zero where others say {size:.2g} eV/Å"),
        (strange, "{have} nothing to do with what all others say"),
        (huge, "{are} off by {off:.3g} eV/Å, where those of others are off by {typical:.2g}"),
    ):
        wrong = np.flatnonzero(which)
        if wrong.size:
            values = {
                "factor": np.median(factor[wrong]),
                "size": np.median(size[wrong]),
                "off": np.max(off[wrong]),
            }
            words = what.format(are="are", have="have", typical=typical, **values)
            indices = tuple(numbers[wrong].tolist())
            what = f"the forces of {named(indices)} {words}"
            found.append(Finding("outliers", what, LEAVE_OUT, indices))
    return found


def _groups(frames: Sequence[Atoms]) -> tuple[np.ndarray, np.ndarray]:
    """Index of the composition of each frame, and frames of each composition."""
    kinds = [(np.bincount(a.numbers, minlength=1).tobytes(), a.pbc.tobytes()) for a in frames]
    index = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    group = np.array([index[kind] for kind in kinds])
    return group, np.bincount(group)


def _sizes(values: np.ndarray, unit: str) -> str:
    if len(values) == 1:
        return f"{values[0]:+.3g} {unit}"
    return f"{np.min(values):+.3g} to {np.max(values):+.3g} {unit}"
