"""Quantum labels: energies and forces for many structures, one by one, resumable."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import chemical_symbols, ground_state_magnetic_moments

from interpmd import arguments
from interpmd.errors import (
    ArgumentError,
    InterpmdError,
    MissingPackageError,
    OutputError,
    StructureError,
    UnknownElementError,
)
from interpmd.keywords import renamed
from interpmd.levels.by_calculator import CalculatorLevel
from interpmd.levels.calculation import Level, Result
from interpmd.levels.names import resolve
from interpmd.reference.checks import check_electrons, check_structure
from interpmd.reference.remote import Killed
from interpmd.reference.store import CODE_KEY, HASH_KEY, LEVEL_KEY, FrameStore, content_hash
from interpmd.reference.workers import spread
from interpmd.structures.charges import multiplicity_of, stated_multiplicity, whole_charge
from interpmd.structures.files import Structures, read_frames


@dataclass(frozen=True)
class _Job:
    index: int
    key: str
    atoms: Atoms
    charge: int
    multiplicity: int


@renamed(method="level")
def label(
    frames: Structures,
    level: str | Calculator = "gfn2-xtb",
    out: str | Path | None = None,
    workers: int | None = None,
    charge: int = 0,
    multiplicity: int = 1,
    progress: bool = True,
    retry_failed: bool = True,
    invalid: str = "raise",
    *,
    client: Any = None,
) -> list[Atoms]:
    """Energies (eV) and forces (eV/Å) of structures at a level of theory.

    Args:
        frames: structures, or files of them (see `read_frames`).
        level: ``"gfn2-xtb"``, ``"gfn1-xtb"`` or ``"functional/basis"`` such as
            ``"wb97x-d3bj/def2-svp"``; ``interpmd.reference.available_levels`` lists them. Or any
            ASE calculator, that of another potential for instance; with several workers it must
            be one that can be pickled.
        out: an extxyz file that grows by one frame at a time. Calling again with the same file
            skips the frames that it holds, wherever they stand in it; a last frame cut off by a
            kill is made again, and lines that belong to no frame are kept in
            ``<out>.unreadable``. Failures go to ``<out>.failed.jsonl`` with index, hash and
            reason. Frames carry seals, which `read_frames` and `fit` check.
        workers: number of processes, one thread each; if None this one, and all cores where
            that ends much earlier. To ask for more than one a script needs the guard
            ``if __name__ == "__main__"`` (notebooks need nothing). Frames whose process is killed
            are tried again, one at a time, and one that is killed again is a failure.
        client: a ``dask.distributed.Client``, whose workers calculate instead; what a lost worker
            had is calculated by others.
        charge, multiplicity: of structures that name none; see `interpmd.structures.charges` for
            where one does.
        progress: show a bar.
        retry_failed: try the recorded failures of ``out`` again.
        invalid: ``"raise"`` or ``"skip"`` structures that no method could label (NaN, overlapping
            atoms, wrong parity of electrons); skipped ones are recorded as failures.

    Returns:
        The labelled structures in the order of the input, failed ones left out (with a warning
        that sums up the reasons). Each carries a SinglePointCalculator and, in ``info``,
        ``level``, ``code`` (program and version) and ``label_hash``; other entries of ``info``
        are kept.

    Raises:
        UnknownLevelError, MissingPackageError: before anything is computed.
        StructureError: also before: empty structure, positions that are not finite, overlapping
            atoms, electrons that do not fit the multiplicity.
        LevelMismatchError: ``out`` holds another level of theory, or no labels; it stays as it is.
        LabelSealError: a frame of ``out`` was altered; it stays as it is.
        OutputError: ``out`` cannot be written, or another call writes it; ``report`` of the
            error holds what is labelled.
    """
    arguments.one_of(("raise", "skip"), invalid=invalid)
    arguments.count(workers=1 if workers is None else workers, multiplicity=multiplicity)
    arguments.finite(charge=charge)
    if out is not None and Path(out).suffix == ".gz":
        raise ArgumentError(f"out={str(out)!r} grows line by line and cannot be compressed")
    theory = resolve(level)
    by_calculator = isinstance(theory, CalculatorLevel)
    if by_calculator and theory.charge is not None:
        charge = charge or round(theory.charge)
    jobs, failures = [], {}
    for index, atoms in enumerate(read_frames(frames)):
        job = _job(index, atoms, theory, charge, multiplicity)
        jobs.append(job)
        try:
            check_structure(atoms)
            if not by_calculator or stated_multiplicity(atoms) is not None:
                check_electrons(atoms, job.charge, job.multiplicity)
        except StructureError as error:
            if invalid == "raise":
                raise StructureError(f"frame {index}: {error}") from None
            failures[job.key] = str(error)

    with nullcontext() if out is None else FrameStore(Path(out), theory.name) as store:
        done = store.load() if store else {}
        try:
            todo = _to_do(jobs, done, failures, store, retry_failed)
            for job, outcome in _outcomes(todo, theory, workers, client, progress):
                if isinstance(outcome, Result):
                    done[job.key] = _labelled(job, outcome, theory)
                    if store:
                        store.append(done[job.key])
                else:
                    failures[job.key] = str(outcome)
                    if store:
                        store.append_failure(job.index, job.key, failures[job.key])
        except OutputError as error:
            error.report = _in_order(jobs, done)
            raise
        _warn_of([job for job in jobs if job.key not in done], failures, store)
    return _in_order(jobs, done)


def _to_do(
    jobs: list[_Job],
    done: dict[str, Atoms],
    failures: dict[str, str],
    store: FrameStore | None,
    retry_failed: bool,
) -> list[_Job]:
    """What is to be calculated, each once; failures that are known already are noted."""
    first = {job.key: job for job in reversed(jobs)}
    todo = [job for job in jobs if first[job.key] is job and job.key not in done]
    if store:
        if retry_failed:
            store.forget_failures({job.key for job in todo})
        else:
            failures |= {key: record["reason"] for key, record in store.failures().items()}
        known = store.failures()
        for job in todo:
            if job.key in failures and job.key not in known:
                store.append_failure(job.index, job.key, failures[job.key])
    return [job for job in todo if job.key not in failures]


def _in_order(jobs: list[_Job], done: dict[str, Atoms]) -> list[Atoms]:
    return [_with_info(done[job.key], job.atoms) for job in jobs if job.key in done]


@renamed(method="level")
def isolated_atoms(
    numbers: Iterable[int | str], level: str | Calculator = "gfn2-xtb", progress: bool = False
) -> list[Atoms]:
    """Isolated atoms labelled at the same level, one frame per element.

    numbers: atomic numbers or symbols; repeats count once. Each atom is neutral and in its ground
    state's multiplicity (Hund's rules; unrestricted where it is open-shell). The frames carry
    ``info["config_type"] = "IsolatedAtom"`` and their multiplicity, so that they can stand in a
    training file beside molecules.

    Raises UnknownElementError for what is no element, InterpmdError where the level has no energy.
    """
    symbols, frames = [_element(given) for given in _elements(numbers)], []
    for symbol in dict.fromkeys(symbols):
        atom = Atoms(symbol, positions=[[0.0, 0.0, 0.0]])
        unpaired = round(ground_state_magnetic_moments[atom.numbers[0]])
        atom.info |= {"config_type": "IsolatedAtom", "multiplicity": unpaired + 1}
        frames.append(atom)
    labelled = label(frames, level, progress=progress)
    if len(labelled) < len(frames):
        raise InterpmdError(f"{level} gave no energy for some of the atoms {symbols}")
    return labelled


def _elements(given: Any) -> Iterable[Any]:
    if isinstance(given, str):  # "HO", "NaCl"
        return re.findall("[A-Z][a-z]*|.", given)
    if not isinstance(given, Iterable):
        raise ArgumentError(f"elements are given as 'HO', ['H', 'O'] or [1, 8], not {given!r}")
    return given


def _element(given: Any) -> str:
    """The symbol of an element that is known by symbol or number."""
    known = chemical_symbols[1:]
    if given in known:
        return str(given)
    whole = isinstance(given, int | np.integer) and not isinstance(given, bool)
    if not whole or not 1 <= given <= len(known):
        raise UnknownElementError(f"{given!r} is no element: give symbols or atomic numbers")
    return chemical_symbols[given]


def _job(index: int, atoms: Atoms, level: Level, charge: int, multiplicity: int) -> _Job:
    charge = whole_charge(atoms, charge, f"frame {index}")
    multiplicity = multiplicity_of(atoms, multiplicity, f"frame {index}")
    key = content_hash(atoms, level.name, charge, multiplicity)
    return _Job(index, key, atoms, charge, multiplicity)


def _evaluate(level: Level, atoms: Atoms, charge: int, multiplicity: int) -> Result | str:
    try:
        return level.evaluate(atoms, charge, multiplicity)
    except MissingPackageError:
        raise
    except Exception as error:  # any failure of one frame must not end the run of the others
        return f"{type(error).__name__}: {error}"


def _outcomes(
    jobs: list[_Job], level: Level, workers: int | None, client: Any, progress: bool
) -> Iterator[tuple[_Job, Result | str | Killed]]:
    from tqdm.auto import tqdm

    bar = tqdm(total=len(jobs), desc=level.name, unit="frame", disable=not progress or not jobs)
    arguments = [(level, _bare(job.atoms), job.charge, job.multiplicity) for job in jobs]
    names = [f"frame {job.index}" for job in jobs]
    with bar:
        results = spread(_evaluate, arguments, names, workers, client)
        for job, result in zip(jobs, results, strict=True):
            yield job, result
            bar.update()


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _labelled(job: _Job, result: Result, level: Level) -> Atoms:
    atoms = _bare(job.atoms)
    atoms.info = dict(job.atoms.info)
    atoms.info |= {"charge": job.charge, "multiplicity": job.multiplicity}
    atoms.info |= {LEVEL_KEY: level.name, CODE_KEY: level.code, HASH_KEY: job.key}
    stress = {} if result.stress is None else {"stress": result.stress}
    atoms.calc = SinglePointCalculator(atoms, energy=result.energy, forces=result.forces, **stress)
    return atoms


def _with_info(labelled: Atoms, asked: Atoms) -> Atoms:
    frame = labelled.copy()
    assert labelled.calc is not None, "labelled frames carry their results"
    results = labelled.calc.results
    frame.calc = SinglePointCalculator(frame, **{k: np.copy(v)[()] for k, v in results.items()})
    frame.info = dict(labelled.info) | {
        key: value for key, value in asked.info.items() if key not in labelled.info
    }
    return frame


def _warn_of(failed: list[_Job], failures: dict[str, str], store: FrameStore | None) -> None:
    if not failed:
        return
    reasons = {}
    for job in failed:
        reasons.setdefault(failures[job.key], []).append(job.index)
    shown = [
        f"{len(indices)} x {reason} (first: frame {indices[0]})"
        for reason, indices in sorted(reasons.items(), key=lambda item: -len(item[1]))[:3]
    ]
    where = f"; all of them in {store.failures_path}" if store else ""
    count = "1 frame has" if len(failed) == 1 else f"{len(failed)} frames have"
    warnings.warn(f"{count} no label: {'; '.join(shown)}{where}", stacklevel=3)
