"""A file of evaluated molecules that grows line by line and survives being cut off at any moment.

The first line says what was explored; each other line is one molecule with its structures, so that
nothing has to be computed twice. A last line that was cut off is dropped.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.design.evaluate import Evaluated
from interpmd.design.scaffold import Design, Space
from interpmd.errors import DesignError, DesignFileError
from interpmd.storage import append, as_read, locked, replace_file
from interpmd.structures.files import prepare_output

#: Columns of a table after those of the sites.
TABLE = ("value", "reason", "doubts", "smiles")


@dataclass(frozen=True)
class DesignStore:
    """Evaluated molecules in a file; a block, during which nobody else writes it.

    Attributes:
        path: the file (".jsonl").
        space: the molecules.
        about: what tells one exploration from another: scaffold, objective, model, effort.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
    """

    path: Path
    space: Space
    about: dict[str, Any]
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        prepare_output(self.path)
        self._open.enter_context(locked(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def load(self) -> list[Evaluated]:
        """Molecules of the file that are in the space, in their order.

        Raises:
            DesignFileError: it holds another exploration, or something else; it stays as it is.
        """
        found = []
        for record in records_of(self.path, self.about, "another exploration"):
            try:
                design = self.space.design(record["groups"])
            except DesignError:
                continue  # a group that is not tried this time
            found.append(as_evaluated(record, design))
        return found

    def append(self, evaluated: Evaluated) -> None:
        """Write one molecule to the end of the file and hand it to the disk.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        append(self.path, json.dumps(as_record(self.space, evaluated)) + "\n")


def records_of(
    path: Path, about: dict[str, Any], other: str, mark: str = "scaffold"
) -> list[dict[str, Any]]:
    """Records of a file, which is begun if there is none; a torn last line is cut off.

    Args:
        path: the file.
        about: what tells one file from another, its first line.
        other: what it holds where that differs, in words.
        mark: see `read_lines`.

    Raises:
        DesignFileError: it holds something else, or is damaged; it stays as it is.
    """
    if not path.exists():
        replace_file(path, json.dumps(as_read(about)) + "\n")
        return []
    known, records, whole = read_lines(path, mark)
    for name, value in about.items():
        if known.get(name) != value:
            raise DesignFileError(
                f"{path} holds {other}: {name} is {known.get(name)!r} there and {value!r} here; "
                "choose another file for out="
            )
    if whole is not None:
        replace_file(path, whole)
    return records


def read_lines(
    path: Path, mark: str = "scaffold"
) -> tuple[dict[str, Any], list[dict[str, Any]], str | None]:
    """What a file was made for, its records, and its text without a torn last line if it has one.

    Args:
        path: the file.
        mark: what its first line must name.

    Raises:
        DesignFileError: it is no such file, or a line in its middle is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DesignFileError(f"{path} cannot be read: {error}") from error
    lines = text.splitlines(keepends=True)
    parsed: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not line.endswith("\n"):
                raise ValueError
        except ValueError:
            if number and number == len(lines) - 1:
                return parsed[0], parsed[1:], "".join(lines[:-1])
            raise DesignFileError(
                f"{path}, line {number + 1} is no record of a search; the file was left as it is"
            ) from None
        parsed.append(record)
    if not parsed or mark not in parsed[0]:
        raise DesignFileError(
            f"{path} does not say what was searched ({mark!r}); the file was left as it is"
        )
    return parsed[0], parsed[1:], None


def as_record(space: Space, evaluated: Evaluated) -> dict[str, Any]:
    """A molecule as JSON can hold it; positions to 1e-5 Å, forces to 1e-5 eV/Å."""
    return {
        "groups": list(space.names(evaluated.design)),
        "smiles": evaluated.smiles,
        "value": evaluated.value,
        "reason": evaluated.reason,
        "doubts": list(evaluated.doubts),
        "grade": evaluated.grade,
        "seconds": round(evaluated.seconds, 2),
        "guesses": evaluated.guesses,
        "structures": {name: plain(atoms) for name, atoms in evaluated.structures.items()},
    }


def as_evaluated(record: dict[str, Any], design: tuple[int, ...]) -> Evaluated:
    """A molecule from what JSON held."""
    return Evaluated(
        design,
        record["smiles"],
        record["value"],
        record["reason"],
        tuple(record["doubts"]),
        {name: atoms_of(plain) for name, plain in record["structures"].items()},
        record["grade"],
        record["seconds"],
        record.get("guesses", 0),
    )


def write_table(path: Path, space: Space, evaluated: Iterable[Evaluated]) -> None:
    """Molecules without their structures, one a row (".csv.gz"), the same bytes for the same ones.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*(f"site {site}" for site in space.sites), *TABLE])
    for one in evaluated:
        value = "" if one.value is None else f"{one.value:.6f}"
        doubts = "; ".join(one.doubts)
        rows.writerow([*space.names(one.design), value, one.reason or "", doubts, one.smiles])
    replace_file(path, gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0))


def read_table(path: Path, space: Space) -> dict[Design, Evaluated]:
    """Molecules of a table that `write_table` made.

    Raises:
        DesignFileError: it cannot be read, or holds other columns.
        DesignError: a molecule that is not in the space.
    """
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise DesignFileError(f"{path} cannot be read: {error}") from error
    head, *rows = csv.reader(lines)
    wanted = [*(f"site {site}" for site in space.sites), *TABLE]
    if head != wanted:
        raise DesignFileError(f"{path} has the columns {head}, not {wanted}")
    found = {}
    for *names, value, reason, doubts, smiles in rows:
        design = space.design(names)
        told = tuple(doubts.split("; ")) if doubts else ()
        found[design] = Evaluated(
            design, smiles, float(value) if value else None, reason or None, told
        )
    return found


def plain(atoms: Atoms) -> dict[str, Any]:
    """A structure with energy and forces as JSON can hold it."""
    found: dict[str, Any] = {
        "numbers": atoms.numbers.tolist(),
        "positions": np.round(atoms.positions, 5).tolist(),
        "energy": float(atoms.get_potential_energy()),
        "forces": np.round(atoms.get_forces(), 5).tolist(),
    }
    if atoms.info.get("charge"):
        found["charge"] = int(atoms.info["charge"])
    return found


def atoms_of(plain: dict[str, Any]) -> Atoms:
    """The structure that JSON held."""
    info = {"charge": plain["charge"]} if "charge" in plain else {}
    atoms = Atoms(plain["numbers"], plain["positions"], info=info)
    atoms.calc = SinglePointCalculator(
        atoms, energy=plain["energy"], forces=np.array(plain["forces"])
    )
    return atoms
