"""Write the start page of the course, from what the notebooks say of themselves:

    python notebooks/start.py

The page is a notebook without code, so that its links work in JupyterLab, Notebook and Colab.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat

HERE = Path(__file__).parent
PAGE = HERE / "start.ipynb"

#: Order of the course: a heading, and the numbers of its notebooks. What is not there is left out.
PARTS = {
    "Begin here": (1, 2),
    "What is inside": (3, 4, 5, 6),
    "How far to trust it": (7,),
    "Your own questions": (8, 9),
    "Going further": (10, 11, 12, 13, 14),
}

SECOND_LINE = re.compile(
    r"\*(\w+) · (\d+) minutes · you need: (.+?)(?: · runs in .+?)?\*"
)

INTRODUCTION = """# Which interactions make a molecule move?

A course in notebooks; each asks one question. Open the first one, press *Run ▸ Run All Cells*, and
click an atom. Nothing needs the internet, and every notebook shows its pictures before it is run.
"""

CLOSING = """## Beside the course

- Without code: [the force explorer as a page](voila/explorer.ipynb). Run `make voila`, or
  `interpmd lab --voila`.
- For teachers: [two workshop plans, and what breaks](TEACHING.md).
- For notebooks of your own: [how to guard them](README.md).
"""


@dataclass(frozen=True)
class Entry:
    """What a notebook says of itself: its file name, question, level, minutes and what it needs."""

    name: str
    question: str
    level: str
    minutes: int
    needs: str

    @property
    def number(self) -> int:
        return int(self.name[:2])


def entry(path: Path) -> Entry:
    """Read the first cell of a notebook.

    Raises:
        ValueError: it lacks a title, or the line with level, minutes and what one needs.
    """
    first = nbformat.read(path, as_version=4).cells[0].source
    title, found = first.splitlines()[0], SECOND_LINE.search(first)
    if not title.startswith("# ") or found is None:
        raise ValueError(
            f"{path.name} should begin with '# Question?' and a line such as "
            f"'*Beginner · 30 minutes · you need: notebook 1*'"
        )
    level, minutes, needs = found.groups()
    return Entry(path.name, title[2:], level, int(minutes), needs)


def entries() -> list[Entry]:
    """All notebooks of the course, in order."""
    return [entry(path) for path in sorted(HERE.glob("[0-9][0-9]_*.ipynb"))]


def page() -> nbformat.NotebookNode:
    """The start page.

    Raises:
        ValueError: a notebook has no place in PARTS.
    """
    there = {found.number: found for found in entries()}
    if strange := set(there) - {
        number for part in PARTS.values() for number in part
    }:
        raise ValueError(
            f"give notebook {min(strange)} a place in PARTS of notebooks/start.py"
        )
    lines = []
    for heading, numbers in PARTS.items():
        if rows := [there[number] for number in numbers if number in there]:
            lines += [
                "",
                f"## {heading}",
                "",
                "| | question | level | time | you need |",
            ]
            lines += ["|--:|:--|:--|:--|:--|"]
            lines += [
                f"| {row.number} | [{row.question}]({row.name}) | {row.level} "
                f"| {row.minutes} min | {row.needs} |"
                for row in rows
            ]
    cells = [INTRODUCTION, "\n".join(lines).strip(), CLOSING]
    made = nbformat.v4.new_notebook()
    made.cells = [
        nbformat.v4.new_markdown_cell(text.strip(), id=f"start-{i}")
        for i, text in enumerate(cells)
    ]
    made.metadata = metadata()
    return made


def metadata() -> nbformat.NotebookNode:
    """Of every notebook of the course."""
    kernel = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    return nbformat.from_dict(
        {"kernelspec": kernel, "language_info": {"name": "python"}}
    )


def write() -> None:
    """Write the start page beside the notebooks."""
    nbformat.write(page(), PAGE)


if __name__ == "__main__":
    write()
