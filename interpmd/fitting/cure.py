"""Label what a potential does not know about its pairs and triplets, and fit again."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import ground_state_magnetic_moments

from interpmd.decomposition.few_atoms import trimer_positions
from interpmd.errors import ArgumentError, LabelError
from interpmd.files import read_frames
from interpmd.fitting import labels
from interpmd.fitting.diagnosis import Diagnosis
from interpmd.fitting.doctor import doctor
from interpmd.fitting.fit import fit
from interpmd.fitting.report import FitReport
from interpmd.fitting.spec import Spec
from interpmd.potentials.potential import Potential
from interpmd.systems import check_elements

#: Distance in A over which a label, an energy with its forces, informs about its surroundings.
REACH = 0.3

#: Subsets of the labelled proposals: training data may hold dimers of molecules.
PROPOSED = {"dimer": "proposed dimer", "trimer": "proposed trimer"}

#: Factors of the dimers and trimers in the refit. Their energies are those of radicals, tens of
#: electronvolts from the molecules': at full weight they drown the training data.
WEIGHTS = {"dimer": 0.1, "trimer": 0.01}


def propose(diagnosis: Diagnosis, most: int = 200) -> list[Atoms]:
    """Single atoms, dimers and trimers whose labels would tell most.

    Greedy: the geometry of the largest standard deviation is taken and the posterior conditioned
    on its label, again and again, until all that is physical is determined or `most` is reached.
    The covariance of the few samples is multiplied by a Gaussian of the distance between
    geometries (`REACH`), which removes the chance correlations of far ones (localization:
    Houtekamer and Mitchell, Mon. Weather Rev. 129, 123 (2001)), so that no near-duplicates are
    proposed. Dimers come first and take at most half, unless nothing else is left: a trimer's
    energy fixes its triplet row only as far as its pair rows are fixed. Where the diagnosis holds
    trimers drawn from data, those are proposed, and others only once they are determined.

    Args:
        diagnosis: what `interpmd.doctor` found.
        most: structures in all, single atoms included.

    Returns:
        Molecules without labels, with info "subset" ("isolated", "dimer", "trimer") and
        "multiplicity" (Hund's rules for single atoms, else the lowest).

    Raises:
        ValueError: `most` is below the number of elements plus one.
    """
    elements = sorted(set(diagnosis.numbers[:, :2].flat))
    if most <= len(elements):
        raise ArgumentError(f"most is above {len(elements)}, one for each element, not {most}")
    left = most - len(elements)
    dimers = _most_informative(diagnosis, 2, (left + 1) // 2)
    trimers = _most_informative(diagnosis, 3, left - len(dimers))
    if len(dimers) == (left + 1) // 2:
        dimers = _most_informative(diagnosis, 2, left - len(trimers))
    return [*map(_single, elements), *(_structure(diagnosis, g) for g in [*dimers, *trimers])]


def cure(
    fitted: Potential | FitReport,
    train: str | Path | Iterable[Atoms],
    method: str | Calculator | None = None,
    diagnosis: Diagnosis | None = None,
    most: int = 200,
    out: str | Path | None = None,
    workers: int = 1,
    weights: Mapping[str, float] | None = None,
    progress: bool = True,
    **options: Any,
) -> FitReport:
    """Label the geometries that the doctor proposes and fit again with them.

    What it costs shows in the report: a potential of few weights pays for pairs that are right
    with larger errors of the forces. Compare `FitReport.errors` before and after, and choose
    `weights`.

    Each dimer and trimer is labelled in every spin state that its atoms can couple to, and the
    lowest energy is taken, so that it dissociates into its atoms' ground states.

    Args:
        fitted: the potential, or the report of its fit.
        train: the frames that it was fitted to.
        method: how to label: a method that `interpmd.label` knows, or an ASE calculator of the
            level of theory of `train`. The potential's own level if None.
        diagnosis: what `interpmd.doctor` found; made anew, with `train` as data, if None.
        most: structures to label at most.
        out: folder for the new potential. The labels go to ``<out>-labels.extxyz`` beside it, so
            that an interrupted run goes on.
        workers: processes that label.
        weights: factors of the proposed "dimer" and "trimer" in the fit, `WEIGHTS` unless given;
            further keys name subsets of `train`, as in `interpmd.fit`.
        progress: whether to show progress bars.
        options: of `interpmd.fit`, for instance ``test=``. The spec, the seed and the weight of
            the energies are those of the first fit unless given.

    Raises:
        LabelError: no method given and none known, a method of another level of theory than the
            potential's, or a potential that does not say how it was fitted.
        UnknownElementError: `train` holds elements that the potential does not know.
        InterpmdError: the potential has no posterior, or labels failed for single atoms.
    """
    potential = fitted.potential if isinstance(fitted, FitReport) else fitted
    method = _method(potential, method)
    provenance = potential.card.provenance
    if "spec" not in options and "spec" not in provenance:
        raise LabelError("the potential does not say how it was fitted; pass spec=")
    frames = read_frames(train)
    labels.check_labels(frames)
    for atoms in frames:
        check_elements(torch.as_tensor(atoms.numbers), potential.elements, "the potential")
    known = {int(a.numbers[0]) for a in frames if labels.is_isolated(a)}
    proposed = [
        atoms
        for atoms in (diagnosis or doctor(potential, frames)).proposal(most)
        if not (len(atoms) == 1 and int(atoms.numbers[0]) in known)
    ]
    labelled = label_proposal(proposed, method, _labels_path(out), workers, progress)
    given = {**WEIGHTS, **(weights or {})}
    factors = {PROPOSED.get(name, name): factor for name, factor in given.items()}
    for atoms in labelled:
        atoms.info["subset"] = PROPOSED.get(atoms.info["subset"], atoms.info["subset"])
    arguments: dict[str, Any] = {
        "spec": _spec(provenance["spec"]) if "spec" in provenance else None,
        "level": potential.card.level,
        **{key: provenance[key] for key in ("seed", "energy_weight") if key in provenance},
    }
    return fit(
        [*frames, *labelled],
        weights=factors,
        out=out,
        progress=progress,
        **(arguments | options),
    )


def label_proposal(
    proposed: Sequence[Atoms],
    method: str | Calculator,
    out: Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> list[Atoms]:
    """Labelled copies of proposed structures, each in the spin state of lowest energy.

    Structures of which a state cannot be labelled are left out, with the warning of
    `interpmd.label`. An ASE calculator is asked once for each structure and treats spin as it
    does.

    Args:
        proposed: what `propose` returned.
        method: name of a method, or an ASE calculator.
        out: extxyz file that makes the labelling of a named method resumable.
        workers: processes.
        progress: whether to show a progress bar.
    """
    if not isinstance(method, str):
        return [_calculated(atoms, method) for atoms in proposed]
    from interpmd.reference import label
    from interpmd.reference.methods import resolve
    from interpmd.reference.store import HASH_KEY, content_hash

    level, states, owner = resolve(method).name, [], {}
    for index, atoms in enumerate(proposed):
        for multiplicity in multiplicities(atoms):
            state = atoms.copy()
            state.info["multiplicity"] = multiplicity
            states.append(state)
            owner[content_hash(state, level, 0, multiplicity)] = index
    found: list[list[Atoms]] = [[] for _ in proposed]
    for atoms in label(
        states, method, out=out, workers=workers, progress=progress, retry_failed=False
    ):
        found[owner[atoms.info[HASH_KEY]]].append(atoms)
    return [
        min(many, key=lambda atoms: atoms.calc.results["energy"])
        for atoms, many in zip(proposed, found, strict=True)
        # where a state did not converge, nobody knows which is the lowest
        if len(many) == len(multiplicities(atoms))
    ]


def multiplicities(atoms: Atoms) -> list[int]:
    """Multiplicities 2S + 1 that the ground states of neutral atoms can couple to, ascending.

    A single atom keeps its own (Hund's rules).
    """
    unpaired = [round(ground_state_magnetic_moments[z]) for z in atoms.numbers]
    if len(unpaired) == 1:
        return [unpaired[0] + 1]
    lowest = sum(unpaired) % 2
    return list(range(lowest + 1, sum(unpaired) + 2, 2))


def _most_informative(diagnosis: Diagnosis, order: int, most: int) -> list[int]:
    """Places in the table of the geometries of one order, the most informative first."""
    table = diagnosis.table
    candidates = np.flatnonzero((table.order == order) & table.physical)
    groups: dict[tuple[int, ...], list[int]] = {}
    shapes = {}
    for g in candidates:
        key, shapes[g] = _shape(diagnosis.numbers[g], diagnosis.sides[g])
        groups.setdefault(key, []).append(g)
    covariances = {}
    for key, members in groups.items():
        samples = diagnosis.samples[members]
        shape = np.array([shapes[g] for g in members])
        apart = ((shape[:, None] - shape[None]) ** 2).sum(-1)
        taper = np.exp(-apart / (2 * REACH**2))
        covariances[key] = samples @ samples.T / samples.shape[1] * taper
    drawn = np.asarray(table.get("drawn", np.zeros(len(table), dtype=bool)))
    # a label leaves a geometry determined, with room to spare
    noise = (0.5 * diagnosis.threshold) ** 2
    chosen: list[int] = []
    for allowed in (drawn, np.ones(len(table), dtype=bool)):
        masks = {key: allowed[members] for key, members in groups.items()}
        while len(chosen) < most and covariances:
            open_ = {key: covariances[key].diagonal() * masks[key] for key in covariances}
            key = max(open_, key=lambda k: open_[k].max())
            place = int(open_[key].argmax())
            if open_[key][place] < diagnosis.threshold**2:
                break
            chosen.append(int(groups[key][place]))
            column = covariances[key][:, place]
            covariances[key] = covariances[key] - np.outer(column, column) / (column[place] + noise)
    return chosen


def _shape(numbers: np.ndarray, sides: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Sorted elements, and sides in an order that does not depend on that of the atoms."""
    if not numbers[2]:
        return tuple(sorted(numbers[:2].tolist())), (float(sides[0]),)
    side = {(0, 1): sides[0], (0, 2): sides[1], (1, 2): sides[2]}
    key = tuple(sorted(numbers.tolist()))
    orders = [p for p in itertools.permutations(range(3)) if tuple(numbers[list(p)]) == key]
    shapes = (
        tuple(float(side[min(a, b), max(a, b)]) for a, b in ((p[0], p[1]), (p[0], p[2]), p[1:]))
        for p in orders
    )
    return key, min(shapes)


def _structure(diagnosis: Diagnosis, geometry: int) -> Atoms:
    numbers, sides = diagnosis.numbers[geometry], diagnosis.sides[geometry]
    if numbers[2]:
        atoms = Atoms(numbers, trimer_positions(sides[None])[0])
    else:
        atoms = Atoms(numbers[:2], [[0, 0, 0], [sides[0], 0, 0]])
    subset = "trimer" if numbers[2] else "dimer"
    atoms.info = {"subset": subset, "multiplicity": multiplicities(atoms)[0]}
    return atoms


def _single(number: int) -> Atoms:
    atoms = Atoms([int(number)], [[0.0, 0.0, 0.0]])
    atoms.info = {
        "subset": "isolated",
        "config_type": "IsolatedAtom",
        "multiplicity": multiplicities(atoms)[0],
    }
    return atoms


def _calculated(atoms: Atoms, calculator: Calculator) -> Atoms:
    asked = atoms.copy()
    asked.calc = calculator
    found = atoms.copy()
    found.calc = SinglePointCalculator(
        found,
        energy=float(asked.get_potential_energy()),
        forces=np.array(asked.get_forces()),
    )
    return found


def _method(potential: Potential, method: str | Calculator | None) -> str | Calculator:
    level = potential.card.level
    if method is None:
        if level is None:
            raise LabelError("the potential's level of theory is unknown; pass method=")
        return level
    if isinstance(method, str):
        if level is not None and method.strip().lower() != level.lower():
            raise LabelError(
                f"the potential was fitted to {level}; labels at {method} do not belong to it"
            )
    elif not hasattr(method, "get_forces"):
        raise LabelError(f"{method!r} is neither the name of a method nor an ASE calculator")
    return method


def _labels_path(out: str | Path | None) -> Path | None:
    return None if out is None else Path(f"{Path(out)}-labels.extxyz")


def _spec(stored: Mapping[str, Any]) -> Spec:
    return Spec(**{k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()})
