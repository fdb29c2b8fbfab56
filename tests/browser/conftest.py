from __future__ import annotations

import pytest

pytest.importorskip("playwright", reason="browser tests need playwright")
pytest.importorskip("jupyterlab", reason="browser tests need JupyterLab")
pytest.importorskip("nglview", reason="browser tests need nglview")

from chromium import find_chromium

CODE = """
import numpy as np
import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.reference.calculator import as_calculator
frames = []
for step in range(6):
    atoms = MALONALDEHYDE.copy()
    atoms.positions[8, 0] -= 0.06 * step
    atoms.rattle(0.03, seed=step)
    frames.append(atoms)
potential = im.load("malonaldehyde")
xtb = as_calculator("gfn2-xtb")
explorer = im.ForceExplorer(
    potential, frames, atom=8, order=2, frame=0, models={"GFN2-xTB": xtb}
)
explorer
"""


def pytest_collection_modifyitems(items):
    if find_chromium() is None:
        skip = pytest.mark.skip(
            reason="no Chromium here: run python tests/browser/install_chromium.py, or set CHROMIUM"
        )
        for item in items:
            if "browser" in item.path.parts:
                item.add_marker(skip)


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """A folder with copies: JupyterLab saves what it shows."""
    from servers import write_notebook

    folder = tmp_path_factory.mktemp("notebooks")
    write_notebook(folder / "explorer.ipynb", CODE)
    return folder
