"""Explained frames in a file that grows by one line a frame, from which the same call goes on.

The first line says what is explained; each other one holds a frame: values and samples by row,
their names and sums, in JSON, numbers to the last bit, with the digest of the frame and a seal.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms

from interpmd.attribution.over_time.collected import About, Heading, Row
from interpmd.errors import ExplanationFileError, ExplanationSealError
from interpmd.storage import append, canonical, locked, replace_file, seal_of
from interpmd.structures.files import prepare_output
from interpmd.structures.seals import exact_seal

FORMAT, VERSION = "interpmd-explained-frames", 1


class Kept:
    """Explained frames of one question in a file; a block, during which nobody else writes it.

    Args:
        path: of the file.
        question: what is explained, and of what model; JSON values.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
        ExplanationFileError: it holds something else, or other explanations; it stays as it is.
        ExplanationSealError: a line was altered; it stays as it is.
    """

    def __init__(self, path: str | Path, question: dict[str, Any]) -> None:
        self.path, self._open = Path(path), ExitStack()
        self._rows: dict[str, Row] = {}
        self._question = json.loads(json.dumps(question, default=str))
        self._seal = seal_of(canonical(self._question))

    def __enter__(self) -> Self:
        prepare_output(self.path)
        self._open.enter_context(locked(self.path))
        try:
            self._read()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

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
        append(self.path, self._sealed({"frame": name, **_as_json(row)}))

    def _sealed(self, line: dict[str, Any]) -> str:
        line = json.loads(json.dumps(line, default=_plain))
        return json.dumps(line | {"seal": seal_of(self._seal, canonical(line))}) + "\n"

    def _read(self) -> None:
        head = {"format": FORMAT, "version": VERSION, "question": self._question}
        data = self.path.read_bytes() if self.path.exists() else b""
        whole, _, torn = data.rpartition(b"\n")
        start = self._sealed(head).encode()
        if not whole and start.startswith(data):  # none, or broken off in its first line
            replace_file(self.path, start)
            return
        first, *lines = whole.split(b"\n")
        self._check_head(first)
        for number, line in enumerate(lines, start=2):
            found = self._unsealed(line, number)
            self._rows[found["frame"]] = _from_json(found)
        if torn:  # a frame that was never finished
            replace_file(self.path, whole + b"\n")

    def _check_head(self, line: bytes) -> None:
        try:
            head = json.loads(line)
            form, version, question = (head[name] for name in ("format", "version", "question"))
        except (ValueError, KeyError, TypeError):
            form = version = question = None
        if form != FORMAT:
            raise ExplanationFileError(
                f"{self.path} exists and holds no explained frames; choose another file for out=, "
                "this one was left as it is"
            )
        if version != VERSION:
            raise ExplanationFileError(
                f"{self.path} is of version {version}, and this interpmd reads {VERSION}"
            )
        names = question if isinstance(question, dict) else {}
        if other := [k for k in names | self._question if names.get(k) != self._question.get(k)]:
            raise ExplanationFileError(
                f"{self.path} holds explanations with other settings ({', '.join(other)}); choose "
                "another file for out="
            )

    def _unsealed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
            seal = found.pop("seal")
        except (ValueError, KeyError, AttributeError, TypeError):
            found, seal = {}, None
        if seal != seal_of(self._seal, canonical(found)):
            raise ExplanationSealError(
                f"{self.path}: line {number} is not what was written, it was altered or damaged; "
                "delete that line to have its frame explained again, or choose another file"
            )
        return found


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


def _plain(value: Any) -> Any:
    """Numbers of numpy as those of JSON."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)


def _frozen(value: Any) -> Any:
    """Lists of JSON as tuples."""
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value
