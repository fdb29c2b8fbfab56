"""Why a rank ended, in a file: what a process prints before MPI ends it can be lost."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from interpmd.errors import InterpmdError

#: Environment variable that names the folder; ranks started without it print to stderr.
FOLDER = "INTERPMD_LAST_WORDS"


def leave(rank: int, error: BaseException, where: str = "") -> None:
    """Write down why this rank ends.

    Args:
        rank: number of the rank.
        error: what happened; other errors than those of interpmd with their traceback.
        where: words before it, such as the step.
    """
    known = isinstance(error, InterpmdError)
    said = where + (str(error) if known else "".join(traceback.format_exception(error)).strip())
    if folder := os.environ.get(FOLDER):
        (Path(folder) / f"{rank}.txt").write_text(said, encoding="utf-8")
    else:
        print(f"interpmd: {said}", file=sys.stderr, flush=True)


def found(folder: str | Path) -> str:
    """What the first rank that said anything said; nothing, if none did."""
    said = sorted(Path(folder).glob("*.txt"), key=lambda path: int(path.stem))
    return next(filter(None, (path.read_text(encoding="utf-8") for path in said)), "")
