"""Stress against energies and forces: its sign, its unit, and whether it is a virial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from interpmd.fitting.checks.finding import Finding, named
from interpmd.fitting.checks.forces import FEWEST
from interpmd.fitting.checks.pairs import similar
from interpmd.fitting.checks.robust import Slope, slope
from interpmd.fitting.checks.small_fit import SmallFit
from interpmd.fitting.checks.units import ONE, explanations_of_stress, nearest

#: A factor is believed if at most this part is left.
BELIEVED = 0.6

#: A strain that shows how energies depend on the cell.
STRAINED = 3e-3

#: Places of yz, xz, xy in ASE's order, and where other codes put them.
ORDERS = {"xx, yy, zz, xy, yz, xz": (2, 0, 1), "xx, yy, zz, xy, xz, yz": (2, 1, 0)}

SIGN = "the stress seems to have the wrong sign (it is a pressure tensor); multiply it by -1"


def check_stress(
    frames: Sequence[Atoms], numbers: Sequence[int], fit: SmallFit | None
) -> list[Finding]:
    """Compare stresses with what energies and forces say of a change of the cell.

    Args:
        frames: a sample. numbers: their indices in the data.
        fit: a small fit to their energies and forces, solved; None if it cannot be made.
    """
    if fit is None:
        return []
    has = [i for i, s in enumerate(fit.stresses) if np.isfinite(s).all()]
    if not has:
        return []
    given = np.array([fit.stresses[i] for i in has])
    if not np.abs(given).max() > 1e-12:
        return _zero(np.asarray(numbers)[has])
    volumes = np.array([frames[i].get_volume() for i in has])[:, None, None]
    expected = _expected(fit, has, volumes)
    varied = _varied([frames[i] for i in has])
    shift = 0.0 if varied else 1.0  # one cell says nothing of the mean pressure

    def against(labels: np.ndarray) -> Slope:
        moved = (values - shift * values.mean(0) for values in (labels, expected))
        return slope(*(values.ravel() for values in moved), 3 * len(has))

    found = min(against(given), _by_strain([frames[i] for i in has]), key=_doubt)
    # frames of one cell say little of what a change of the cell costs
    right = found.value > 0 and abs(np.log(found.value)) < (ONE if varied else 1.2)
    if not (right and _trusted(found)):
        by_virial = against(given / volumes)
        if _trusted(by_virial) and abs(np.log(abs(by_virial.value))) < ONE:
            # volumes that are all alike do not tell a volume from a unit
            _, off = nearest(found.value, explanations_of_stress(), SIGN)
            clearer = by_virial.left < 0.8 * found.left
            if clearer or abs(np.log(abs(by_virial.value))) < off:
                return [_virial(by_virial.value)]
    if (order := _order(given, expected)) is not None:
        return [order]
    if not _trusted(found):
        return [
            Finding(
                "stress",
                f"whether the stress of {len(has)} frames agrees with the energies could not be "
                "checked: their cells are too alike, or the frames too few",
                weight="note",
            )
        ]
    return [] if right else _judged(found)


def _doubt(found: Slope) -> float:
    """Small for a factor that is well known."""
    return found.left if _trusted(found) else 1e3 + found.left


def _judged(found: Slope) -> list[Finding]:
    words, off = nearest(found.value, explanations_of_stress(), SIGN)
    if off > 0.2 and found.value > 0:
        words = "check its unit: eV/Å³"
    what = f"stress and energies disagree: they agree with {found.value:.3g} times the stress"
    return [Finding("stress", what, words, weight="error")]


def _virial(sign: float) -> Finding:
    what = "the stress seems to be a virial in eV, " + (
        "with the sign of a stress" if sign > 0 else "minus the stress times the volume"
    )
    advice = f"divide it by {'' if sign > 0 else 'minus '}the volume of the cell"
    return Finding("stress", what, advice, weight="error")


def _by_strain(frames: Sequence[Atoms]) -> Slope:
    """From energy differences of frames whose cells differ, less the work of the forces."""
    pairs = similar(frames)
    some = pairs.strained & np.isfinite(pairs.stress_work) & np.isfinite(pairs.force_work)
    count = len(np.unique(np.concatenate([pairs.first[some], pairs.second[some]])))
    left = pairs.energy - pairs.force_work
    return slope(pairs.stress_work[some], left[some], count)


def _trusted(found: Slope) -> bool:
    return found.count >= 2 * FEWEST and found.known(0.15) and found.left < BELIEVED


def _expected(fit: SmallFit, has: Sequence[int], volumes: np.ndarray) -> np.ndarray:
    virials = fit.virials()
    return -np.array([virials[i] for i in has]) / volumes


def _varied(frames: Sequence[Atoms]) -> bool:
    """Whether cells are strained against each other, so that energies know the pressure."""
    strains = [
        np.linalg.solve(a.cell.array, b.cell.array) - np.eye(3)
        for a, b in zip(frames, frames[1:], strict=False)
        if len(a) == len(b)
    ]
    return bool(strains) and float(np.median([np.abs(s).max() for s in strains])) > STRAINED


def _order(given: np.ndarray, expected: np.ndarray) -> Finding | None:
    """Whether shear components stand in another code's order."""
    shear = [5, 2, 1]  # yz, xz, xy of the nine
    here, there = (x.reshape(-1, 9)[:, shear] for x in (given, expected))
    here, there = here - here.mean(0), there - there.mean(0)
    own = slope(here.ravel(), there.ravel())
    if own.left < 0.7:
        return None
    for order, places in ORDERS.items():
        # in that order the place of yz holds what `places` says
        other = slope(here.ravel(), there[:, places].ravel())
        if own.left > 1.3 * other.left and other.left < BELIEVED and other.known(0.15):
            return Finding(
                "stress",
                f"the shear components of the stress stand in the order {order}",
                "ASE's order is xx, yy, zz, yz, xz, xy",
                weight="error",
            )
    return None


def _zero(numbers: np.ndarray) -> list[Finding]:
    return [
        Finding(
            "stress",
            f"the stress is zero in all of {named(numbers)}",
            "if it was not computed, leave it out",
            tuple(numbers.tolist()),
        )
    ]
