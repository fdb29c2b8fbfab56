"""Shots in a file that grows by one line each, from which the same call goes on, bit by bit.

The first line says what is shot; each other one holds a shot: where it began, where its halves
ended, and, if it is an event, its frames, in JSON with a seal. Arrays are little-endian float64.
"""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from ase import Atoms

from interpmd.dynamics.events.event import Event
from interpmd.dynamics.shooting.shots import Shot
from interpmd.errors import SimulationError, TrajectorySealError
from interpmd.storage import append, canonical, locked, replace_file, seal_of
from interpmd.structures.files import prepare_output

FORMAT, VERSION = "interpmd-shots", 1

#: Attributes of an event that are arrays.
ARRAYS = ("times", "positions", "velocities", "forces", "energies", "values")


class Shots:
    """Shots on disk, in the order of their numbers; a block, during which nobody else has them.

    Args:
        path: of the file.
        settings: what makes them the same shots, JSON values.
        structures: that are shot from, templates of the events.

    Attributes:
        shots: those in the file.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
        SimulationError: it holds something else, or other shots; it stays as it is.
        TrajectorySealError: a line was altered; it stays as it is.
    """

    def __init__(self, path: str | Path, settings: dict[str, Any], structures: list[Atoms]) -> None:
        self.path, self._structures = Path(path), structures
        self.shots: list[Shot] = []
        self._settings = json.loads(json.dumps(settings))
        self._seal = seal_of(canonical(self._settings))
        self._open = ExitStack()

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

    def add(self, shot: Shot) -> None:
        """Write a shot to the end of the file.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        append(self.path, self._sealed(as_json(shot)))
        self.shots.append(shot)

    def _sealed(self, line: dict[str, Any]) -> str:
        return json.dumps(line | {"seal": seal_of(self._seal, canonical(line))}) + "\n"

    def _read(self) -> None:
        head = {"format": FORMAT, "version": VERSION, "settings": self._settings}
        data = self.path.read_bytes() if self.path.exists() else b""
        whole, _, torn = data.rpartition(b"\n")
        start = self._sealed(head).encode()
        if not whole and start.startswith(data):
            replace_file(self.path, start)
            return
        first, *lines = whole.split(b"\n")
        self._check_head(first)
        for number, line in enumerate(lines, start=2):
            self.shots.append(from_json(self._unsealed(line, number), self._structures))
        if torn:  # a shot that was never finished
            replace_file(self.path, whole + b"\n")

    def _check_head(self, line: bytes) -> None:
        try:
            head = json.loads(line)
            form, version, settings = (head[n] for n in ("format", "version", "settings"))
        except (ValueError, KeyError, TypeError):
            form = version = settings = None
        if form != FORMAT or not isinstance(settings, dict):
            raise SimulationError(
                f"{self.path} exists and holds no shots; choose another file for out=, this one "
                "was left as it is"
            )
        keys = settings | self._settings
        other = [key for key in keys if settings.get(key) != self._settings.get(key)]
        if version != VERSION or other:
            raise SimulationError(
                f"{self.path} exists and was made with other settings "
                f"({', '.join(other) or 'version'}); choose another file or delete it"
            )

    def _unsealed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
            seal = found.pop("seal")
        except (ValueError, KeyError, TypeError, AttributeError):
            found, seal = {}, ""
        if seal != seal_of(self._seal, canonical(found)) or found.get("shot") != number - 2:
            raise TrajectorySealError(
                f"{self.path}: line {number} is not what was written, it was altered; choose "
                "another file, this one was left as it is"
            )
        return found


def as_json(shot: Shot) -> dict[str, Any]:
    """A shot as JSON values, its numbers to the last bit."""
    event = None
    if shot.event is not None:
        plain = {
            f.name: getattr(shot.event, f.name)
            for f in fields(Event)
            if f.name not in (*ARRAYS, "atoms")
        }
        arrays = {name: _text(getattr(shot.event, name)) for name in ARRAYS}
        event = plain | {"crossings": list(shot.event.crossings)} | arrays
    return {
        "shot": shot.number,
        "structure": shot.structure,
        "ends": [shot.backward, shot.forward],
        "speed": shot.speed,
        "trouble": shot.trouble,
        "event": event,
    }


def from_json(line: dict[str, Any], structures: list[Atoms]) -> Shot:
    """A shot from what `as_json` made of it."""
    event, which = line["event"], line["structure"]
    if event is not None:
        template = structures[which].copy()
        template.set_constraint()
        template.calc = None
        arrays = {name: _array(event[name]) for name in ARRAYS}
        for name in ("positions", "velocities", "forces"):
            arrays[name] = arrays[name].reshape(-1, len(template), 3)
        plain = event | arrays | {"crossings": tuple(event["crossings"])}
        event = Event(atoms=template, **plain)
    return Shot(line["shot"], which, *line["ends"], line["speed"], event, line["trouble"])


def _text(array: np.ndarray) -> str:
    return base64.b64encode(np.asarray(array, "<f8").tobytes()).decode()


def _array(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f8").astype(float)
