"""Learning a correction: labels less those of a baseline that is cheap to ask.

What a tight-binding method or a force field gets wrong is smoother and smaller than the energy
surface itself, so that few labels determine it (Ramakrishnan, Dral, Rupp, von Lilienfeld, J. Chem.
Theory Comput. 11, 2087 (2015)). The potential is the sum of both: one more term, `Baseline`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.errors import InterpmdError, LabelError
from interpmd.fitting import labels
from interpmd.fitting.checks.finding import Finding
from interpmd.fitting.normal import has_forces
from interpmd.fitting.report import Evaluation
from interpmd.levels.calculation import Result
from interpmd.potentials.baseline import Baseline, baselines, evaluate, without_baseline
from interpmd.potentials.card import Card
from interpmd.potentials.potential import Potential
from interpmd.structures.files.keys import results_of

#: Forces in eV/Å that differ by less (root mean square) are those of one level of theory.
SAME = 1e-3


def baseline_term(level: str | Calculator, frames: Sequence[Atoms]) -> Baseline:
    """The term of a level of theory; it remembers what the level says of the first frame.

    Raises:
        UnknownLevelError, CalculationError, MissingPackageError: the level cannot be asked.
    """
    term = Baseline(level)
    atoms = next((atoms for atoms in frames if not labels.is_isolated(atoms)), frames[0])
    return term.probed(atoms, evaluate(term.level, atoms))


def differences(
    term: Baseline, frames: Sequence[Atoms], name: str, progress: bool = False
) -> list[Atoms]:
    """The frames, isolated atoms left out, with labels less those of a baseline.

    Args:
        term: the baseline.
        frames: labelled.
        name: of the data, for errors.
        progress: whether to show a progress bar.

    Raises:
        LabelError: the baseline fails for a frame, which is named.
    """
    left, many = [], [atoms for atoms in frames if not labels.is_isolated(atoms)]
    bar = tqdm(many, desc=f"baseline, {name}", unit="frame", disable=not progress)
    for index, atoms in enumerate(bar):
        try:
            result = evaluate(term.level, atoms)
        except InterpmdError as error:
            raise LabelError(
                f"{name}, frame {index} ({atoms.symbols}): the baseline {term.name} fails: "
                f"{error}; leave the frame out or take another baseline"
            ) from error
        left.append(less(atoms, result))
    return left


def less(atoms: Atoms, result: Result) -> Atoms:
    """A frame with its labels less a result; what it lacks stays missing."""
    known = results_of(atoms)
    copy = atoms.copy()
    rest = {}
    if known.get("energy") is not None:
        rest["energy"] = labels.energy_of(atoms) - result.energy
    if known.get("forces") is not None:
        rest["forces"] = labels.forces([atoms]) - result.forces
    if labels.has_stress(atoms) and result.stress is not None:
        voigt = labels.stress_of(atoms).ravel()[[0, 4, 8, 5, 2, 1]]
        rest["stress"] = voigt - np.asarray(result.stress)
    copy.calc = SinglePointCalculator(copy, **rest)
    return copy


def nothing_to_correct(term: Baseline, left: Sequence[Atoms]) -> list[Finding]:
    """A finding where a baseline already says what the labels say, but for constants.

    Args:
        term: the baseline.
        left: what it leaves of the labels, of `differences`.
    """
    rests = [labels.forces([atoms]) for atoms in left if has_forces(atoms)]
    if not rests:
        return []
    size = float(np.sqrt(np.nanmean(np.concatenate(rests) ** 2)))
    if size > SAME:
        return []
    what = f"the forces of the labels are those of the baseline {term.name} (to {size:.1g} eV/Å)"
    advice = "label by a better level of theory, or fit without baseline="
    return [Finding("baseline", f"{what}, so that there is nothing to correct", advice)]


def with_baseline(correction: Potential, term: Baseline) -> Potential:
    """Baseline plus learned correction; its card names both."""
    known = {"name": term.name, "by_name": term.by_name, "code": term.level.code}
    card = replace(correction.card, provenance={**correction.card.provenance, "baseline": known})
    return Potential({"baseline": term, **correction.terms}, correction.elements, card)


def correction(potential: Potential) -> Potential:
    """What a potential with a baseline has learned: its terms without the baseline.

    It is a potential like any other: `im.explain(im.correction(potential), atoms)` says what the
    reference corrects in the baseline.

    Args:
        potential: fitted with ``baseline=``.

    Raises:
        LabelError: it has no baseline.
    """
    arguments.of_class(Potential, potential=potential)
    if not (found := baselines(potential)):
        raise LabelError(
            "the potential has no baseline, so that it is no correction of one; fit it with "
            'im.fit(..., baseline="gfn2-xtb")'
        )
    learned = without_baseline(potential)
    level = f"{potential.card.level or 'reference'} minus {found[0].name}"
    return Potential(
        dict(learned.terms), learned.elements, Card(level, dict(learned.card.provenance))
    )


def of_the_sum(
    errors: Mapping[str, Evaluation],
    sets: Mapping[str, Sequence[Atoms]],
    labelled: Mapping[str, Sequence[Atoms]],
    base: Potential,
) -> dict[str, Evaluation]:
    """Evaluations of a correction as those of baseline plus correction.

    Args:
        errors: of the correction, by set.
        sets: the frames with the labels that the correction was to reproduce.
        labelled: the same frames with their own labels.
        base: what is not learned, of the correction: its constants for the elements.

    Returns:
        The same sets, and "baseline alone": the baseline with those constants, on the test set if
        there is one.
    """
    summed = {}
    for name, evaluation in errors.items():
        energy = labels.energies(labelled[name]) - labels.energies(sets[name])
        forces = labels.forces(labelled[name]) - labels.forces(sets[name])
        summed[name] = replace(
            evaluation,
            energy=evaluation.energy + energy[:, None],
            forces=evaluation.forces + forces[..., None],
        )
    judge = next(name for name in ("test", "valid", "train") if name in errors)
    alone, of_sum = errors[judge], summed[judge]
    constants = np.array([float(base.predict_unwatched(a).energy) for a in sets[judge]])
    energy = np.stack(
        [of_sum.energy[:, 0], of_sum.energy[:, 0] - alone.energy[:, 0] + constants], axis=1
    )
    forces = np.stack([of_sum.forces[..., 0], of_sum.forces[..., 0] - alone.forces[..., 0]], axis=2)
    none = np.zeros((0, 3, 3, 2)), np.zeros(0, dtype=bool)
    summed["baseline alone"] = replace(
        of_sum, energy=energy, forces=forces, stress=none[0], has_stress=none[1]
    )
    return summed
