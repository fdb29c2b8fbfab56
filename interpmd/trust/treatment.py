"""Label what a potential does not know about the parts of its structures, and fit again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd import arguments
from interpmd.errors import ArgumentError, InterpmdError, LabelError
from interpmd.fitting import labels
from interpmd.fitting.active.origin import spec_of
from interpmd.fitting.closed_form import fit
from interpmd.fitting.report import FitReport
from interpmd.keywords import renamed
from interpmd.levels.names import resolve
from interpmd.potentials.baseline import baselines
from interpmd.potentials.potential import Potential
from interpmd.reference.labelling import label
from interpmd.reference.store import HASH_KEY, content_hash
from interpmd.reference.workers import workers_with
from interpmd.structures.charges import for_calculators, whole_charge
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.systems import check_elements
from interpmd.trust.closed_parts import PART
from interpmd.trust.diagnosis import Diagnosis
from interpmd.trust.examination import doctor
from interpmd.trust.known_fragments import KnownFragments, known_fragments
from interpmd.trust.proposal import multiplicities, single_atom

#: Subsets of the labelled proposals: training data may hold dimers of molecules.
PROPOSED = {"dimer": "proposed dimer", "trimer": "proposed trimer", PART: "proposed part"}

#: Factors of the proposals in the refit. Energies of dimers and trimers are those of radicals, tens
#: of electronvolts from the molecules': at full weight they drown the training data. Closed-shell
#: parts are molecules like any other.
WEIGHTS = {"dimer": 0.1, "trimer": 0.01, PART: 1.0}

#: What the next fit has from the card of the first.
KEPT = ("seed", "energy_weight", "mean_weight", "soft_weight", "members", "refine")


@renamed(method="level", weights="subset_weights")
def cure(
    fitted: Potential | FitReport,
    train: str | Path | Iterable[Atoms],
    level: str | Calculator | None = None,
    diagnosis: Diagnosis | None = None,
    most: int = 200,
    out: str | Path | None = None,
    workers: int | None = 1,
    subset_weights: Mapping[str, float] | None = None,
    parts: str = "closed",
    asked: Structures | KnownFragments | None = None,
    also: Sequence[Atoms] = (),
    progress: bool = True,
    client: Any = None,
    **options: Any,
) -> FitReport:
    """Label the geometries that the doctor proposes and fit again with them.

    With ``asked=``, molecules that the potential will be used for, just those of their capped
    groups are labelled that the training data lack (`interpmd.known_fragments`).

    Closed-shell parts of the training molecules by default: groups closed with hydrogen, single
    molecules, pairs of molecules; with ``parts="radicals"`` dimers and trimers of atoms. What those
    cost shows in the report: a potential of few weights pays for pairs that are right with larger
    errors of the forces. Compare `FitReport.errors` before and after, and choose
    `subset_weights`.

    Each dimer and trimer is labelled in every spin state that its atoms can couple to, and the
    lowest energy is taken, so that it dissociates into its atoms' ground states.

    Args:
        fitted: the potential, or the report of its fit.
        train: the frames that it was fitted to.
        level: of the labels: one that `interpmd.label` knows, or an ASE calculator of the level of
            theory of `train`. The potential's own level if None.
        diagnosis: by `interpmd.doctor`; made anew, with `train` as data, if None.
        most: structures to label at most.
        out: folder for the new potential. The labels go to ``<out>-labels.extxyz`` beside it, so
            that an interrupted run goes on.
        workers: processes that label; None leaves their number to `im.label`.
        subset_weights: factors of the proposed "part", "dimer" and "trimer" in the fit, `WEIGHTS`
            unless given; further keys name subsets of `train`, as in `interpmd.fit`.
        parts: "closed", "radicals" or "all"; see `Diagnosis.proposal`.
        asked: molecules, or what `interpmd.known_fragments` says of them; then there is no
            diagnosis, and `parts` has no meaning.
        also: with `asked`, further closed-shell molecules that are labelled as they stand, before
            the fragments.
        progress: whether to show progress bars.
        client: a ``dask.distributed.Client``, whose workers label instead.
        options: of `interpmd.fit`, for instance ``test=``. The spec, the seed, the number of
            members and the weights of energies are those of the first fit unless given.

    Raises:
        LabelError: no level given and none known, another level of theory than the
            potential's, or a potential that does not say how it was fitted.
        UnknownElementError: `train` holds elements that the potential does not know.
        InterpmdError: the potential has no posterior, labels failed for single atoms, or nothing is
            left to label.
        ArgumentError: both `diagnosis` and `asked`.
    """
    arguments.of_functions([fit], options, "cure")
    if diagnosis is not None:
        arguments.of_class(Diagnosis, diagnosis=diagnosis)
    if diagnosis is not None and asked is not None:
        raise ArgumentError("diagnosis= and asked= both say what to label; give one of them")
    potential = fitted.potential if isinstance(fitted, FitReport) else fitted
    arguments.of_class(Potential, fitted=potential)
    level = _level(potential, level)
    provenance = potential.card.provenance
    if "spec" not in options and "spec" not in provenance:
        raise LabelError("the potential does not say how it was fitted; pass spec=")
    frames = read_frames(train)
    labels.check_labels(frames)
    for atoms in frames:
        check_elements(torch.as_tensor(atoms.numbers), potential.elements, "the potential")
    known = {int(a.numbers[0]) for a in frames if labels.is_isolated(a)}
    if asked is not None:
        proposed = _lacking(asked, frames, known, most, also)
    else:
        proposed = [
            atoms
            for atoms in (diagnosis or doctor(potential, frames)).proposal(most, parts)
            if not (len(atoms) == 1 and int(atoms.numbers[0]) in known)
        ]
    if not proposed:
        raise InterpmdError(
            "nothing to label: the data vouch for every closed-shell part (extrapolation grade "
            "below 1); parts='radicals' looks at pairs and triplets of atoms"
        )
    labelled = label_proposal(proposed, level, _labels_path(out), workers, progress, client)
    for atoms in labelled:
        atoms.info["subset"] = PROPOSED.get(atoms.info["subset"], atoms.info["subset"])
    given = {**WEIGHTS, **(subset_weights or {})}
    factors = {PROPOSED.get(name, name): factor for name, factor in given.items()}
    for absent in set(PROPOSED.values()) - {labels.subset_of(atoms) for atoms in labelled}:
        del factors[absent]  # nothing of the kind was proposed: no frame to weigh
    of_fit: dict[str, Any] = {
        "spec": spec_of(provenance["spec"]) if "spec" in provenance else None,
        "level": potential.card.level,
        **{key: provenance[key] for key in KEPT if key in provenance},
    }
    if below := baselines(potential):  # what was corrected is corrected again
        level_below = below[0].level
        of_fit["baseline"] = getattr(level_below, "calculator", below[0].name)
    return fit(
        [*frames, *labelled],
        subset_weights=factors,
        out=out,
        progress=progress,
        **(of_fit | options),
    )


def _lacking(
    asked: Structures | KnownFragments,
    frames: Sequence[Atoms],
    known: set[int],
    most: int,
    also: Sequence[Atoms] = (),
) -> list[Atoms]:
    """Fragments of molecules that the data lack, and atoms of elements that they do not know."""
    if not isinstance(asked, KnownFragments):
        asked = known_fragments(asked, list(frames))
    if asked.covered and not also:
        raise InterpmdError(
            f"nothing to label: the training data know all {len(asked.table)} fragments of up to "
            f"{asked.order} groups"
        )
    parts = []
    for atoms in also[:most]:
        whole = Atoms(atoms.numbers, atoms.positions, info={"subset": PART, "multiplicity": 1})
        if charge := whole_charge(atoms):
            whole.info["charge"] = charge
        parts.append(whole)
    if asked.lacking and len(parts) < most:
        each = max(1, (most - len(parts)) // len(asked.lacking))
        parts += asked.structures(each)[: most - len(parts)]
    elements = {int(z) for atoms in frames for z in atoms.numbers}
    new = sorted({int(z) for atoms in parts for z in atoms.numbers} - elements - known)
    return [*map(single_atom, new), *parts]


@renamed(method="level")
def label_proposal(
    proposed: Sequence[Atoms],
    level: str | Calculator,
    out: Path | None = None,
    workers: int | None = 1,
    progress: bool = True,
    client: Any = None,
) -> list[Atoms]:
    """Labelled copies of proposed structures, each in the spin state of lowest energy.

    Structures of which a state cannot be labelled are left out, with the warning of
    `interpmd.label`. An ASE calculator is asked once for each structure and treats spin as it
    does.

    Args:
        proposed: from `Diagnosis.proposal`.
        level: one that `interpmd.label` knows, or an ASE calculator.
        out: extxyz file that makes the labelling at a named level resumable.
        workers: processes.
        progress: whether to show a progress bar.
        client: see `cure`.
    """
    if not isinstance(level, str):
        return [_calculated(atoms, level) for atoms in proposed]
    name, states, owner = resolve(level).name, [], {}
    for index, atoms in enumerate(proposed):
        charge = whole_charge(atoms)
        for multiplicity in _states(atoms):
            state = atoms.copy()
            state.info["multiplicity"] = multiplicity
            states.append(state)
            owner[content_hash(state, name, charge, multiplicity)] = index
    by_structure: list[list[Atoms]] = [[] for _ in proposed]
    for atoms in label(
        states, level, out=out, workers=workers_with(client, workers), progress=progress,
        retry_failed=False, client=client,
    ):  # fmt: skip
        by_structure[owner[atoms.info[HASH_KEY]]].append(atoms)
    return [
        min(many, key=lambda atoms: atoms.get_potential_energy())
        for atoms, many in zip(proposed, by_structure, strict=True)
        # where a state did not converge, there is no knowing which is the lowest
        if len(many) == len(_states(atoms))
    ]


def _states(atoms: Atoms) -> list[int]:
    """Multiplicities in which a proposal is labelled: parts that are molecules are singlets."""
    return [1] if atoms.info.get("subset") == PART else multiplicities(atoms)


def _calculated(atoms: Atoms, calculator: Calculator) -> Atoms:
    asked = for_calculators(atoms)
    asked.calc = calculator
    labelled = atoms.copy()
    labelled.calc = SinglePointCalculator(
        labelled,
        energy=float(asked.get_potential_energy()),
        forces=np.array(asked.get_forces()),
    )
    return labelled


def _level(potential: Potential, level: str | Calculator | None) -> str | Calculator:
    own = potential.card.level
    if level is None:
        if own is None:
            raise LabelError("the potential's level of theory is unknown; pass level=")
        return own
    if isinstance(level, str):
        if own is not None and level.strip().lower() != own.lower():
            raise LabelError(f"the potential was fitted to {own}; labels at {level} do not fit it")
    elif not hasattr(level, "get_forces"):
        raise LabelError(
            f"{level!r} is neither the name of a level of theory nor an ASE calculator"
        )
    return level


def _labels_path(out: str | Path | None) -> Path | None:
    return None if out is None else Path(f"{Path(out)}-labels.extxyz")
