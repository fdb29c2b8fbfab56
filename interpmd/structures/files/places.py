"""Places that can be written, found out before a long computation."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ase import Atoms
from ase.io import extxyz

from interpmd.errors import ArgumentError, OutputError
from interpmd.storage import named_place, replace_file

#: Endings of files of structures as text.
TEXT = (".xyz", ".extxyz")


def prepare_output(path: str | Path) -> None:
    """Make the folder that a file or folder is to stand in, and try to write there.

    Before a long computation, so that it is not done in vain.

    Raises:
        OutputError: the folder cannot be made or written, or there is no such name.
    """
    folder = named_place(path).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error} ({error.filename}); choose "
            "another place"
        ) from error


def text_format(path: str | Path) -> bool:
    """Whether a file of structures is text (extended XYZ) by its name, rather than .traj.

    Raises:
        ArgumentError: it is neither.
        OutputError: there is no such name.
    """
    suffix = named_place(path).suffix.lower()
    if suffix not in (*TEXT, ".traj"):
        raise ArgumentError(
            f"{path}: structures are written as {', '.join(TEXT)} or .traj; give it such a name"
        )
    return suffix in TEXT


def write_new(path: str | Path, frames: Sequence[Atoms] | None = None) -> None:
    """Write structures with their labels as extended XYZ, whole or not at all.

    Args:
        path: a file that is not there yet.
        frames: the structures; None to find out before a long computation whether it can be done.

    Raises:
        ArgumentError: the name is not one of text.
        OutputError: the file is there already, or cannot be written.
    """
    if not text_format(path):
        raise ArgumentError(f"{path}: give it a name that ends with {' or '.join(TEXT)}")
    if named_place(path).exists():
        raise OutputError(f"{path} is there already; choose another name or delete it")
    if frames is None:
        prepare_output(path)
        return
    text = io.StringIO()
    extxyz.write_extxyz(text, list(frames))
    replace_file(path, text.getvalue())
