"""The repository as a whole: what the README promises, what importing costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl

import interpmd as im

ROOT = Path(__file__).parents[1]


def test_the_example_of_the_readme_runs():
    mpl.use("Agg")
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[0]
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["explanation"].residual < 1e-8
    assert names["explanation"].certificate().passed


def test_paths_of_the_readme_exist():
    text = (ROOT / "README.md").read_text()
    for path in re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(
        r"python (benchmarks/\S+)`", text
    ):
        assert (ROOT / path.split()[0]).exists(), path


def test_importing_is_light():
    heavy = {"captum", "shap", "nglview", "pyscf", "tblite", "tad_dftd3", "torch", "matplotlib"}
    code = "import sys, interpmd; print([m for m in sys.argv[1:] if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_public_names_exist():
    for name in im.__all__:
        assert getattr(im, name) is not None
