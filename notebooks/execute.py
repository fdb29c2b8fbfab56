"""Run the notebooks and save them with their outputs:

    python notebooks/execute.py [name ...]

Names are parts of file names; all notebooks without them. What would change from run to run or
cannot be shown without a kernel is left out of the files: progress bars, times of execution, and
widgets that come with a picture of themselves.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import start
from nbclient import NotebookClient
from tqdm.auto import tqdm

HERE = Path(__file__).parent

WIDGET = "application/vnd.jupyter.widget-view+json"

#: Longest time for one cell in seconds.
LONGEST_CELL = 300


def notebooks(*parts: str) -> list[Path]:
    """The notebooks whose names contain one of these parts, in order."""
    found = sorted(HERE.glob("[0-9][0-9]_*.ipynb"))
    return [
        path
        for path in found
        if not parts or any(part in path.name for part in parts)
    ]


def execute(path: Path) -> None:
    """Run one notebook and write it back; the file is untouched if a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LONGEST_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute()
    tidy(notebook)
    nbformat.write(notebook, path)


def tidy(notebook: nbformat.NotebookNode) -> None:
    """Leave out what differs from run to run or needs a kernel to be seen."""
    notebook.metadata = start.metadata()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [
                output for output in map(_lasting, cell.outputs) if output
            ]


def is_bar(output: nbformat.NotebookNode) -> bool:
    """Whether an output is a progress bar: a widget without a picture of itself."""
    kinds = set(output.get("data", {}))
    return WIDGET in kinds and not kinds & {"image/png", "text/html"}


def _lasting(output: nbformat.NotebookNode) -> nbformat.NotebookNode | None:
    stderr = output.output_type == "stream" and output.name == "stderr"
    if stderr or is_bar(output):
        return None
    output.get("data", {}).pop(WIDGET, None)
    return output


def main() -> None:
    """Run those that are named, or all."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop(
        "MPLBACKEND", None
    )  # the notebook's own, which shows pictures
    for path in (bar := tqdm(notebooks(*sys.argv[1:]), unit="notebook")):
        bar.set_postfix_str(path.name)
        execute(path)
    start.write()


if __name__ == "__main__":
    main()
