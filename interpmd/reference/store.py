"""A growing extxyz file of labelled frames that survives being cut off at any moment.

One frame is appended and flushed at a time. Failures are kept beside it, one JSON object a line,
in ``<file>.failed.jsonl``.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import extxyz

from interpmd.errors import LevelMismatchError

HASH_KEY = "label_hash"
LEVEL_KEY = "level"
CODE_KEY = "code"


def content_hash(atoms: Atoms, level: str, charge: int, multiplicity: int) -> str:
    """Sixteen hexadecimal digits that name a calculation.

    Covers atomic numbers, positions and cell (rounded to 1e-6 Å), periodicity, charge,
    multiplicity and level of theory.
    """
    digest = hashlib.sha256()
    digest.update(np.asarray(atoms.numbers, dtype="<i8").tobytes())
    for array in (atoms.positions, atoms.cell.array):
        # adding zero turns -0.0 into 0.0, which is the same place
        digest.update((np.round(array, 6) + 0.0).astype("<f8").tobytes())
    digest.update(np.asarray(atoms.pbc, dtype="u1").tobytes())
    digest.update(f"{charge} {multiplicity} {level}".encode())
    return "h" + digest.hexdigest()[:16]


@dataclass(frozen=True)
class FrameStore:
    """Labelled frames in an extxyz file, looked up by content hash.

    path: the extxyz file. level: the level of theory that all its frames must have.
    """

    path: Path
    level: str

    @property
    def failures_path(self) -> Path:
        """Where failures are written."""
        return self.path.with_name(self.path.name + ".failed.jsonl")

    def load(self) -> dict[str, Atoms]:
        """The complete frames by hash; an incomplete last frame is cut off the file.

        Raises LevelMismatchError for labels at another level.
        """
        if not self.path.exists():
            return {}
        complete = complete_length(self.path)
        if complete < self.path.stat().st_size:
            with self.path.open("r+b") as file:
                file.truncate(complete)
        frames = {}
        with self.path.open() as file:
            for index, atoms in enumerate(extxyz.read_extxyz(file, index=slice(None))):
                level = atoms.info.get(LEVEL_KEY)
                if level != self.level or HASH_KEY not in atoms.info:
                    raise LevelMismatchError(
                        f"{self.path}: frame {index} was labelled at {level!r}, not at "
                        f"{self.level!r}; choose another file for out="
                    )
                frames[atoms.info[HASH_KEY]] = atoms
        return frames

    def append(self, atoms: Atoms) -> None:
        """Write one labelled frame to the end of the file and hand it to the disk."""
        text = io.StringIO()
        extxyz.write_extxyz(text, [atoms])
        _append(self.path, text.getvalue())

    def failures(self) -> dict[str, dict]:
        """Recorded failures by hash."""
        if not self.failures_path.exists():
            return {}
        records = {}
        for line in self.failures_path.read_text().splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            records[record["hash"]] = record
        return records

    def append_failure(self, index: int, key: str, reason: str) -> None:
        """Record that the frame of that place in the input failed, and why."""
        record = {"index": index, "hash": key, "level": self.level, "reason": reason}
        _append(self.failures_path, json.dumps(record) + "\n")

    def forget_failures(self, keys: set[str]) -> None:
        """Drop the records of frames that are to be tried again."""
        if not self.failures_path.exists():
            return
        kept = [record for key, record in self.failures().items() if key not in keys]
        if kept:
            self.failures_path.write_text("".join(json.dumps(record) + "\n" for record in kept))
        else:
            self.failures_path.unlink()


def complete_length(path: Path) -> int:
    """Length in bytes of the complete frames at the start of an extxyz file.

    A frame is complete when its atom count is a number and all its lines, the last one with its
    line end, are there.
    """
    complete = 0
    with path.open("rb") as file:
        while True:
            head = file.readline()
            if not head.endswith(b"\n") or not head.strip().isdigit():
                return complete
            lines = [file.readline() for _ in range(int(head) + 1)]
            if not lines[-1].endswith(b"\n"):
                return complete
            complete = file.tell()


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
