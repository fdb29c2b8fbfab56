"""How many weights: several times more than there are labels, where labels are few.

Random features of a strong enough prior are the better the more of them there are: on the way to
ever more the fit goes to one with a kernel (Rahimi and Recht, NIPS 20 (2007)). It is worst where
there are as many weights as labels, which then can just be interpolated, with no freedom left to do
so smoothly (Belkin, Hsu, Ma and Mandal, PNAS 116, 15849 (2019)).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms

from interpmd.fitting import labels
from interpmd.fitting.least_rows import of_atoms
from interpmd.fitting.normal import GIB, has_forces
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec
from interpmd.potentials.fast import available

#: Weights for each label where labels are few, and how many weights are that at most: more cost
#: more than they bring.
TIMES, MANY = 4, 6_000

#: Rounds in which the channels of many labels are refined.
ROUNDS = 3

#: Part of the frames that is held out; of so many frames that refine channels it is less.
HELD_OUT, HELD_OUT_OF_MANY, MANY_FRAMES = 0.1, 0.05, 200


def usual_validation(frames: int, refined: bool) -> float:
    """Part of so many frames that is held out if it is not said: it teaches channels nothing."""
    return HELD_OUT_OF_MANY if refined and frames >= MANY_FRAMES else HELD_OUT


def usual_rounds(
    frames: Sequence[Atoms], elements: Iterable[int], spec: Spec, settings: FitSettings
) -> int:
    """Rounds in which channels are refined if it is not said: `ROUNDS` or none.

    They are where molecules, of which it was measured, have more energies and forces than the usual
    number of weights; not where the number of channels or weights is given, where labels count in
    other ways (`mean_weight`, `soft_weight`), on a GPU, or without numba.

    Args:
        frames: training frames.
        elements: atomic numbers.
        spec, settings: of the fit, as they were given.
    """
    asked = spec.weights is not None or spec.channels is not None
    other = settings.mean_weight is not None or settings.soft_weight or settings.device != "cpu"
    if asked or other:
        return 0
    if any(atoms.pbc.any() for atoms in frames) or of_atoms(frames):
        return 0
    known = sum(label_count(atoms) for atoms in frames)
    return ROUNDS if known >= spec.size(len(list(elements))) and available() else 0


def choose_size(
    frames: Sequence[Atoms],
    elements: Iterable[int],
    spec: Spec,
    settings: FitSettings,
    refined: bool = False,
) -> Spec:
    """The spec with as many weights as are worth their time.

    Where there are more labels than weights nothing changes. Else there are as many weights as
    labels, or, up to `MANY`, `TIMES` as many. A number of weights that was asked for is kept.

    A member of refined channels has half of that, and at most half as many weights as labels.

    Args:
        frames: training frames.
        elements: atomic numbers.
        spec, settings: of the fit.
        refined: whether channels whose number was not asked for are refined.
    """
    known = sum(label_count(atoms) for atoms in frames)
    if refined and spec.weights is None:
        most = min(spec.size(len(list(elements))), known) // 2
        return replace(spec, weights=max(1, most))
    full = len(spec.expansion(elements, settings.seed).columns)
    if spec.weights is not None or full <= known:
        return spec
    fits = int(np.sqrt(max(settings.memory * GIB / 16, 1)))  # with as much again for blocks
    more = min(TIMES * known, MANY, fits)
    return replace(spec, weights=min(full, max(known, more)))


def label_count(atoms: Atoms) -> int:
    """Number of energies, force components and stress components of a frame."""
    count = int(np.isfinite(labels.energy_of(atoms)))
    if has_forces(atoms):
        count += int(np.isfinite(labels.forces([atoms])).sum())
    return count + 9 * labels.has_stress(atoms)
