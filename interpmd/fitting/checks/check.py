"""All checks of the labels before a fit, in the order in which they make sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from ase import Atoms

from interpmd.fitting.checks.finding import Finding, named
from interpmd.fitting.checks.forces import check_forces
from interpmd.fitting.checks.information import (
    check_empty,
    check_energy_unit,
    check_lengths,
    check_pairs,
    check_weights,
)
from interpmd.fitting.checks.isolated import is_isolated
from interpmd.fitting.checks.outliers import ENOUGH, check_outliers
from interpmd.fitting.checks.sets import check_copies, check_levels, check_overlap, check_states
from interpmd.fitting.checks.small_fit import SmallFit
from interpmd.fitting.checks.stiffness import check_stiffness
from interpmd.fitting.checks.stress import check_stress

#: Most frames, and about as many atoms, that are looked at together.
FRAMES, ATOMS = 120, 1500

#: Part of the frames from which on suspected ones are no single structures unlike all others.
SOME = 0.08


@dataclass(frozen=True)
class DataCheck:
    """What the checks say of training data.

    Attributes:
        findings: everything that was found.
        left_out: indices of the frames to be left out, as asked.
        force_factor: on the forces, that agrees best with the energies; None if not determined.
    """

    findings: tuple[Finding, ...]
    left_out: tuple[int, ...] = ()
    force_factor: float | None = None


def check_data(
    frames: Sequence[Atoms],
    others: Mapping[str, Sequence[Atoms]] | None = None,
    *,
    isolated: Mapping[int, float] | None = None,
    cutoff: float = 5.0,
    level: str | None = None,
    weights: Mapping[str, float] | None = None,
    leave_out: bool = False,
    seed: int = 0,
) -> DataCheck:
    """Look for labels that lie: units, signs, outliers, copies, what does not belong together.

    Args:
        frames: training data. others: other sets by name.
        isolated: energies of isolated atoms that are known, eV by atomic number.
        cutoff: of the potential, Å.
        level: of theory, where the user says it.
        weights: of subsets, by name.
        leave_out: whether outliers are to be left out.
        seed: of the sample and of the radial network of the small fit.
    """
    others = others or {}
    numbers = [i for i, a in enumerate(frames) if not is_isolated(a)]
    used = [frames[i] for i in numbers]
    found = [
        *check_states(frames),
        *check_levels(frames, others, level),
        *check_copies(frames),
        *check_overlap(frames, others),
        *(check_empty(used, cutoff) if used else ()),
        *check_weights(frames, weights or {}),
    ]
    if not used or any(f.weight == "error" for f in found):
        return DataCheck(tuple(found))
    found += check_energy_unit(used, isolated or {})
    found += check_lengths(used)
    if not any(f.check == "units" for f in found):
        found += check_stiffness(used)
    found += check_pairs(used, cutoff)
    chosen = _sample(used, seed)
    sample, places = [used[i] for i in chosen], [numbers[i] for i in chosen]
    fit = _fitted(sample, cutoff, seed)
    forces = check_forces(sample, places, fit, used)
    found += forces.findings
    found += check_stress(sample, places, fit)
    left_out: set[int] = set()
    if fit is not None and not any(f.weight == "error" for f in found):
        outliers = check_outliers(used, numbers, fit, places)
        suspected = {numbers.index(i) for f in outliers if f.weight != "note" for i in f.frames}
        if 0 < len(suspected) < SOME * len(used):
            # what is unlike the sample may still be right: asked again among its own kind
            chosen = _with_their_kind(used, sorted(suspected), chosen)
            sample, places = [used[i] for i in chosen], [numbers[i] for i in chosen]
            if (again := _fitted(sample, cutoff, seed, doubt=1.0)) is not None:
                outliers = check_outliers(sample, places, again, places)
        if leave_out:
            left_out = {i for f in outliers if f.weight != "note" for i in f.frames}
            outliers = _said_to_be_left_out(outliers, left_out)
        found += outliers
    return DataCheck(tuple(found), tuple(sorted(left_out)), forces.factor)


def _fitted(
    sample: Sequence[Atoms], cutoff: float, seed: int, doubt: float = 2.0
) -> SmallFit | None:
    if len(sample) < ENOUGH:
        return None
    try:
        fit = SmallFit(sample, cutoff, seed)
        fit.solve(doubt=doubt)
    except scipy.linalg.LinAlgError:
        return None
    return fit


def _sample(frames: Sequence[Atoms], seed: int) -> list[int]:
    """Frames that stand for all: rare compositions first, up to half of them, then any."""
    order = np.random.default_rng(seed).permutation(len(frames)).tolist()
    kinds = [np.bincount(a.numbers).tobytes() for a in frames]
    counts: dict[bytes, int] = {}
    for kind in kinds:
        counts[kind] = counts.get(kind, 0) + 1
    rare = [i for i in order if counts[kinds[i]] < ENOUGH]
    return _as_far_as_they_fit(frames, (0.5, rare), (1.0, order))


def _as_far_as_they_fit(frames: Sequence[Atoms], *kinds: tuple[float, Sequence[int]]) -> list[int]:
    """Numbers of frames, those of each kind up to so many times `FRAMES` and `ATOMS` in all."""
    chosen: dict[int, None] = {}
    for part, candidates in kinds:
        for i in candidates:
            atoms = sum(len(frames[k]) for k in chosen)
            if len(chosen) >= part * FRAMES or atoms >= part * ATOMS:
                break
            chosen[i] = None
    return sorted(chosen)


def _with_their_kind(
    frames: Sequence[Atoms], suspected: Sequence[int], sample: Sequence[int]
) -> list[int]:
    """Suspected frames, others of their compositions, and the sample, as far as they fit."""
    kinds = [np.bincount(a.numbers).tobytes() for a in frames]
    wanted = {kinds[i] for i in suspected}
    kin = [i for i in range(len(frames)) if kinds[i] in wanted]
    kin = kin[:: max(1, len(kin) // FRAMES)]
    return _as_far_as_they_fit(frames, (1.0, suspected), (2.0, kin), (3.0, sample))


def _said_to_be_left_out(outliers: Sequence[Finding], frames: set[int]) -> list[Finding]:
    if not frames:
        return list(outliers)
    notes = [
        f if f.weight == "note" else replace(f, advice="left out, as asked", weight="note")
        for f in outliers
    ]
    what = f"{len(frames)} outliers are left out: {named(sorted(frames))}"
    return [Finding("outliers", what, frames=tuple(sorted(frames))), *notes]
