"""Shots in a file that grows by one line each, from which the same call goes on, bit by bit.

The first line says what is shot; each other one holds a shot: where it began, where its halves
ended, and, if it is an event, its frames, in JSON with a seal. Arrays are little-endian float64.
"""

from __future__ import annotations

import base64
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from interpmd.dynamics.events.event import Event
from interpmd.dynamics.shooting.shots import Shot
from interpmd.errors import SimulationError, TrajectorySealError
from interpmd.structures.files.sealed_lines import SealedLines

#: Attributes of an event that are arrays.
ARRAYS = ("times", "positions", "velocities", "forces", "energies", "values")


class Shots(SealedLines):
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

    form, key, holds = "interpmd-shots", "settings", "shots"
    foreign, damaged = SimulationError, TrajectorySealError

    def __init__(self, path: str | Path, settings: dict[str, Any], structures: list[Atoms]) -> None:
        super().__init__(path, settings)
        self._structures = structures
        self.shots: list[Shot] = []

    def take(self, line: dict[str, Any], number: int) -> None:
        """Take a shot from the file."""
        if line["shot"] != len(self.shots):  # lines that were moved or left out
            raise self.altered(number)
        self.shots.append(from_json(line, self._structures))

    def add(self, shot: Shot) -> None:
        """Write a shot to the end of the file.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        self.write(as_json(shot))
        self.shots.append(shot)


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
