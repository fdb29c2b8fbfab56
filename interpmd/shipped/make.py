"""Fit the shipped potentials to the shipped data: ``python -m interpmd.shipped.make [name ...]``;
with ``--errors`` only their error bars and extrapolation grades are made anew, the weights kept;
with ``--calibrate`` their sizes alone, on every other test frame, without normal equations;
with ``--reproduce`` rows of two fits to halves of their data are compared, and stored in the card;
with ``--certify`` only their certificates, with ``--keep-truth`` their learned truth, which depends
on the form of the expansion and not on the data, is taken from those that are there; with
``--apart`` only what parts beyond the cutoff may do to each other is told anew by their data; with
``--radicals`` only error bars of rows of atoms are sized anew; with ``--seal`` they are only
written again, with a seal and the same numbers.

Run from a clone of the repository, where ``data/`` lies beside the package.
"""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.attribution import Certificate
from interpmd.attribution.gauges.groups import group_game, part_molecules
from interpmd.errors import CalculationError, ModelError, UnsealedWarning
from interpmd.fitting.apart import calibrate_apart
from interpmd.fitting.checkpoint import remove_checkpoints
from interpmd.fitting.closed_form import fit
from interpmd.fitting.grade import FALSE_ALARMS, Spread, calibrate_grade, spread_of
from interpmd.fitting.judges import Judged
from interpmd.fitting.labels import is_isolated
from interpmd.fitting.posterior import factor_of
from interpmd.fitting.problem import Problem
from interpmd.fitting.report import FitReport
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.spec import Spec
from interpmd.levels.calculation import Level
from interpmd.levels.names import resolve
from interpmd.potentials import Potential
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.baseline import evaluate
from interpmd.potentials.shelf import load_potential
from interpmd.potentials.uncertainty import posterior
from interpmd.shipped.recipes import (
    CALIBRATED,
    CERTIFIED,
    DATA_OF,
    EXPANSION,
    FORCES_ONLY,
    GAUGES_OF,
    LARGEST_CORRECTION,
    MORE,
    RADICALS,
    RECIPES,
    REPRODUCED_ON,
    STRAINED,
    THINNED,
)
from interpmd.structures.chemistry import bonds, molecules
from interpmd.structures.files import read_frames
from interpmd.structures.groups import groups_of
from interpmd.trust import certify
from interpmd.trust.known_fragments import remember_fragments
from interpmd.trust.radicals import calibrate_radicals
from interpmd.trust.reproducibility import halves, reproducibility
from interpmd.trust.truth import learned_checks, learned_truth, quantum_truth

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA, SCRATCH = ROOT / "data", ROOT / "scratch"


def make(name: str, keep_truth: bool = False) -> None:
    """Fit one potential and write it beside this file.

    The fit is kept in scratch/, so that one that was stopped goes on from there.
    """
    report = fitted(name, RECIPES[name], out=SCRATCH / f"{name}-fit")
    card = report.potential.card
    card.certificate[:] = certificate_of(name, report.potential, keep_truth).to_json()
    report.potential.save(HERE / name)
    print(report)
    print(report.evaluations["test"].by_subset().round(2).to_string())


def fitted(name: str, recipe: Mapping[str, Any], out: Path | None = None) -> FitReport:
    """A fit to all training data, on a GPU where there is one, whose card says what it is."""
    folder = folder_of(name)
    train, valid = training_frames(name), folder / "valid.extxyz.gz"
    report = fit(
        train,
        learnable(name, read_frames(valid)) if valid.exists() else None,
        test=folder / "test.extxyz.gz",
        out=out,
        progress=False,
        **recipe,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )
    card = report.potential.card
    card.provenance["train"] = ", ".join(f"data/{folder.name}/{part}" for part in parts_of(name))
    card.provenance["made_by"] = f"python -m interpmd.shipped.make {name}"
    size_radicals(name, report.potential)
    # many molecules: which fragments? Those of whole molecules, not of what is under strain
    whole = [a for a in train if "molecule" in a.info and a.info["subset"] not in STRAINED]
    if whole:
        remember_fragments(report.potential, whole)
    card.errors["test_by_subset"] = json.loads(
        report.evaluations["test"].by_subset().to_json(orient="index")
    )
    return report


def parts_of(name: str) -> tuple[str, ...]:
    """Files of the training data."""
    return ("train.extxyz.gz", *MORE.get(name, ()))


def training_frames(name: str) -> list[Atoms]:
    """All training data of a potential."""
    folder, every = folder_of(name), THINNED.get(name, {})
    frames = [a for p in parts_of(name) for a in read_frames(folder / p)[:: every.get(p, 1)]]
    return learnable(name, frames)


def folder_of(name: str) -> Path:
    """Where the data of a potential are."""
    return DATA / DATA_OF.get(name, name)


def learnable(name: str, frames: Sequence[Atoms]) -> list[Atoms]:
    """Frames that the baseline of a potential allows to correct, without the energies of subsets of
    which only forces are learned."""
    most = LARGEST_CORRECTION.get(name)
    if most is not None:
        level = resolve(RECIPES[name]["baseline"])
        frames = [atoms for atoms in frames if _correction(level, atoms) < most]
    without = FORCES_ONLY.get(name, ())
    return [_forces_only(a) if a.info.get("subset") in without else a for a in frames]


def _correction(level: Level, atoms: Atoms) -> float:
    """Largest force (eV/Å) that is to be corrected; infinite where the level fails."""
    try:
        return float(np.abs(atoms.get_forces() - evaluate(level, atoms).forces).max())
    except CalculationError:
        return np.inf


def _forces_only(atoms: Atoms) -> Atoms:
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(copy, forces=atoms.get_forces())
    return copy


def renew_errors(name: str) -> None:
    """Make the error bars and grades of a potential anew, and write it again.

    The weights stay as they are; the normal equations are accumulated anew (they are kept in
    scratch/, so that a run that was stopped goes on from there) and solved at the stored ridge.
    """
    potential, recipe = load_potential(HERE / name), RECIPES[name]
    term = potential.learned_terms["expansion"]
    rest = {n: other for n, other in potential.terms.items() if other is not term}
    problem = Problem(
        term,
        Potential(rest, elements=potential.elements),
        Spec(**potential.card.provenance["spec"]),
        FitSettings(
            energy_weight=potential.card.provenance["energy_weight"],
            subset_weights=recipe.get("subset_weights", {}),
            mean_weight=recipe.get("mean_weight"),
            soft_weight=recipe.get("soft_weight", 0.0),
            memory=recipe.get("memory", 5.0),
            device="cuda" if torch.cuda.is_available() else "cpu",
        ),
    )
    frames = [atoms for atoms in training_frames(name) if not is_isolated(atoms)]
    scratch = SCRATCH / f"{name}-errors"
    solved = problem.solve(
        frames, fraction=0.1, ridge=potential.card.provenance["ridge"], out=scratch
    )
    renewed = problem.with_error_bars(solved, frames)
    renewed.card = potential.card
    renewed.save(HERE / name)
    remove_checkpoints(scratch)
    print(f"{name}: error bars {solved.calibration:.2f} times those of the bare posterior")


def calibrate(name: str) -> None:
    """Set the size of stored error bars and the units of the grade by every other test frame.

    For potentials of so many weights that normal equations need a GPU. Frames between these judge
    the result; the card says so.
    """
    potential = load_potential(HERE / name)
    term = potential.learned_terms["expansion"]
    judging, judged = read_frames(folder_of(name) / "test.extxyz.gz")[::2], []
    for atoms in judging:
        drawn, predicted = posterior(potential, potential.batch(atoms)), potential.predict(atoms)
        if drawn is None:
            raise ModelError(f"{name} has no samples of the posterior; fit it again")
        energy = float(predicted.energy) - atoms.get_potential_energy()
        forces = predicted.forces.numpy() - atoms.get_forces()
        draws = drawn.energies[0].numpy(), drawn.forces.numpy()
        judged.append(Judged(atoms.numbers, energy, draws[0], forces, draws[1]))
    factor = factor_of(judged)
    term.samples.mul_(factor)
    held = [
        _with_its_parts(potential, term, atoms, frame.wider(factor))
        for atoms, frame in zip(judging, judged, strict=True)
    ]
    frames = [atoms for atoms in training_frames(name) if not is_isolated(atoms)]
    calibrate_apart(potential, term, frames)
    # each stands for some forty structures, so that fewer may be false alarms
    calibrate_grade(potential, term, frames, held, false_alarms=FALSE_ALARMS / 10)
    potential.card.provenance["calibrated_on"] = CALIBRATED
    potential.save(HERE / name)
    print(f"{name}: error bars {factor:.2f} times those that were stored")


def _with_its_parts(potential: Potential, term: LearnedTerm, atoms: Atoms, frame: Judged) -> Spread:
    """How uncertain a frame is, or one of the parts on which its rows of groups rest."""
    sizes = np.linalg.norm(frame.forces_std, axis=1)
    found = [spread_of(term, frame.numbers, frame.energy_std, sizes)]
    grouping = groups_of(atoms)
    if len(grouping) > 1:
        for part in part_molecules(group_game(grouping), atoms):
            drawn = posterior(potential, potential.batch(part))
            assert drawn is not None  # the whole has error bars
            sizes = drawn.forces_std.norm(dim=1).numpy()
            found.append(spread_of(term, part.numbers, float(drawn.energy_std[0]), sizes))
    return Spread(
        torch.stack([s.force for s in found]).amax(0),
        max(s.energy for s in found),
        frame.atoms.get_chemical_formula(),
    )


def reproduced(name: str) -> None:
    """Fit two potentials of the same recipe to disjoint halves of the training data, compare their
    rows in the gauges that suit the system, and store the result in the card.

    Both fits are kept in scratch/ until then, so that a run that was stopped goes on from there.
    """
    potential, kept = load_potential(HERE / name), SCRATCH / f"{name}-halves"
    for number, half in enumerate(halves(training_frames(name))):
        if not (kept / str(number)).exists():
            fit(half, progress=False, **_recipe(name)).potential.save(kept / str(number))
    first, second = (load_potential(kept / str(number)) for number in range(2))
    compared = _alike(read_frames(folder_of(name) / "test.extxyz.gz"), REPRODUCED_ON[name])
    stored = Certificate.from_json(potential.card.certificate)
    checks = [check for check in stored.checks if check.group != "reproducibility"]
    for gauge, target in GAUGES_OF[name].items():
        result = reproducibility(first, second, compared, target, gauge, progress=False)
        print(name, result)
        checks += result.checks()
    potential.card.certificate[:] = Certificate(tuple(checks), stored.statement).to_json()
    potential.save(HERE / name)
    shutil.rmtree(kept)


def _recipe(name: str) -> dict[str, Any]:
    return {**RECIPES[name], "device": "cuda" if torch.cuda.is_available() else "cpu"}


def _alike(frames: Sequence[Atoms], atoms: int, most: int = 8) -> list[Atoms]:
    """Some frames of so many atoms and the same bonds, evenly spaced; not those in which a proton
    between two atoms joins groups, which then have nothing to do with each other."""
    known: dict[tuple[int, bytes], list[Atoms]] = {}
    for frame in frames:
        if len(frame) == atoms:
            count = len(groups_of([frame]).groups) if len(molecules(frame)) == 1 else 1
            known.setdefault((count, bonds(frame).pairs.tobytes()), []).append(frame)
    largest = max(count for count, _ in known)
    some = max((found for (count, _), found in known.items() if count == largest), key=len)
    return some[:: max(1, len(some) // most)][:most]


def certificate_of(name: str, potential: Potential, keep_truth: bool = False) -> Certificate:
    """Checks on test frames; rows of the same expansion where the true ones are known; for water
    also the many-body expansion by GFN2-xTB."""
    frames = sorted(read_frames(folder_of(name) / "test.extxyz.gz"), key=len)
    frames = [atoms for atoms in frames if len(atoms) <= CERTIFIED.get(name, len(atoms))]
    known = load_potential(HERE / name).card.certificate if (HERE / name).exists() else []
    stored = Certificate.from_json(known)
    if keep_truth:
        truths = [check for check in stored.checks if check.group == "learned truth"]
    else:
        # the same form, with dimers and trimers in the data where the potential has them
        form = {k: v for k, v in RECIPES[name]["spec"].items() if k in EXPANSION}
        dimers = "fragments.extxyz.gz" in MORE.get(name, ())
        truths = [*learned_checks(learned_truth(dimers=dimers, options=form))]
    if name == "water":
        tetramers = [atoms for atoms in frames if len(atoms) == 12][:40]
        truths += quantum_truth(potential, tetramers, order=4).checks()
    return certify(potential, frames[-3:], [*truths, *stored.group("reproducibility")])


def recertify(name: str, keep_truth: bool = False) -> None:
    """Certify a potential that is there already, and write it again."""
    potential = load_potential(HERE / name)
    certificate = certificate_of(name, potential, keep_truth)
    potential.card.certificate[:] = certificate.to_json()
    potential.save(HERE / name)
    print(name, certificate)


def tell_apart(name: str) -> None:
    """Let the training data tell what parts beyond the cutoff may do to each other."""
    potential = load_potential(HERE / name)
    term = potential.learned_terms["expansion"]
    frames = [atoms for atoms in training_frames(name) if not is_isolated(atoms)]
    calibrate_apart(potential, term, frames)
    potential.save(HERE / name)
    print(f"{name}: as charges of {float(term.charge_scale):.2f} e")


def size_radicals(name: str, potential: Potential) -> None:
    """Size error bars of rows of atoms by every other labelled part of test frames, if there are
    any; the card says so, and those between judge the result."""
    path = folder_of(name) / RADICALS
    if not path.exists():
        return
    parts = read_frames(path)
    calibrate_radicals(potential, potential.learned_terms["expansion"], parts[::2], parts)
    potential.card.provenance["radicals_sized_on"] = (
        f"every other of data/{path.parent.name}/{RADICALS}"
    )


def size_radicals_anew(name: str) -> None:
    """The same for a potential that is there already."""
    potential = load_potential(HERE / name)
    size_radicals(name, potential)
    potential.save(HERE / name)
    scale = float(potential.learned_terms["expansion"].radical_scale)
    print(f"{name}: error bars of rows of atoms {scale:.2f} times those of the posterior")


def seal(name: str) -> None:
    """Write a potential that is there already again, with a seal.

    Raises:
        PotentialSealError: it has one already, and is not what was saved.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnsealedWarning)
        load_potential(HERE / name).save(HERE / name)
    print(name, "is sealed")


if __name__ == "__main__":
    options = {option for option in sys.argv[1:] if option.startswith("--")}
    for wanted in [a for a in sys.argv[1:] if a not in options] or RECIPES:
        if "--seal" in options:
            seal(wanted)
            continue
        if "--apart" in options:
            tell_apart(wanted)
            continue
        if "--radicals" in options:
            size_radicals_anew(wanted)
            continue
        if "--errors" in options:
            renew_errors(wanted)
            continue
        if "--reproduce" in options:
            reproduced(wanted)
            continue
        if "--calibrate" in options:
            calibrate(wanted)
            continue
        work = recertify if "--certify" in options else make
        work(wanted, keep_truth="--keep-truth" in options)
