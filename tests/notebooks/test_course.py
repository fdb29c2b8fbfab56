"""The way into the course: start page, the command `interpmd lab`, hosted services, the guide."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import pytest

from interpmd.errors import CourseError
from interpmd.lab import NOTEBOOKS, arguments

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "notebooks"))

import hosted  # noqa: E402
import start  # noqa: E402


def words(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


def test_the_start_page_is_of_these_notebooks():
    stored = nbformat.read(start.PAGE, as_version=4)
    assert words(stored) == words(start.page()), "run python notebooks/start.py"


def test_the_start_page_has_every_notebook_with_time_and_level():
    text = words(start.page())
    found = start.entries()
    assert [e.number for e in found] == sorted(e.number for e in found) and len(found) > 5
    for e in found:
        assert f"[{e.question}]({e.name}) | {e.level} | {e.minutes} min |" in text
        assert e.level in {"Beginner", "Intermediate", "Advanced", "Template"}


def test_notebooks_to_come_have_a_place(tmp_path, monkeypatch):
    monkeypatch.setattr(start, "HERE", tmp_path)
    cell = "# Who did the work?\n\n*Advanced · 40 minutes · you need: notebook 4*\n"
    for name in ("10_who_did_the_work", "15_too_many"):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(cell)])
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
        if name.startswith("10"):
            assert "## Going further" in words(start.page())
            assert "| 10 | [Who did the work?]" in words(start.page())
    with pytest.raises(ValueError, match="give notebook 15 a place"):
        start.page()


def test_a_notebook_that_does_not_say_its_level_is_named(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Why?")])
    nbformat.write(notebook, tmp_path / "01_why.ipynb")
    with pytest.raises(ValueError, match="01_why"):
        start.entry(tmp_path / "01_why.ipynb")


@pytest.mark.parametrize("page", ["start.ipynb", "TEACHING.md", "README.md"])
def test_links_of_the_course_lead_somewhere(page):
    path = NOTEBOOKS / page
    text = words(nbformat.read(path, as_version=4)) if page == "start.ipynb" else path.read_text()
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (NOTEBOOKS / link).exists(), link


def test_lab_opens_the_start_page_or_the_notebook_that_is_asked_for():
    assert arguments()[1] == "--LabApp.default_url=/lab/tree/start.ipynb"
    assert arguments("04")[1].endswith("/lab/tree/04_how_does_an_energy_split.ipynb")
    assert arguments(voila=True) == [str(NOTEBOOKS / "voila" / "explorer.ipynb")]
    with pytest.raises(CourseError, match="0 notebooks .* match '77'"):
        arguments("77")


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("https://github.com/some/name.git", "gh/some/name/"),
        ("git@github.com:some/name.git", "gh/some/name/"),
        ("https://gitlab.com/a/group/name", "gl/a%2Fgroup%2Fname/"),
        ("https://example.org/some/name", "git/https%3A%2F%2Fexample.org%2Fsome%2Fname/"),
    ],
)
def test_badges_are_of_the_given_address(address, where):
    start_page = "HEAD?urlpath=lab%2Ftree%2Fnotebooks%2Fstart.ipynb"
    assert hosted.binder(address) == f"https://mybinder.org/v2/{where}{start_page}"
    assert (hosted.colab(address) is not None) == ("github.com" in address)
    assert ("/some/name/blob/dev/notebooks/01_" in hosted.badges(address, "dev")) == (
        "github.com" in address
    )
    assert (ROOT / hosted.START).exists() and (ROOT / hosted.FIRST).exists()
    with pytest.raises(ValueError, match="no public address"):
        hosted.badges("/some/folder")


def test_binder_installs_what_the_course_needs():
    text = (ROOT / ".binder" / "requirements.txt").read_text()
    constraints = re.search(r"-c (\S+)", text)[1]
    assert (ROOT / ".binder" / constraints).exists()
    pyproject = (ROOT / "pyproject.toml").read_text()
    for extra in re.search(r"\[(.+)\]", text)[1].split(","):
        assert f"\n{extra} = [" in pyproject
