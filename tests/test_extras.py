"""Without the extras: the main job runs, and whatever needs an extra says which."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from interpmd.errors import MissingPackageError
from interpmd.extras import EXTRAS, package_of, required

ROOT = Path(__file__).parents[1]

#: Code after which nothing that an extra brings can be imported, nor what stands behind it.
BARE = f"""
import sys
for module in {[m for modules in EXTRAS.values() for m in modules]} + ["IPython", "jupyter_core"]:
    sys.modules[module] = None
import interpmd as im
from ase.build import molecule
from interpmd.demo import MALONALDEHYDE

potential = im.load("malonaldehyde")
"""


def bare(code: str, timeout: float = 500) -> subprocess.CompletedProcess[str]:
    """Run code where no extra is installed."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BARE + code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=timeout,
    )


def test_modules_belong_to_the_extras_that_the_installation_knows():
    text = (ROOT / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        packages = {line.split(">")[0] for line in extras[extra]}
        assert {package_of(module) for module in modules} <= packages


ASKED = {
    "im.ForceExplorer": "a widget needs ipywidgets: pip install 'interpmd[notebooks]'",
    "im.LiveMD": "interpmd[notebooks]",
    "im.GeometryLab": "interpmd[notebooks]",
    "im.PotentialInspector": "interpmd[notebooks]",
    "im.FitMonitor": "interpmd[notebooks]",
    "im.groups_of(MALONALDEHYDE)": "a molecule needs rdkit: pip install 'interpmd[explain]'",
    "im.explain(potential, MALONALDEHYDE, gauge='groups')": "interpmd[explain]",
    "im.explain(potential, MALONALDEHYDE, fragments='C=O')": "a SMARTS pattern needs rdkit",
    "im.explain(potential, molecule('H2O'), method='kernel_shap', order=None)": "captum",
    "im.explain(potential, molecule('H2O'), method='shap_kernel', order=None)": "needs shap",
    "im.explain(potential, molecule('H2O'), method='shapiq', order=None)": "needs shapiq",
    "im.explain(potential, MALONALDEHYDE, im.Force(8)).to_shap()": "interpmd[explain]",
    "im.label([molecule('H2O')], 'gfn2-xtb')": "tblite: pip install 'interpmd[reference]'",
    "im.label([molecule('H2O')], 'pbe/def2-svp')": "pyscf: pip install 'interpmd[reference]'",
    "im.sample(molecule('H2O'), n=2)": "interpmd[reference]",
    "__import__('interpmd.lab').lab.open_lab()": "needs jupyterlab: pip install",
    "__import__('interpmd.views.nglview_adapter').views.nglview_adapter.empty_stage()": "nglview",
}


def test_the_page_of_installing_names_every_extra_once():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "install.md").read_text()
    first = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    named = re.findall(r"`(\w+)`", " ".join(first))
    assert sorted(named) == sorted(extras["optional-dependencies"])


def test_every_use_of_an_extra_says_which_one_to_install():
    """None of them raises a bare ModuleNotFoundError."""
    code = f"""
for asked in {list(ASKED)}:
    try:
        eval(asked)
    except im.MissingPackageError as error:
        print(f"{{asked}} -> {{error}}")
    except Exception as error:
        print(f"{{asked}} -> {{type(error).__name__}} {{error}}")
    else:
        print(f"{{asked}} -> ran")
"""
    found = bare(code)
    assert found.returncode == 0, found.stderr
    said = dict(line.split(" -> ", 1) for line in found.stdout.splitlines() if " -> " in line)
    wrong = {asked: said.get(asked) for asked, words in ASKED.items() if words not in said[asked]}
    assert wrong == {}
    assert all("pip install 'interpmd[" in words for words in said.values())


def test_the_demonstration_runs_without_extras(tmp_path):
    out = tmp_path / "demo.html"
    found = bare(f"im.run_demo(out={str(out)!r})")
    assert found.returncode == 0, found.stderr
    assert "<h1>" in out.read_text()


def test_a_package_that_is_there_but_broken_says_what_it_lacks(monkeypatch, tmp_path):
    (tmp_path / "shapiq").mkdir()
    (tmp_path / "shapiq/__init__.py").write_text("import no_such_library\n")
    monkeypatch.delitem(sys.modules, "shapiq", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingPackageError, match="no_such_library.*interpmd.explain"):
        required("shapiq", "this")
