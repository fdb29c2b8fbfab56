"""Forces against energies: whether they are minus its gradient, in eV and Å, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from ase import Atoms

from interpmd.fitting.checks import data
from interpmd.fitting.checks.finding import Finding, named
from interpmd.fitting.checks.pairs import Pairs, similar
from interpmd.fitting.checks.robust import Slope, slope
from interpmd.fitting.checks.small_fit import SmallFit
from interpmd.fitting.checks.units import ONE, explanations_of_forces, nearest

#: A factor is believed if at most this part of the energy differences is left.
BELIEVED = 0.5

#: A factor that leaves at most this part is exact enough to name a unit by.
CLEAR = 0.3

#: Frames so near each other (root mean square displacement, Å) that a chord is an arc.
NEAR = 0.2

#: And so near (Å) that one is a copy of the other, which says nothing of forces.
COPIES = 1e-6

#: Least part of the variance of forces that a small fit explains where they are forces.
EXPLAINED = 0.4

#: The same where its factor is believed of few frames, and where energies and forces are said to
#: be unrelated.
SOME, MOST = 0.6, 0.85

#: Fewest frames that a factor can be told from.
FEWEST = 4

#: Of fewer, factors about one and shifts may be chance, as they are for 3 % of correct labels of
#: eight or nine structures: nobody is refused for them. A small fit to so many or fewer explains
#: little, too, but seldom less than `NOTHING` of correct forces.
CHANCE, NOTHING = 12, 0.1

#: Forces (root mean square, eV/Å) of structures that were relaxed.
WEAK = 0.1

#: So many frames or more bear a verdict that is not plain.
MANY = 40


@dataclass(frozen=True)
class ForceCheck:
    """What energies say of forces.

    Attributes:
        findings: what is wrong, or that it could not be determined.
        factor: on the forces, that agrees best with the energies; None if not determined.
    """

    findings: tuple[Finding, ...]
    factor: float | None


def check_forces(
    frames: Sequence[Atoms],
    numbers: Sequence[int],
    fit: SmallFit | None,
    order: Sequence[Atoms] = (),
) -> ForceCheck:
    """Compare energy differences with the work of the forces.

    Args:
        frames: a sample. numbers: their indices in the data.
        fit: a small fit to them, solved; None if it cannot be made.
        order: all frames in the order of the data, to see whether energies are shifted.
    """
    pairs = similar(frames)
    forces = [f for f in data.forces(frames) if np.isfinite(f).all()]
    if not forces or not np.isfinite(data.energies(frames)).any():
        return ForceCheck((_unchecked("energies or forces are missing"),), None)
    pushed = fit is None or fit.free_to_push.any()
    if not pushed or all(np.abs(f).max() < 1e-6 for f in forces):
        return ForceCheck(_zero(frames, numbers, fit), None)
    by_pairs, by_fit = _by_pairs(pairs), _by_fit(fit)
    near = pairs.distance[~pairs.strained]
    close = len(near) > 0 and bool(np.median(near) < NEAR) and _near(pairs).count >= 2 * FEWEST
    # a fit that does not know the forces does not know what they say of energies
    knows = 0.0 if fit is None else fit.explained
    plain = by_fit.count >= MANY or not 0.3 < by_fit.value < 3.0
    # energies of many molecules may be beyond a small fit; near pairs of one molecule are not
    vouched = close and _believed(by_pairs) and abs(np.log(max(by_pairs.value, 1e-9))) < ONE
    unrelated = _unrelated(by_fit) and knows > MOST and not vouched
    # five or six energies are explained by chance, with a factor that is too small
    few = by_fit.count < 2 * FEWEST and 0.1 < abs(by_fit.value) < 3.0
    if (_believed(by_fit) and not few and (plain or knows > SOME)) or unrelated:
        return _judged(by_fit, order, fit)
    beyond = _beyond_a_small_fit(frames, by_fit)
    # chords between frames that are far apart are unrelated to anything, of a few frames above all
    if (_believed(by_pairs) and not beyond and (close or by_pairs.count >= 2 * FEWEST)) or (
        close and _unrelated(by_pairs) and not _in_sympathy(by_fit)
    ):
        return _judged(by_pairs, order, fit)
    if (step := _shift(order, by_fit)) is not None:
        return ForceCheck((_shifted(step, len(frames)),), None)
    told = fit is not None and fit.has_forces.sum() >= 2 * FEWEST and not beyond
    if fit is not None and told and fit.explained < _least(fit):
        kinds = len({atoms.get_chemical_formula() for atoms in frames})
        sure = fit.explained < 0.25 and len(frames) >= max(FEWEST * kinds, CHANCE)
        finding = Finding(
            "forces",
            "the forces have nothing to do with the positions: a fit to them explains "
            f"{max(0.0, fit.explained):.0%} of their variance",
            "see whether they belong to other frames or to other atoms",
            # few frames that have little in common may be beyond a small fit
            weight="error" if len(frames) >= MANY or sure else "warning",
        )
        return ForceCheck((finding,), None)
    if (
        close
        and by_pairs.count >= 2 * FEWEST
        and abs(by_pairs.value) < 0.3
        and by_pairs.error < 0.15
        and not (fit is not None and by_fit.left < BELIEVED)
    ):
        return _judged(replace(by_pairs, left=1.0), order, fit)
    why = f"{len(frames)} frames are too few" if len(frames) < FEWEST else "they are too unlike"
    if _in_sympathy(by_fit):
        return ForceCheck((_unchecked(f"{why}; their sign is right"),), by_fit.value)
    return ForceCheck((_unchecked(why),), None)


def _least(fit: SmallFit) -> float:
    """Least part that the fit explains of forces that are forces; noise it explains in part."""
    if fit.has_forces.sum() <= CHANCE:
        return NOTHING
    rows = 3 * fit.n_atoms[fit.has_forces].sum()
    return max(EXPLAINED, 0.25 + 1.2 * min(fit.size / max(rows, 1), 0.4))


def _by_pairs(pairs: Pairs) -> Slope:
    """By near pairs where there are some: others may be isomers, or different conformers."""
    near = _near(pairs)
    return near if near.count >= 2 * FEWEST else _slope_of(pairs, np.inf)


def _near(pairs: Pairs) -> Slope:
    return _slope_of(pairs, NEAR)


def _slope_of(pairs: Pairs, within: float) -> Slope:
    same = ~pairs.strained & np.isfinite(pairs.energy) & np.isfinite(pairs.force_work)
    same &= (pairs.distance < within) & (pairs.distance > COPIES)
    frames = len(np.unique(np.concatenate([pairs.first[same], pairs.second[same]])))
    return slope(pairs.force_work[same], pairs.energy[same], frames)


def _by_fit(fit: SmallFit | None) -> Slope:
    if fit is None or fit.known.sum() < FEWEST or not fit.has_forces.any():
        return Slope(np.nan, np.inf, 1.0, 0)
    return slope(fit.v_f[fit.known], fit.u[fit.known])


def _believed(found: Slope) -> bool:
    """Whether a factor is known, and leaves little."""
    return found.count >= FEWEST and found.known(0.15) and found.left < BELIEVED


def _unrelated(found: Slope) -> bool:
    """Whether energies have nothing to do with forces: the factor is known to be about zero."""
    known = found.count >= 2 * FEWEST and found.error < 0.1
    return known and abs(found.value) < 0.2 and found.left > 0.9


def _in_sympathy(found: Slope) -> bool:
    """Whether energies rise where forces say so, by however much."""
    return found.value > 0.3 and found.known(0.25)


def _beyond_a_small_fit(frames: Sequence[Atoms], by_fit: Slope) -> bool:
    """Whether frames are of so many molecules, or forces so nearly nothing, that a small fit
    explains little and chords are no arcs, while energies rise about as forces say."""
    kinds = len({atoms.get_chemical_formula() for atoms in frames})
    forces = [f.ravel() for f in data.forces(frames) if np.isfinite(f).all()]
    weak = np.sqrt(np.mean(np.concatenate(forces) ** 2)) < WEAK
    about = _in_sympathy(by_fit) and 0.5 < by_fit.value < 2.0 and by_fit.count >= MANY
    return about and (weak or len(frames) < FEWEST * kinds)


def _judged(found: Slope, order: Sequence[Atoms], fit: SmallFit | None) -> ForceCheck:
    """What a factor that is known says."""
    # what a small fit cannot explain makes factors smaller than they are
    agrees = ONE if found.left < CLEAR else 0.9
    if found.value > 0 and abs(np.log(found.value)) < agrees:
        return ForceCheck((), found.value)
    size = f"true energy differences are {found.value:.3g} times those that the forces imply"
    if found.left > BELIEVED:
        shift = _shift(order, found)
        advice = "see whether energies and forces are of the same frames"
        what = f"energies and forces disagree: {size}"
        finding = Finding("forces", what, advice, weight=_weight(found))
        if shift is not None:
            finding = _shifted(shift, found.count)
        return ForceCheck((finding,), found.value)
    sign = "the forces seem to have the wrong sign (gradients); multiply them by -1"
    words, off = nearest(found.value, explanations_of_forces(), sign)
    if off < 0.2 or off < 3 * found.error / abs(found.value):
        advice = words
    elif found.value < 0:
        advice = f"{sign}, and check the units"
    else:
        advice = "check the units: eV and eV/Å"
    severe = found.value < 0 or abs(np.log(found.value)) > 0.5 or off < 0.1
    if not severe and found.count < MANY:
        return ForceCheck((), found.value)
    what = f"energies and forces disagree: {size}"
    weight = _weight(found) if severe else "warning"
    return ForceCheck((Finding("forces", what, advice, weight=weight),), found.value)


def _weight(found: Slope) -> Literal["error", "warning"]:
    """A factor about one of so few frames may be chance."""
    return "warning" if found.count < CHANCE and 0.1 < found.value < 3.0 else "error"


def _shift(order: Sequence[Atoms], now: Slope) -> int | None:
    """By how many frames energies are shifted against forces, if that makes them agree, and leaves
    half or less of what they leave where they are (`now`)."""
    frames = [a for a in order if len(a) > 1]
    energies = data.energies(frames)
    best = None
    kinds = [a.numbers.tobytes() for a in frames]
    for step in (1, -1):
        moved = [
            _with_energy(a, energies[(i + step) % len(frames)])
            for i, a in enumerate(frames)
            if kinds[i] == kinds[(i + step) % len(frames)]
        ]
        if len(moved) < 2 * FEWEST:
            continue
        fit = SmallFit(moved[:120])
        fit.solve()
        found = _by_fit(fit)
        agrees = found.value > 0.5 and found.left < BELIEVED * min(now.left, 1.0)
        if agrees and (best is None or found.left < best[0]):
            best = found.left, -step
    return None if best is None else best[1]


def _shifted(step: int, frames: int) -> Finding:
    return Finding(
        "forces",
        f"energies and forces disagree: the energies seem to be shifted by {step:+d} frame",
        "give each frame its own energy",
        weight="warning" if frames < CHANCE else "error",
    )


def _with_energy(atoms: Atoms, energy: float) -> Atoms:
    from ase.calculators.singlepoint import SinglePointCalculator

    frame = atoms.copy()
    results = {} if atoms.calc is None else dict(atoms.calc.results)
    frame.calc = SinglePointCalculator(frame, **{"energy": energy, "forces": results["forces"]})
    return frame


def _zero(
    frames: Sequence[Atoms], numbers: Sequence[int], fit: SmallFit | None
) -> tuple[Finding, ...]:
    """Forces that are all zero: by symmetry, or because nobody filled them in."""
    if fit is None:
        return (_unchecked("all forces are zero"),)
    free = fit.free_to_push
    if not free.any():
        return (
            Finding(
                "forces",
                f"the forces of all {len(frames)} frames are zero by symmetry and carry no "
                "information: how the energy changes as atoms leave their places is not determined",
                "add frames whose atoms are displaced",
            ),
        )
    where = np.asarray(numbers)[free]
    return (
        Finding(
            "forces",
            f"all forces are zero, also in {named(where)}, where no symmetry makes them so",
            "they were not filled in; leave the forces out, or label these frames again",
            tuple(where.tolist()),
            "error",
        ),
    )


def _unchecked(why: str) -> Finding:
    return Finding(
        "forces", f"whether forces agree with energies could not be checked: {why}", weight="note"
    )
