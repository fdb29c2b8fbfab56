"""Frames of a trajectory file, also of one that was broken off anywhere.

ASE's trajectories are files of its format ulm: a head with the number of items and the place of
the table that says where each begins; items, each of which ends with a description in JSON, before
which stands its length; and, among them, the tables, moved whenever they grow. So a file that was
cut may lack its table, while most items are whole.
"""

from __future__ import annotations

import contextlib
import json
import re
from io import BytesIO
from pathlib import Path
from typing import cast

from ase import Atoms
from ase.io.trajectory import TrajectoryReader

#: How a trajectory of ASE begins.
MAGIC = b"- of UlmASE-Trajectory"

#: Where the number of items and the place of their table stand, and where the first item may begin.
COUNT, TABLE, BODY = 32, 40, 56


def whole_frames(path: Path) -> tuple[list[Atoms], bool]:
    """The frames up to the first one that is not whole, and whether all are."""
    try:
        with TrajectoryReader(path) as stored:
            return [cast(Atoms, stored[n]) for n in range(len(stored))], True
    except Exception:  # whatever ASE, numpy or JSON raise at bytes that are not theirs
        return _rescued(path.read_bytes()), False


def _rescued(data: bytes) -> list[Atoms]:
    places = _items(data)
    if not places:
        return []
    end = _end(data, places[-1])
    body = data[:end] + b"#" * (-end % 8)
    head = len(places).to_bytes(8, "little") + len(body).to_bytes(8, "little")
    table = b"".join((place - 8).to_bytes(8, "little") for place in places)
    stored = TrajectoryReader(BytesIO(body[:COUNT] + head + body[TABLE + 8 :] + table))
    frames = []
    with contextlib.suppress(Exception):  # see `whole_frames`
        for n in range(len(places)):
            frames.append(cast(Atoms, stored[n]))
    return frames


def _items(data: bytes) -> list[int]:
    """Where the description of each item begins."""
    places = []
    for match in re.finditer(rb'\{"', data):
        place = match.start()
        end = _end(data, place)
        if place < BODY + 8 or end > len(data) or data[end - 1 : end] != b"}":
            continue
        try:
            json.loads(data[place:end])
        except ValueError:
            continue
        places.append(place)
    return places


def _end(data: bytes, place: int) -> int:
    return place + int.from_bytes(data[place - 8 : place], "little")
