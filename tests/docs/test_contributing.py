"""What CONTRIBUTING.md promises: what is added joins the suites by itself, and is checked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pages import ENVIRONMENT, ROOT, blocks

import interpmd as im

sys.path.insert(0, str(ROOT / "tests"))
from test_architecture import FLOOR


def suite(tmp_path: Path, test: str, code: str, keyword: str) -> str:
    """Output of a suite for which somebody has added the code of CONTRIBUTING.md."""
    (tmp_path / "addition.py").write_text(code)
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "pytest", "-p", "addition", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(ROOT / "tests" / test), "-k", keyword],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    return done.stdout + done.stderr


def contributed(first_line: str) -> str:
    """A code block of CONTRIBUTING.md."""
    (found,) = (b for b in blocks(ROOT / "CONTRIBUTING.md") if b.startswith(first_line))
    return found


TERM, EXPLAINER = "import torch\n", "from interpmd.attribution import"


def test_a_term_that_is_added_joins_the_conformance_suite(tmp_path):
    output = suite(tmp_path, "potentials/test_conformance.py", contributed(TERM), "born_mayer")
    assert re.search(r"\b6 passed", output), output


def test_an_explainer_that_is_added_joins_the_axiom_suite(tmp_path):
    output = suite(tmp_path, "attribution/test_axioms.py", contributed(EXPLAINER), "site_energy")
    assert re.search(r"\b\d\d passed", output) and "failed" not in output, output


@pytest.mark.parametrize(
    ("test", "first", "claim", "fault", "keyword"),
    [
        (
            "potentials/test_conformance.py",
            TERM,
            "env.gated(of_pairs)",
            "of_pairs",
            "test_molecule and born_mayer",
        ),
        (
            "attribution/test_axioms.py",
            EXPLAINER,
            "values=sites,",
            "values=0.9 * sites,",
            "site_energy and sum",
        ),
    ],
)
def test_what_joins_is_really_checked(tmp_path, test, first, claim, fault, keyword):
    code = contributed(first)
    assert claim in code
    output = suite(tmp_path, test, code.replace(claim, fault), keyword)
    assert re.search(r"\b1 failed", output), output


def test_code_of_contributing_runs_and_is_short():
    names: dict = {"__name__": "contributing"}
    code = blocks(ROOT / "CONTRIBUTING.md")
    from interpmd.attribution.methods.registry import METHODS
    from interpmd.potentials.base import TERMS

    try:
        for block in code:
            exec(compile(block, "CONTRIBUTING.md", "exec"), names)
    finally:
        TERMS.pop("born_mayer", None)
        METHODS.pop("site_energy", None)
    assert max(len(block.splitlines()) for block in code) < 35


def test_the_map_names_every_room_from_the_ground_up():
    map_ = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"^\| `interpmd/(\w+)", map_, re.MULTILINE)
    here = {path.parent.name for path in (ROOT / "interpmd").glob("*/*.py")}
    assert set(named) == {"errors", "cli", *here - {"shipped"}}
    assert [FLOOR[room] for room in named] == sorted(FLOOR[room] for room in named)


def test_the_citation_is_of_this_version():
    yaml = pytest.importorskip("yaml")
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["version"] == im.__version__ == project["version"]
    assert citation["license"] == project["license"]
