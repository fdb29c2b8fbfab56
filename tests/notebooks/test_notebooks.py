"""The notebooks are complete, small, and guarded; that they run is tested by nbval itself."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
MARK = "# NBVAL_CHECK_OUTPUT"
LARGEST = 1.5e6

#: Characters of code that JupyterLab shows in one line of a page of 800 pixels.
WIDEST = 77


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def marked(notebook):
    return [cell for cell in code(notebook) if cell.source.startswith(MARK)]


def test_there_are_notebooks_and_they_are_numbered_without_gaps():
    numbers = [int(path.name[:2]) for path in NOTEBOOKS]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 0


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_marked_cells_carry_what_they_are_compared_with(path):
    """A notebook without outputs would pass, and check nothing."""
    cells = marked(read(path))
    assert cells, "nothing is guarded"
    for cell in cells:
        assert cell.execution_count, cell.source
        text = "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream")
        assert text.strip(), f"no printed output to compare with:\n{cell.source}"
        assert len(cell.outputs) == 1, f"something else than printed text:\n{cell.source}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_were_run_from_top_to_bottom(path):
    cells = [cell for cell in code(read(path)) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [o for cell in cells for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_have_their_parts(path):
    notebook = read(path)
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    title = prose[0].splitlines()[0]
    assert title.startswith("# ") and title.endswith("?"), title
    assert re.search(r"\d+ minutes", prose[0]), "say how long it takes"
    together = "\n".join(prose)
    for part in ("## Aims", "## What you have learned", "## References"):
        assert part in together, part
    assert re.search("^#+ Exercise", together, re.MULTILINE)
    assert together.count("<details>") >= together.count("## Exercise ") > 0
    assert together.count("<details>") == together.count("</details>")
    solutions = re.findall(r"<details>.*?</details>", together, re.DOTALL)
    assert all("```python" in solution for solution in solutions), "solutions are code that runs"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebooks_show_pictures_and_nothing_of_the_machine(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert '"image/png"' in text
    assert not re.search(r"/(home|Users|root|work|tmp)/", text)
    assert "widget-view+json" not in text, "run notebooks/execute.py"
    assert not [o for c in code(read(path)) for o in c.outputs if o.get("name") == "stderr"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_code_needs_no_scrolling_in_a_narrow_page(path):
    notebook = read(path)
    lines = [line for cell in code(notebook) for line in cell.source.splitlines()]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            blocks = re.findall(r"^```python\n(.*?)^```", cell.source, re.DOTALL | re.MULTILINE)
            lines += [line for block in blocks for line in block.splitlines()]
    assert not [line for line in lines if len(line) > WIDEST]


def planted(folder, expected, solution="1 + 1"):
    """A notebook that prints a number behind a bar, and claims to have printed another one."""
    source = f"{MARK}\nimport interpmd as im\nfrom tqdm.notebook import tqdm\n\n"
    source += "for _ in tqdm(range(3), delay=0):\n    pass\n"
    source += "print(im.Force(3).unit, len(im.methods()) > 9)"
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=expected)]
    exercise = f"<details><summary>Solution</summary>\n\n```python\n{solution}\n```\n\n</details>"
    notebook = nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell(exercise)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, folder / "planted.ipynb")
    for name in ("conftest.py", "execute.py", "start.py"):
        shutil.copy(FOLDER / name, folder)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval-lax", "planted.ipynb"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_number_makes_a_notebook_fail(tmp_path):
    assert planted(tmp_path, "eV/A True\n").returncode == 0
    wrong = planted(tmp_path, "eV/A False\n")
    assert wrong.returncode == 1
    assert "eV/A False" in wrong.stdout and "eV/A True" in wrong.stdout


def test_a_wrong_solution_makes_a_notebook_fail(tmp_path):
    wrong = planted(tmp_path, "eV/A True\n", solution="im.Force(3).units")
    assert wrong.returncode == 1
    assert "planted.ipynb::Solution 1" in wrong.stdout and "units" in wrong.stdout
