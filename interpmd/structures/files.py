"""Files: structures that are read, places that can be written."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ase import Atoms
from ase.io import iread

from interpmd.errors import LabelError, OutputError


def read_frames(source: str | Path | Atoms | Iterable[Atoms]) -> list[Atoms]:
    """Frames from a list or from any file that ASE reads (also .gz).

    Raises:
        LabelError: missing, unreadable, truncated or empty file.
    """
    if isinstance(source, Atoms):
        return [source]
    if not isinstance(source, str | Path):
        return list(source)
    path = Path(source)
    if not path.exists():
        raise LabelError(f"there is no file {path}")
    try:
        if path.name.endswith((".xyz.gz", ".extxyz.gz")):
            # ASE seeks in the file, which is slow in a compressed one
            with gzip.open(path, "rt") as file:
                frames = list(iread(io.StringIO(file.read()), ":", format="extxyz"))
        else:
            text = path.suffix in {".xyz", ".extxyz"}
            frames = list(iread(path, ":", format="extxyz" if text else None))
    except Exception as error:
        raise LabelError(
            f"{path} cannot be read ({type(error).__name__}: {error}); is it truncated, or not a "
            "file of structures?"
        ) from error
    if not frames:
        raise LabelError(f"{path} holds no structures")
    return frames


def prepare_output(path: str | Path) -> None:
    """Make the folder that a file or folder is to stand in, and try to write there.

    Before a long computation, so that it is not done in vain.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    folder = Path(path).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error} ({error.filename}); choose "
            "another place"
        ) from error
