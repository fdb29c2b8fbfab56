"""What a run of learning decided and measured, line by line on disk, so that it goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from ase import Atoms

from interpmd.errors import LevelMismatchError, OutputError
from interpmd.fitting import labels
from interpmd.potentials.fingerprint import digest
from interpmd.storage import append, named_place, plain, read_and_held, replace_file, writing

#: Files of a run: what it was asked, its decisions and measurements, and its labels.
ASKED, LINES, LABELS = "learn.json", "decisions.jsonl", "labels.extxyz"


class Record:
    """Lines about what was chosen and how good it was, in memory and, if asked, in a folder.

    Args:
        folder: where; nothing is written if None.
        key: of the question: candidates, goal and settings. A folder that holds the lines of
            another is refused.

    Attributes:
        lines: decisions (with "chosen") and measurements (with "labels"), in order.

    Raises:
        LevelMismatchError: the folder is of another run.
        OutputError: it cannot be written, or another call writes there.
    """

    def __init__(self, folder: str | Path | None, key: str) -> None:
        self.folder = None if folder is None else named_place(folder)
        self.lines: list[dict[str, Any]] = []
        self._key, self._open = key, ExitStack()

    def __enter__(self) -> Self:
        if self.folder is None:
            return self
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(read_and_held(self.folder / ASKED, self._read))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _read(self, asked: Path) -> None:
        """Take up what is there."""
        if asked.exists():
            try:
                known = json.loads(asked.read_text(encoding="utf-8"))["key"]
            except (ValueError, KeyError, TypeError, OSError) as error:
                raise OutputError(f"{asked} is damaged: {error}; choose another folder") from error
            if known != self._key:
                raise LevelMismatchError(
                    f"{self.folder} is of another run of learning: other candidates, goal or "
                    "settings; choose another folder, or ask as before"
                )
            self.lines = _whole_lines(asked.with_name(LINES))
        else:
            replace_file(asked, json.dumps({"key": self._key}) + "\n")

    def add(self, line: dict[str, Any]) -> None:
        """One more line, on disk before anything else happens.

        Raises:
            OutputError: the disk is full or not writable.
        """
        self.lines.append(line)
        if self.folder is None:
            return
        append(self.folder / LINES, json.dumps(line, default=float) + "\n")

    def decision(self, how: str, number: int) -> dict[str, Any] | None:
        """What was chosen in a round; None if it has not come to that."""
        for line in self.lines:
            if "chosen" in line and (line["how"], line["round"]) == (how, number):
                return line
        return None

    def outcome(self, how: str, number: int) -> dict[str, Any] | None:
        """What the labels of a round said of the fit before; None if it has not come to that."""
        for line in self.lines:
            if line.get("labelled") == number and line["how"] == how:
                return line
        return None

    def measured(self, how: str, count: int) -> dict[str, Any] | None:
        """What was measured after so many labels; None if it has not come to that."""
        for line in self.lines:
            if "seconds" in line and (line["how"], line["labels"]) == (how, count):
                return line
        return None

    @property
    def labels(self) -> Path | None:
        """Where labels are kept."""
        return None if self.folder is None else self.folder / LABELS


def key_of(frames: Sequence[Atoms], settings: dict[str, Any]) -> str:
    """A short name of candidates (with their labels, where they have any) and settings."""
    words = json.dumps(settings, sort_keys=True, default=plain)
    return digest(words=labels.digest_of(frames) + words)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file; a last one that was cut off is dropped, from the file too."""
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8", errors="replace")
    lines, kept = [], ""
    for line in text.splitlines(keepends=True):
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError as error:
            if line.endswith("\n"):
                raise OutputError(f"{path} is damaged: {error}; choose another folder") from error
            break
        if not line.endswith("\n"):
            lines.pop()
            break
        kept += line
    if kept != text:
        replace_file(path, kept)
    return lines
