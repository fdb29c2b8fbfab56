"""The course in a browser: JupyterLab at its start page, or the explorer as a page."""

from __future__ import annotations

import os
from pathlib import Path

from interpmd.errors import CourseError
from interpmd.extras import required

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
START = "start.ipynb"
EXPLORER = "voila/explorer.ipynb"


def arguments(notebook: str = START, voila: bool = False) -> list[str]:
    """Arguments for JupyterLab, or for Voila.

    Raises:
        CourseError: there is no such notebook.
    """
    wanted = EXPLORER if voila else notebook
    if not (NOTEBOOKS / wanted).is_file():
        matching = sorted(NOTEBOOKS.glob(f"*{wanted}*.ipynb"))
        if len(matching) != 1:
            raise CourseError(
                f"{len(matching)} notebooks in {NOTEBOOKS} match {wanted!r}; the course comes "
                "with a clone of the repository: run `interpmd lab` from an installation of it "
                "(pip -e)"
            )
        wanted = matching[0].name
    if voila:
        return [str(NOTEBOOKS / wanted)]
    return [f"--ServerApp.root_dir={NOTEBOOKS}", f"--LabApp.default_url=/lab/tree/{wanted}"]


def open_lab(notebook: str = START, voila: bool = False, extra: tuple[str, ...] = ()) -> None:
    """Serve until interrupted.

    Args:
        notebook: name or number of a notebook of the course, e.g. "04".
        voila: show the explorer as a page without code instead.
        extra: options for the server, e.g. "--no-browser".

    Raises:
        CourseError: no such notebook.
        MissingPackageError: JupyterLab or Voila is not installed.
    """
    asked = [*arguments(notebook, voila), *extra]
    if voila:
        program = required("voila.app", "the explorer as a page").Voila
    else:
        program = required("jupyterlab.labapp", "the course").LabApp
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # faster for small tensors
    os.environ.pop("MPLBACKEND", None)  # Agg, say, would hide the pictures of the notebooks
    program.launch_instance(argv=asked)
