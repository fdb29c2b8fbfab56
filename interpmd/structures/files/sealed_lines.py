"""A file that grows by one sealed line of JSON at a time, from which the same call goes on.

The first line says what the file is for; each other one holds one result with a seal. A last line
that was cut off is dropped, and whatever else is not as it was written is refused.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, Self

from interpmd.errors import InterpmdError, SealError
from interpmd.storage import append, as_read, canonical, read_and_held, replace_file, seal_of
from interpmd.structures.files.places import prepare_output


class SealedLines(ABC):
    """Results of one question in a file; a block, during which nobody else writes it.

    Args:
        path: of the file.
        question: what is asked; JSON values.

    Attributes:
        path: of the file.

    Class attributes:
        form, version: of the file.
        key: under which the first line holds the question.
        holds: what the file holds, a noun in the plural.
        instead: what to do about a line that was altered.
        foreign: raised at a file of something else.
        damaged: raised at a line that was altered.

    Raises:
        OutputError: the file cannot be written, or somebody else has it.
        `foreign`: it holds something else, or was made with other settings; it stays as it is.
        `damaged`: a line was altered; it stays as it is.
    """

    form: ClassVar[str]
    version: ClassVar[int] = 1
    key: ClassVar[str]
    holds: ClassVar[str]
    instead: ClassVar[str] = "choose another file, this one was left as it is"
    foreign: ClassVar[type[InterpmdError]]
    damaged: ClassVar[type[SealError]]

    def __init__(self, path: str | Path, question: dict[str, Any]) -> None:
        self.path, self._open = Path(path), ExitStack()
        self._question = as_read(question)
        self._seal = seal_of(canonical(self._question))

    @abstractmethod
    def take(self, line: dict[str, Any], number: int) -> None:
        """Take a result from the file.

        Args:
            line: as it was given to `write`.
            number: of the line, the first result has 2.
        """

    def __enter__(self) -> Self:
        prepare_output(self.path)
        self._open.enter_context(read_and_held(self.path, self._read))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, line: dict[str, Any]) -> None:
        """Write a result to the end of the file.

        Raises:
            OutputError: the disk is full; the file is as it was.
        """
        append(self.path, self._sealed(line))

    def altered(self, number: int) -> SealError:
        """The error of a line that is not what was written."""
        return self.damaged(
            f"{self.path}: line {number} is not what was written, it was altered or damaged; "
            f"{self.instead}"
        )

    def _sealed(self, line: dict[str, Any]) -> str:
        return json.dumps(line | {"seal": seal_of(self._seal, canonical(line))}) + "\n"

    def _read(self, path: Path) -> None:
        head = {"format": self.form, "version": self.version, self.key: self._question}
        data = path.read_bytes() if path.exists() else b""
        whole, _, torn = data.rpartition(b"\n")
        start = self._sealed(head).encode()
        if not whole and start.startswith(data):  # none, or broken off in its first line
            replace_file(path, start)
            return
        first, *lines = whole.split(b"\n")
        self._check_head(first)
        for number, line in enumerate(lines, start=2):
            self.take(self._unsealed(line, number), number)
        if torn:  # a result that was never finished
            replace_file(path, whole + b"\n")

    def _check_head(self, line: bytes) -> None:
        try:
            head = json.loads(line)
            form, version, question = (head[name] for name in ("format", "version", self.key))
        except (ValueError, KeyError, TypeError):
            form = version = question = None
        if form != self.form or not isinstance(question, dict):
            raise self.foreign(
                f"{self.path} exists and holds no {self.holds}; choose another file for out=, "
                "this one was left as it is"
            )
        if version != self.version:
            raise self.foreign(
                f"{self.path} is of version {version}, and this interpmd reads {self.version}"
            )
        keys = question | self._question
        if other := [key for key in keys if question.get(key) != self._question.get(key)]:
            raise self.foreign(
                f"{self.path} exists and holds {self.holds} with other settings "
                f"({', '.join(other)}); choose another file for out=, or delete it"
            )
        # as it is written there: 300 and 300.0 are equal, and their seals are not
        self._question, self._seal = question, seal_of(canonical(question))

    def _unsealed(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            found = json.loads(line)
            seal = found.pop("seal")
        except (ValueError, KeyError, TypeError, AttributeError):
            found, seal = {}, None
        if seal != seal_of(self._seal, canonical(found)):
            raise self.altered(number)
        return found
