"""Files that are whole or absent: written beside their place and moved there, locked and sealed.

A seal is a digest that is stored with what it covers. It shows that a file was damaged, altered by
hand, or put together from two; it does not prove who wrote it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from interpmd.errors import OutputError

try:
    import fcntl
except ImportError:  # not on Windows, where files are written without a lock
    fcntl = None

T = TypeVar("T")


def seal_of(*parts: bytes | str) -> str:
    """SHA-256 of some parts in hexadecimal; where one ends and the next begins counts too."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8, "little"))
        hashed.update(data)
    return hashed.hexdigest()


def plain(value: Any) -> Any:
    """What JSON has no form for: numbers and arrays of numpy as Python's, others as text."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)


def as_read(value: Any) -> Any:
    """A value as it will be read again from JSON: keys as text, lists for tuples, see `plain`."""
    return json.loads(json.dumps(value, default=plain))


def canonical(value: Any) -> str:
    """JSON in one form, whatever the order of keys and the spaces of the file that it came from."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain)


def named_place(path: str | Path) -> Path:
    """Where a file or a folder is to stand, which need not be there.

    Raises:
        OutputError: it is no name that the system knows, such as one that is too long.
    """
    try:
        place = Path(path)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            place.stat()
    except (OSError, TypeError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise OutputError(f"{path!r} cannot be written: {why}; choose another name") from error
    return place


def file_place(path: str | Path) -> Path:
    """As `named_place`, of a file.

    Raises:
        OutputError: also if a folder stands there.
    """
    place = named_place(path)
    if not place.name or place.is_dir():
        raise OutputError(f"{path!r} is a folder; give the name of a file in it")
    return place


@contextlib.contextmanager
def writing(what: str | Path) -> Iterator[None]:
    """A block that writes; what goes wrong with the disk is an OutputError that names the place.

    Raises:
        OutputError: instead of an OSError.
    """
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{what} cannot be written: {error.strerror or error}; what was there is as it was"
        ) from error


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A new file to write to, which takes the place of `path` in one step at the end of the block.

    If the block fails or the process dies, `path` is as it was.

    Raises:
        OutputError: the disk is full or not writable, or a folder stands there.
    """
    path = file_place(path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        try:
            with fresh.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)


def replace_file(path: str | Path, content: bytes | str) -> None:
    """Write a file in one step; see `replacing`."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def append(path: str | Path, content: bytes | str) -> None:
    """Write to the end of a file and hand it to the disk; a part that was written is taken back.

    Raises:
        OutputError: the disk is full or not writable; the file is as it was.
    """
    path = Path(path)
    with writing(path), path.open("ab") as file:
        before = file.tell()
        try:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            # closing would try again to write what is still in the buffer
            with contextlib.suppress(OSError):
                file.close()
            os.truncate(path, before)
            raise


def aside(path: Path, word: str) -> Path:
    """Keep what a file holds now under another name beside it, `path.word`, and tell the name.

    Raises:
        OutputError: it cannot be kept.
    """
    numbers = ("", *(f"-{n}" for n in range(2, 1000)))
    kept = next(
        place
        for number in numbers
        if not (place := path.with_name(f"{path.name}.{word}{number}")).exists()
    )
    with writing(kept):
        try:
            os.link(path, kept)  # takes no room, where the disk may be full
        except OSError:
            shutil.copy2(path, kept)
    return kept


@contextlib.contextmanager
def locked(path: str | Path) -> Iterator[None]:
    """A block during which no other process, and no other block of this one, has the same file.

    The lock is a file beside it, which the system frees when the process ends, however it ends.

    Raises:
        OutputError: somebody has it, a folder stands there, or its folder cannot be written.
    """
    path = file_place(path)
    beside = path.with_name(f".{path.name}.lock")
    if fcntl is None:
        yield
        return
    with writing(path):
        handle = _take(beside, path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)  # before it is free, so that nobody takes a lost file
        os.close(handle)


@contextlib.contextmanager
def read_and_held(path: str | Path, read: Callable[[Path], T]) -> Iterator[T]:
    """A block as `locked`, which begins with reading the file; what that gives is the block's.

    Raises:
        OutputError: see `locked`.
        Others: of `read`, after which the file is free again.
    """
    with locked(path):
        yield read(Path(path))


def _take(beside: Path, path: Path) -> int:
    assert fcntl is not None
    while True:
        handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise OutputError(
                f"{path} is being written by another call (process {owner}); wait until it has "
                "ended, or choose another file"
            ) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), beside.stat()):
                with contextlib.suppress(OSError):  # who has it is only told where there is room
                    os.truncate(handle, 0)
                    os.write(handle, str(os.getpid()).encode())
                return handle
        os.close(handle)  # its owner took it away meanwhile
