"""Relaxations of many structures: on all cores, each once, remembered in a file.

What a structure relaxes to is kept under the digest of where it began, so that a search that was
cut off, or is asked for more, computes only what is new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.design.geometry import Relaxed, relaxed
from interpmd.design.store import atoms_of, plain, records_of
from interpmd.errors import CalculationError
from interpmd.reference.workers import Killed, spread
from interpmd.storage import append, canonical, read_and_held, seal_of
from interpmd.structures.files import prepare_output


@dataclass(frozen=True)
class Relaxations:
    """Structures relaxed by a model; a block, during which nobody else writes the file.

    Attributes:
        calculator: the model.
        fmax: largest force in eV/Å that is left.
        about: what tells one file from another: molecule, model, limits.
        path: file (".jsonl") that grows by one structure at a time; None for none.
        workers: processes; None for all cores where that pays.
        progress: show a bar.

    Raises:
        DesignFileError: the file holds something else; it stays as it is.
        OutputError: the file cannot be written, or somebody else has it.
    """

    calculator: Calculator
    fmax: float
    about: dict[str, Any]
    path: Path | None = None
    workers: int | None = None
    progress: bool = True
    _known: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False)
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        if self.path is None:
            return self
        prepare_output(self.path)
        records = self._open.enter_context(read_and_held(self.path, self._read))
        self._known.update({record["start"]: record["structures"] for record in records})
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _read(self, path: Path) -> list[dict[str, Any]]:
        return records_of(path, self.about, "other conformers", "conformers of")

    def relaxed(self, starts: Sequence[Atoms], word: str) -> list[Relaxed | None]:
        """What structures relax to, in their order; None where that fails.

        Args:
            starts: where they begin.
            word: what they are, for the bar.

        Raises:
            OutputError: the file cannot be written.
        """
        jobs = [(start, self.calculator, self.fmax) for start in starts]
        found = self._remembered(_one, jobs, [_name(start) for start in starts], word)
        return [_relaxed(records[0]) if records else None for records in found]

    def searched(
        self, function: Callable[..., list[Atoms]], start: Atoms, words: str, *more: Any
    ) -> list[Atoms]:
        """Structures without energies that a search from one structure finds.

        Args:
            function: of the top level of a module, of `start`, the model and `more`.
            start: where it begins.
            words: that tell this search from others, `more` included.
        """
        name = seal_of(words, _name(start))
        found = self._remembered(
            _search, [(function, start, self.calculator, *more)], [name], words.split()[0]
        )
        return [Atoms(one["numbers"], one["positions"], info=_charge(one)) for one in found[0]]

    def _remembered(
        self, function: Callable[..., Any], jobs: Sequence[tuple], names: Sequence[str], word: str
    ) -> list[list[dict[str, Any]]]:
        from tqdm.auto import tqdm

        new = [k for k, name in enumerate(names) if name not in self._known]
        new = list({names[k]: k for k in reversed(new)}.values())[::-1]
        results = spread(
            function, [jobs[k] for k in new], [f"{word} {k}" for k in new], self.workers
        )
        desc, off = f"{self.about['level']}, {word}", not self.progress or not new
        for k, records in zip(new, tqdm(results, desc, len(new), disable=off), strict=True):
            records = [] if isinstance(records, Killed) else records
            self._known[names[k]] = records
            if self.path is not None:
                append(self.path, json.dumps({"start": names[k], "structures": records}) + "\n")
        return [self._known[name] for name in names]


def _name(atoms: Atoms) -> str:
    where = np.round(atoms.positions, 4) + 0.0  # no negative zeros
    return seal_of(canonical([atoms.numbers.tolist(), where.tolist(), _charge(atoms.info)]))


def _charge(info: Any) -> dict[str, int]:
    return {"charge": int(info["charge"])} if info.get("charge") else {}


def _one(start: Atoms, calculator: Calculator, fmax: float) -> list[dict[str, Any]]:
    """One relaxation, in a process of its own or not, as a file holds it."""
    try:
        there = relaxed(start, calculator, fmax)
    except CalculationError:
        return []
    return [{**plain(there.atoms), "converged": there.converged, "steps": there.steps}]


def _relaxed(record: dict[str, Any]) -> Relaxed:
    return Relaxed(atoms_of(record), record["converged"], record["steps"])


def _search(
    function: Callable[..., list[Atoms]], start: Atoms, calculator: Calculator, *more: Any
) -> list[dict[str, Any]]:
    return [
        {
            "numbers": atoms.numbers.tolist(),
            "positions": np.round(atoms.positions, 5).tolist(),
            **_charge(atoms.info),
        }
        for atoms in function(start, calculator, *more)
    ]
