"""Places that can be written, found out before a long computation."""

from __future__ import annotations

import tempfile
from pathlib import Path

from interpmd.errors import OutputError


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
