"""Structures that a search has reached, kept in a file from which the same call goes on.

The file is a trajectory of ASE that is replaced in one step, so that it is always whole. Its frames
carry energies, forces and a seal; the first one says what was asked.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, cast

from ase import Atoms
from ase.io.trajectory import TrajectoryReader, TrajectoryWriter

from interpmd.errors import ArgumentError, SimulationError, TrajectorySealError
from interpmd.storage import as_read, canonical, read_and_held, replace_file
from interpmd.structures.files import prepare_output, text_format
from interpmd.structures.seals import exact_seal

#: Key of `info` under which a frame says what it is part of.
KEY = "interpmd_stage"

#: Seconds between two writings, so that quick steps are not spent on the disk.
EVERY = 1.0


class Stages:
    """The frames of a search in a file; a block, during which nobody else writes it.

    Args:
        out: a .traj file; None keeps nothing.
        settings: what makes it the same search, JSON values.

    Attributes:
        frames: that were there already; none at first.

    Raises:
        ArgumentError: a name that does not end with .traj.
        OutputError: the file cannot be written, or somebody else has it.
        SimulationError: there is a file that is something else, or of another search.
        TrajectorySealError: a frame is not what was written.
    """

    def __init__(self, out: str | Path | None, settings: dict[str, Any]) -> None:
        self.path = None if out is None else Path(out)
        self.settings = canonical(as_read(settings))
        self.frames: list[Atoms] = []
        self._open, self._last = ExitStack(), 0.0

    def __enter__(self) -> Self:
        if self.path is not None:
            if text_format(self.path):
                raise ArgumentError(
                    f"out={str(self.path)!r}: a search is kept in a .traj file; give it such a name"
                )
            prepare_output(self.path)
            self.frames = self._open.enter_context(read_and_held(self.path, self._read))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def keep(self, frames: Sequence[Atoms], now: bool = False) -> None:
        """Write frames with energies and forces in the place of those that were there.

        Args:
            frames: of this moment.
            now: whether to write even if the last writing was less than `EVERY` seconds ago.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        if self.path is None or not (now or time.monotonic() - self._last > EVERY):
            return
        content = io.BytesIO()
        writer = TrajectoryWriter(content, "w")
        for number, frame in enumerate(frames):
            marked = frame.copy()
            marked.calc = frame.calc
            marked.info[KEY] = self._mark(frame, number)
            writer.write(marked)
        replace_file(self.path, content.getvalue())
        self._last = time.monotonic()

    def _mark(self, frame: Atoms, number: int) -> dict[str, str]:
        return {"asked": self.settings, "seal": exact_seal(frame, f"{number} {self.settings}")}

    def _read(self, path: Path) -> list[Atoms]:
        if not path.exists() or not path.stat().st_size:
            return []
        try:
            with TrajectoryReader(path) as stored:
                frames = [cast(Atoms, stored[n]) for n in range(len(stored))]
            marks = [frame.info.pop(KEY) for frame in frames]
            asked = json.loads(marks[0]["asked"])
        except Exception as error:  # whatever ASE, numpy or JSON raise at bytes that are not theirs
            raise SimulationError(
                f"{path} exists and holds no search of interpmd; choose another file, it was left "
                "as it is"
            ) from error
        wanted = json.loads(self.settings)
        if other := sorted(k for k in asked | wanted if asked.get(k) != wanted.get(k)):
            raise SimulationError(
                f"{path} exists and was made with other settings ({', '.join(other)}); choose "
                "another file or delete it"
            )
        self.settings = canonical(asked)  # 300 and 300.0 are equal, and their seals are not
        for number, (frame, mark) in enumerate(zip(frames, marks, strict=True)):
            if mark != self._mark(frame, number):
                raise TrajectorySealError(
                    f"{path}: frame {number} is not what was written, it was altered; choose "
                    "another file, this one was left as it is"
                )
        return frames
