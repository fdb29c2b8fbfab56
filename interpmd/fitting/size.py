"""How many weights: no more than there are labels, and of those as many as help on new frames."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from ase import Atoms

from interpmd.errors import LabelWarning, SingularError
from interpmd.fitting import labels
from interpmd.fitting.judges import Judges
from interpmd.fitting.normal import NormalEquations, column_scales, first_channels, has_forces
from interpmd.fitting.problem import RIDGES, Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec
from interpmd.potentials.potential import Potential

#: Parts of the weights that are tried where there are more weights than labels.
PARTS = (1.0, 0.5, 0.25, 0.125)

#: Fewer weights are preferred as long as the validation error is within this factor of the least.
TOLERANCE = 1.02


def choose_size(
    frames: Sequence[Atoms],
    elements: Iterable[int],
    base: Potential,
    spec: Spec,
    settings: FitSettings,
) -> Spec:
    """The spec with as many weights as the labels determine.

    Where there are more labels than weights nothing changes. Else the first channels of one
    expansion, an eighth of them to all, are judged by frames held out; all of them are as many
    weights as there are labels. A number of weights that was asked for is kept, with a warning.

    Args:
        frames: training frames.
        elements: atomic numbers.
        base: what is not learned.
        spec, settings: of the fit.
    """
    term = spec.expansion(elements, settings.seed)
    full, known = term.readout.numel(), sum(label_count(atoms) for atoms in frames)
    if full <= known:
        return spec
    if spec.weights is not None:
        warnings.warn(
            f"{full} weights for {known} labels: frames beyond the training data may be far worse "
            "than those in it; add frames, or let fit choose the number (weights=None in the spec)",
            LabelWarning,
            stacklevel=4,  # the caller of `fit`, whose decorator is one level
        )
        return spec
    trial = replace(spec, weights=known)
    problem = Problem(trial.expansion(elements, settings.seed), base, trial, settings)
    kept, held = labels.split(len(frames), 0.25, settings.seed)
    if not len(held):
        return trial
    errors = _errors(problem, [frames[i] for i in kept], [frames[i] for i in held])
    least = min(errors.values())
    part = min(part for part, error in errors.items() if error <= TOLERANCE * least)
    return replace(spec, weights=max(1, int(part * known)))


def label_count(atoms: Atoms) -> int:
    """Number of energies, force components and stress components of a frame."""
    count = int(np.isfinite(labels.energy_of(atoms)))
    if has_forces(atoms):
        count += int(np.isfinite(labels.forces([atoms])).sum())
    return count + 9 * labels.has_stress(atoms)


def _errors(
    problem: Problem, learners: Sequence[Atoms], held: Sequence[Atoms]
) -> dict[float, float]:
    """Least validation error over ridge strengths, by part of the channels."""
    scale = column_scales(problem.term, learners, problem.settings.seed)
    equations = NormalEquations(problem.term, scale, problem.settings.memory)
    judges = Judges(equations.term, scale, held, problem.targets(held))
    equations.add(learners, problem.targets(learners))
    errors: dict[float, float] = {}
    for part in PARTS:
        columns, found = first_channels(problem.term, part), []
        some = equations.part(columns)
        for ridge in RIDGES:
            mean = np.zeros(len(scale))
            with suppress(SingularError):
                mean[columns] = some.solve(problem.prior(equations, ridge)[columns]).mean
                found.append(judges.error(mean))
        if found:
            errors[part] = min(found)
    return errors or {1.0: np.inf}
