"""Learning a potential from quantum labels, in closed form."""

from __future__ import annotations

import contextlib
import platform
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.errors import ArgumentError, InterpmdError, LabelError, OutputError
from interpmd.extras import required
from interpmd.fitting import labels
from interpmd.fitting.by_element import with_channels
from interpmd.fitting.checkpoint import remove_checkpoints
from interpmd.fitting.checks.check import check_data
from interpmd.fitting.checks.finding import settle
from interpmd.fitting.delta import (
    baseline_term,
    differences,
    nothing_to_correct,
    of_the_sum,
    with_baseline,
)
from interpmd.fitting.kept import KeptEquations
from interpmd.fitting.members import solve_members, usual_members
from interpmd.fitting.problem import Problem
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.fitting.report import FitReport, evaluate
from interpmd.fitting.settings import FitSettings, check_numbers, check_subset_weights
from interpmd.fitting.shares import body_order_shares
from interpmd.fitting.size import choose_size, usual_rounds, usual_validation
from interpmd.fitting.solved import Solved
from interpmd.fitting.spec import CHANNELS, Spec, as_spec
from interpmd.keywords import renamed
from interpmd.potentials import Isolated
from interpmd.potentials.base import TERMS, Term
from interpmd.potentials.card import Card
from interpmd.potentials.folder import check_place
from interpmd.potentials.potential import Potential
from interpmd.potentials.states import states_of
from interpmd.structures.files import (
    Keys,
    Structures,
    labelled_frames,
    prepare_output,
    read_frames,
)
from interpmd.structures.seen import SeenDistances

#: Numbers of Bessel functions that are tried.
BASES = (5, 8, 12)

#: Subsets of neighbours that are enumerated for the report, which takes some seconds.
SPLIT = 30_000


@renamed(weights="subset_weights")
def fit(
    train: Structures,
    valid: Structures | None = None,
    test: Structures | None = None,
    spec: Spec | Mapping[str, Any] | None = None,
    *,
    baseline: str | Calculator | None = None,
    isolated_energies: Mapping[int | str, float] | str | None = None,
    energy_weight: float = 40.0,
    virial_weight: float = 1.0,
    mean_weight: float | None = None,
    soft_weight: float = 0.0,
    subset_weights: Mapping[str, float] | None = None,
    outliers: Literal["keep", "leave out"] = "keep",
    ridge: float | None = None,
    validation: float | None = None,
    refine: int | None = None,
    members: int | None = None,
    memory: float = 5.0,
    device: str = "cpu",
    level: str | None = None,
    energy_key: str | None = None,
    forces_key: str | None = None,
    stress_key: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
    watch: Watch | None = None,
    keep_equations: bool = False,
) -> FitReport:
    """Fit a potential to energies and forces, and to stresses of periodic frames that have them.

    The read-out of the expansion is the mean of its Bayesian posterior, in closed form; the
    posterior is kept as samples, calibrated on the frames held out.

    Args:
        train: frames with energies (eV) and forces (eV/Å): a list of ase.Atoms, a file, a pattern
            of files, a database; see `read_frames`. Frames that lack one of them, or the forces of
            some atoms (NaN), are used for what they have. Single atoms give the isolated-atom
            energies.
        valid: frames that choose the ridge strength; a part of `train` if None, which then
            joins the final solution.
        test: frames for the report.
        spec: what to fit, a `Spec` or its fields as a mapping.
        baseline: a cheap level of theory (such as "gfn2-xtb", "mmff94", "emt") or an ASE calculator
            whose energies and forces are corrected instead of learning all of them: few labels
            suffice. It becomes a term of the potential; see `interpmd.fitting.delta`. Energies of
            isolated atoms are then constants from a least-squares fit to the corrections.
        isolated_energies: eV by element, where `train` has no single atoms; "average" takes them
            from a least-squares fit to the total energies.
        energy_weight: weight of an energy relative to a force component, times the square root
            of the number of atoms, in 1/Å.
        virial_weight: weight of a virial component relative to a force component, in 1/Å.
        mean_weight: as `energy_weight`, of the mean energy of the frames of each molecule (info
            "molecule", else its formula), while differences between them keep `energy_weight`: for
            a `baseline` whose zero is each molecule's own, as that of a force field is. Energies of
            different molecules cannot be compared then. If None, they can.
        soft_weight: forces of molecules count twice: component by component, and with this weight
            by the energy that they are worth in a relaxation, so that a correction leaves no
            minima of its own along torsions and between atoms that touch. In (eV/Å²)^½; see
            `interpmd.fitting.soft`.
        subset_weights: factors on the weights of all labels of a subset (info "subset" or
            "config_type"), for instance ``{"dimer": 5.0}``. It was called `weights`.
        outliers: frames whose labels do not fit those of all others are named by a LabelWarning;
            "leave out" learns without them.
        ridge: strength per row of the linear problem; by validation if None.
        validation: fraction of `train` held out if `valid` is None; if None, a tenth, or a
            twentieth of 200 frames or more that refine channels.
        refine: rounds in which the channels, which are random mixings of radial functions and
            elements, are changed so that they suit the labels. Each member then has half as many
            weights unless they are given, and the potential errs less. If None, 3 where molecules
            have more labels than the usual number of weights; see
            `interpmd.fitting.size.usual_rounds` and `interpmd.fitting.refinement`.
        members: how many times the channels of one fit the potential has, which then errs less; the
            fit takes longer, and a call so many times as long or more. All weights of random
            channels are solved together where the rows of more than 20,000 weights fit into
            `memory`, which takes little longer than one fit, or the matrix of the labels does
            (31,000 in 5 GiB), else in so many fits apart, whose mean is the potential; that is so
            also for channels that are refined, for 110 frames or fewer, with `mean_weight`,
            `soft_weight` or a penalty on rows, and on a GPU. If None, 2 where channels whose number
            is not given are refined, 4 for a correction of a `baseline` by 110 frames or fewer,
            whose call takes longer than theirs, else 1. See `interpmd.fitting.members`,
            `interpmd.fitting.schur` and `interpmd.fitting.joint`.
        memory: limit in GiB for the normal equations.
        device: where they are made and solved: "cpu", or a GPU as torch calls it, such as "cuda".
        level: level of theory, for the card; read from info "level" if None.
        energy_key, forces_key, stress_key: names of the labels where ASE does not know them, such
            as "REF_energy"; see `interpmd.structures.files.keys`.
        out: folder for the potential and its report. A fit that is interrupted or killed leaves
            a checkpoint beside it, ``<out>.partial``, from which the same call continues.
        seed: of the random radial network, the split and the samples.
        progress: whether to show progress bars.
        watch: called with a `FitProgress` at every step, as `FitMonitor` is. A watched fit is
            also solved after a sixteenth, an eighth, a quarter and a half of its frames; it ends
            with the same potential.
        keep_equations: whether the report keeps the normal equations, 8 bytes times the square of
            the number of weights, with which a `GrowingFit` or `on_the_fly` begins at once. It does
            not where they were solved together, with `mean_weight`, on a GPU, or where those of
            all `members` exceed `memory`.

    Raises:
        LabelError: labels missing (the keys that look like them are named), infinite, or
            contradicting each other (units, signs, frames; see `interpmd.fitting.checks`).
        StructureFileError: a file that cannot be read.
        ArgumentError: numbers that make no sense, or a subset that no frame is of.
        StructureError: structures that cannot be used.
        UnknownElementError: `valid` or `test` hold elements that `train` does not have.
        MemoryLimitError: the problem does not fit into `memory`.
        MissingPackageError: `refine` without numba.
        OutputError, PotentialFileError: `out` cannot be written, or holds something else; this is
            checked before anything is computed. If the disk fills up meanwhile, the error's
            `report` holds the fit, and its text says where it was saved instead.
    """
    started = time.perf_counter()
    if out is not None:
        prepare_output(out)
        check_place(Path(out))
    spec = as_spec(spec)
    check_numbers(
        energy_weight,
        virial_weight,
        memory,
        seed,
        ridge,
        validation,
        refine,
        mean_weight,
        soft_weight,
    )
    arguments.one_of(("keep", "leave out"), outliers=outliers)
    arguments.count(members=1 if members is None else members)
    if refine:
        required("numba", "refine=")
    keys = Keys(energy_key, forces_key, stress_key)
    frames = labelled_frames(read_frames(train), keys)
    labels.check_labels(frames)
    weights = check_subset_weights(frames, subset_weights or {})
    settings = FitSettings(
        energy_weight, virial_weight, weights, memory, seed, device, mean_weight, soft_weight
    )
    elements = {int(z) for atoms in frames for z in atoms.numbers}
    others = {
        name: _others(source, elements, f"{name} data", keys)
        for name, source in (("valid", valid), ("test", test))
        if source is not None
    }
    checked = check_data(
        frames,
        others,
        isolated=labels.known_isolated_energies(frames, isolated_energies),
        cutoff=spec.cutoff,
        level=level,
        weights=weights,
        leave_out=outliers == "leave out",
        seed=seed,
    )
    findings = settle(checked.findings)
    frames = [a for i, a in enumerate(frames) if i not in set(checked.left_out)]
    labelled = {"train": frames} | others
    corrected = None
    if baseline is not None:
        corrected = baseline_term(baseline, frames)
        frames = differences(corrected, frames, "training data", progress)
        findings = (*findings, *settle(nothing_to_correct(corrected, frames)))
        labelled = {n: [a for a in m if not labels.is_isolated(a)] for n, m in labelled.items()}
        others = {name: differences(corrected, m, name, progress) for name, m in others.items()}
        isolated_energies = "average"
    isolated = labels.isolated_energies(frames, isolated_energies)
    used = [a for a in frames if not labels.is_isolated(a)]
    if not used:
        raise LabelError("the training data hold single atoms only; there is nothing to learn")

    base = unlearned(isolated, spec.terms)
    if refine is None:
        refine = usual_rounds(used, isolated, spec, settings)
    if validation is None:
        validation = usual_validation(len(used), refine > 0)
    refined = refine > 0 and spec.channels is None
    spec = with_channels(replace(spec, lmax=spec.degrees(refined)), used)
    if spec.basis is None:
        spec = replace(spec, basis=choose_basis(used, base, spec, settings, progress, watch))
    halved = refined and spec.weights is None
    spec = choose_size(used, isolated, spec, settings, refined)
    problem = Problem(spec.expansion(isolated, seed), base, spec, settings)
    if members is None:
        size = len(problem.term.columns)
        members = usual_members(corrected is not None, len(used), size, halved)
    problem, solved, histories = solve_members(
        problem,
        members,
        used,
        others.get("valid"),
        fraction=validation,
        ridge=ridge,
        out=out,
        progress=progress,
        watch=watch,
        keep=keep_equations,
        rounds=refine,
    )
    potential = problem.finish(solved, used)
    apart = bool(solved.scan.attrs.get("apart"))
    provenance = _provenance(problem, solved) | {
        **({"members": members, "apart": apart} if members > 1 else {}),
        "train": str(train) if isinstance(train, str | Path) else f"{len(frames)} frames",
        "frames": len(frames),
        "data": labels.digest_of(used),
        "data_sketch": labels.sketch_of(used),
        **states_of(used),
        "distances": SeenDistances.of(used, potential.cutoff).to_json(),
        "force_slope": checked.force_factor,
        **({"refine": refine, "refinement": histories} if refine else {}),
    }
    level = level or next((str(a.info["level"]) for a in frames if "level" in a.info), None)
    potential.card = Card(level, provenance)
    fitted = time.perf_counter() - started
    sets = {"train": used[:: max(1, len(used) // 100)]} | others
    errors = {name: evaluate(potential, many, progress=progress) for name, many in sets.items()}
    sample = others.get("test", used)
    sample = sample[:: max(1, len(sample) // 100)]
    orders = body_order_shares(potential, sample, budget=SPLIT)
    if corrected is not None:
        potential = with_baseline(potential, corrected)
        some = labelled["train"][:: max(1, len(used) // 100)]
        errors = of_the_sum(errors, sets, labelled | {"train": some}, base)
    if watch is not None:
        watch(FitProgress("test", 1, 1, evaluation=errors.get("test")))
    summaries = {name: e.summary() for name, e in errors.items()}
    potential.card = replace(potential.card, errors=summaries)
    kept = None
    if solved.sums:
        own = [a for a in labelled["train"] if not labels.is_isolated(a)]
        kept = KeptEquations(solved.sums, used, own, weights)
    report = FitReport(potential, solved.scan, errors, fitted, sample, orders, findings, kept)
    if out is not None:
        _save(report, Path(out))
        remove_checkpoints(out)
    return report


def _others(source: Structures, elements: Iterable[int], name: str, keys: Keys) -> list[Atoms]:
    """Labelled frames that are not training data, with elements that the training data have."""
    frames = labelled_frames(read_frames(source), keys)
    labels.check_labels(frames, name)
    labels.check_elements_of(frames, elements, name)
    return frames


def _provenance(problem: Problem, solved: Solved) -> dict[str, Any]:
    """Versions, settings and choices, for the card."""
    spec = problem.spec
    return {
        "interpmd": package_version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seed": problem.settings.seed,
        "spec": asdict(spec) | {"terms": {k: dict(v) for k, v in spec.terms.items()}},
        "weights": len(problem.term.columns),
        "ridge": solved.ridge,
        "least_rows": solved.scan.attrs["least_rows"],
        "energy_weight": problem.settings.energy_weight,
        "mean_weight": problem.settings.mean_weight,
        "soft_weight": problem.settings.soft_weight,
        "subset_weights": dict(problem.settings.subset_weights),
    }


def _save(report: FitReport, out: Path) -> None:
    """Save the report, in a temporary folder if its own can no longer be written."""
    try:
        report.save(out)
    except (OSError, InterpmdError) as error:
        where = "in this error's `report`"
        with contextlib.suppress(OSError, InterpmdError):
            rescue = Path(tempfile.mkdtemp(prefix="interpmd-")) / out.name
            report.save(rescue)
            where += f" and in {rescue}"
        failure = OutputError(f"{out} was not saved: {error}; the fit is {where}")
        failure.report = report
        raise failure from error


def choose_basis(
    frames: Sequence[Atoms],
    base: Potential,
    spec: Spec,
    settings: FitSettings,
    progress: bool,
    watch: Watch | None = None,
    most: int = 200,
) -> int:
    """Number of Bessel functions whose small trial fit validates best."""
    chosen = np.random.default_rng(settings.seed).permutation(len(frames))[:most]
    sample = [frames[i] for i in chosen]
    channels = tuple(max(2, k // 5) for k in spec.channels or CHANNELS)
    elements = base.elements or ()
    errors: dict[int, float] = {}
    for basis in tqdm(BASES, desc="smoothness", unit="trial", disable=not progress):
        trial = replace(spec, basis=basis, channels=channels, weights=spec.size(len(elements)) // 4)
        problem = Problem(trial.expansion(elements, settings.seed), base, trial, settings)
        solved = problem.solve(sample, fraction=0.25, samples=False)
        errors[basis] = solved.scan.validation_error.min()
        if watch is not None:
            watch(FitProgress("smoothness", len(errors), len(BASES), basis, errors[basis]))
    return min(errors, key=lambda basis: errors[basis])


def unlearned(isolated: Mapping[int, float], terms: Mapping[str, Mapping[str, Any]]) -> Potential:
    """Isolated atoms and physics terms: what is not learned."""
    parts: dict[str, Term] = {"isolated": Isolated(isolated)}
    for kind, given in terms.items():
        if kind not in TERMS:
            raise ArgumentError(f"no term is called {kind!r}; known: {', '.join(sorted(TERMS))}")
        parts[kind] = TERMS[kind](**given)
    return Potential(parts, elements=sorted(isolated))


def package_version() -> str:
    """Version of interpmd."""
    try:
        return version("interpmd")
    except PackageNotFoundError:
        return "0+unknown"
