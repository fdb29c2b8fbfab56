"""Explained frames in a file that grows by one line a frame, from which the same call goes on.

The first line says what is explained; each other one holds a frame: values and samples by row,
their names and sums, in JSON, numbers to the last bit, with the digest of the frame and a seal.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.attribution.over_time.collected import About, Heading, Row
from interpmd.errors import ExplanationFileError, ExplanationSealError
from interpmd.storage import as_read, seal_of
from interpmd.structures.files.sealed_lines import SealedLines
from interpmd.structures.seals import exact_seal


class Kept(SealedLines):
    """Explained frames of one question in a file; a block, during which nobody else writes it.

    Args:
        path: of the file.
        question: what is explained, and of what model; JSON values.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
        ExplanationFileError: it holds something else, or other explanations; it stays as it is.
        ExplanationSealError: a line was altered; it stays as it is.
    """

    form, key, holds = "interpmd-explained-frames", "question", "explained frames"
    instead = "delete that line to have its frame explained again, or choose another file"
    foreign, damaged = ExplanationFileError, ExplanationSealError

    def __init__(self, path: str | Path, question: dict[str, Any]) -> None:
        super().__init__(path, question)
        self._rows: dict[str, Row] = {}

    def take(self, line: dict[str, Any], number: int) -> None:
        """Take a frame from the file."""
        self._rows[line["frame"]] = _from_json(line)

    def get(self, atoms: Atoms, words: str) -> Row | None:
        """What was kept of a frame; None if it was not explained yet."""
        return self._rows.get(exact_seal(atoms, words))

    def add(self, atoms: Atoms, words: str, row: Row) -> None:
        """Write a frame to the end of the file.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        name = exact_seal(atoms, words)
        self._rows[name] = row
        self.write(as_read({"frame": name, **_as_json(row)}))


def frames_digest(frames: Sequence[Atoms]) -> str:
    """What tells frames from others; names of rows and coordinates depend on all of them."""
    return seal_of(*(exact_seal(_bare(atoms), "") for atoms in frames))[:16]


def _bare(atoms: Atoms) -> Atoms:
    return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)


def _as_json(row: Row) -> dict[str, Any]:
    rows = [
        [key, asdict(row.about[key]), _packed(value), _packed(row.samples.get(key))]
        for key, value in row.values.items()
    ]
    sums = {"total": _packed(row.total), "predicted": _packed(row.predicted)}
    return {"heading": asdict(row.heading), "rows": rows, **sums}


def _from_json(line: dict[str, Any]) -> Row:
    heading = Heading(**line["heading"] | {"tail": tuple(line["heading"]["tail"])})
    about, values, samples = {}, {}, {}
    for key, one, value, drawn in line["rows"]:
        key = _frozen(key)
        about[key], values[key] = About(**one), _unpacked(value)
        if drawn is not None:
            samples[key] = _unpacked(drawn)
    return Row(
        heading, about, values, samples, _unpacked(line["total"]), _unpacked(line["predicted"])
    )


def _packed(array: np.ndarray | float | None) -> list | None:
    """An array as its type, shape and bytes in base64."""
    if array is None:
        return None
    array = np.asarray(array)
    array = array.astype(array.dtype.newbyteorder("<"))
    return [array.dtype.str, list(array.shape), base64.b64encode(array.tobytes()).decode()]


def _unpacked(packed: list) -> np.ndarray:
    kind, shape, data = packed
    return np.frombuffer(base64.b64decode(data), dtype=kind).reshape(shape).copy()


def _frozen(value: Any) -> Any:
    """Lists of JSON as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
