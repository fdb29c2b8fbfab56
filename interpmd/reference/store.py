"""A growing extxyz file of labelled frames that survives being cut off at any moment.

One frame is appended and handed to the disk at a time; each carries the name of its calculation
(`content_hash`) and a seal. Failures are kept beside it, one JSON object a line, in
``<file>.failed.jsonl``; lines between frames that are none, in ``<file>.unreadable``.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import warnings
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from ase import Atoms
from ase.io import extxyz

from interpmd.errors import LevelMismatchError, UnsealedWarning
from interpmd.storage import append, locked, replace_file
from interpmd.structures.files import prepare_output
from interpmd.structures.seals import check_label, seal_label

HASH_KEY = "label_hash"
LEVEL_KEY = "level"
CODE_KEY = "code"

#: How the second line of a frame may begin.
COMMENTS = (b"Lattice=", b"Properties=")


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
    """Labelled frames in an extxyz file, looked up by content hash; a block, during which nobody
    else writes the file.

    Attributes:
        path: the extxyz file.
        level: the level of theory that all its frames must have.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
    """

    path: Path
    level: str
    _open: ExitStack = field(default_factory=ExitStack, repr=False)

    def __enter__(self) -> Self:
        prepare_output(self.path)
        self._open.enter_context(locked(self.path))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def failures_path(self) -> Path:
        """Where failures are written."""
        return self.path.with_name(self.path.name + ".failed.jsonl")

    @property
    def unreadable_path(self) -> Path:
        """Where lines are kept that belong to no frame."""
        return self.path.with_name(self.path.name + ".unreadable")

    def load(self) -> dict[str, Atoms]:
        """The whole frames by hash, wherever they stand in the file.

        A last frame that was broken off is cut off the file. Other lines are moved to
        `unreadable_path`, with a warning.

        Raises:
            LevelMismatchError: labels at another level, or a file that holds no labels of
                interpmd; it stays as it is.
            LabelSealError: a frame was altered; the file stays as it is.
        """
        if not self.path.exists():
            return {}
        data = self.path.read_bytes()
        blocks, rest, _ = sections(data)
        frames, unsealed = {}, 0
        for index, (_, atoms) in enumerate(blocks):
            level = atoms.info.get(LEVEL_KEY)
            if level != self.level or HASH_KEY not in atoms.info:
                raise LevelMismatchError(
                    f"{self.path}: frame {index} was labelled at {level!r}, not at "
                    f"{self.level!r}; choose another file for out="
                )
            unsealed += not check_label(atoms, f"{self.path}: frame {index}")
            frames[atoms.info[HASH_KEY]] = atoms
        if rest.strip() and not blocks:
            raise LevelMismatchError(
                f"{self.path} exists and holds no labels; choose another file for out=, this one "
                "was left as it is"
            )
        if rest.strip():
            if not rest.endswith(b"\n"):
                rest += b"\n"
            append(self.unreadable_path, rest)
            warnings.warn(
                f"{len(rest.splitlines())} lines of {self.path} belong to no frame; they are kept "
                f"in {self.unreadable_path}",
                stacklevel=4,
            )
        if unsealed:
            warnings.warn(
                f"{unsealed} frames of {self.path} carry no seal: an earlier release labelled "
                "them, and nothing shows whether they are as they were written",
                UnsealedWarning,
                stacklevel=4,
            )
        if (whole := b"".join(block for block, _ in blocks)) != data:
            replace_file(self.path, whole)
        return frames

    def append(self, atoms: Atoms) -> None:
        """Write one labelled frame to the end of the file and hand it to the disk.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        # as it will be read: text holds fewer digits
        append(self.path, _text(seal_label(_parsed(_text(atoms)))))

    def failures(self) -> dict[str, dict]:
        """Recorded failures by hash."""
        return {record["hash"]: record for _, record in self._failures() if record is not None}

    def append_failure(self, index: int, key: str, reason: str) -> None:
        """Record that the frame of that place in the input failed, and why."""
        record = {"index": index, "hash": key, "level": self.level, "reason": reason}
        append(self.failures_path, json.dumps(record) + "\n")

    def forget_failures(self, keys: set[str]) -> None:
        """Drop the records of frames that are to be tried again."""
        found = self._failures()
        kept = [line for line, record in found if record is None or record["hash"] not in keys]
        if len(kept) == len(found):
            return
        if kept:
            replace_file(self.failures_path, "".join(f"{line}\n" for line in kept))
        else:
            self.failures_path.unlink()

    def _failures(self) -> list[tuple[str, dict | None]]:
        """Each line and its record; None where it is none."""
        if not self.failures_path.exists():
            return []
        lines = self.failures_path.read_text(encoding="utf-8", errors="surrogateescape")
        return [(line, _record(line)) for line in lines.splitlines() if line.strip()]


def _record(line: str) -> dict | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and {"hash", "reason"} <= set(record) else None


def sections(data: bytes) -> tuple[list[tuple[bytes, Atoms]], bytes, bytes]:
    """An extxyz file as its whole frames, all other lines, and the frame that its end breaks off.

    Blank lines count as other lines. A last frame that lacks only its line end is whole if it has
    a seal that says so.
    """
    lines = data.splitlines(keepends=True)
    blocks, rest, at = [], [], 0
    while at < len(lines):
        head = lines[at].strip()
        if head.isdigit() and len(head) < 10:
            block = lines[at : at + int(head) + 2]
            atoms = _frame(block, int(head))
            if atoms is not None:
                blocks.append((b"".join(block).rstrip(b"\r\n") + b"\n", atoms))
                at += len(block)
                continue
            if at + len(block) == len(lines) and _is_torn(block, int(head)):
                return blocks, b"".join(rest), b"".join(block)
        rest.append(lines[at])
        at += 1
    return blocks, b"".join(rest), b""


def _frame(block: list[bytes], count: int) -> Atoms | None:
    """The frame that lines are, None if they are none."""
    if len(block) < count + 2 or b"Properties=" not in block[1]:
        return None
    try:
        atoms = _parsed(b"".join(block))
        if not block[-1].endswith(b"\n"):
            return atoms if check_label(_parsed(b"".join(block)), "the last") else None
    except Exception:  # whatever ASE raises at lines that are no atoms
        return None
    return atoms if len(atoms) == count else None


def _is_torn(block: list[bytes], count: int) -> bool:
    """Whether lines are how a frame begins, and not all of it."""
    if len(block) == count + 2 and block[-1].endswith(b"\n"):
        return False
    comment = block[1] if len(block) > 1 else b""
    if not any(comment.startswith(start) or start.startswith(comment) for start in COMMENTS):
        return False
    return all(re.match(rb"[A-Z][a-z]?\b", line) for line in block[2:])


def _parsed(block: bytes | str) -> Atoms:
    text = block if isinstance(block, str) else block.decode()
    return next(extxyz.read_extxyz(io.StringIO(text), index=slice(None)))


def _text(atoms: Atoms) -> str:
    text = io.StringIO()
    extxyz.write_extxyz(text, [atoms])
    return text.getvalue()
