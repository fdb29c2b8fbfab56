"""A periodic box in the explorer: its cell and its images, drawn and named in JupyterLab."""

from __future__ import annotations

import os

from servers import open_in_lab, page, server, state, write_notebook
from test_jupyterlab import overlapping

BOX = """
import numpy as np
from ase import Atoms
from ase.build import molecule
import interpmd as im
rng, box = np.random.default_rng(1), Atoms(cell=[6.4] * 3, pbc=True)
for place in np.ndindex(2, 2, 2):
    water = molecule("H2O")
    water.rotate(float(rng.uniform(0, 360)), rng.normal(size=3))
    water.translate(3.2 * np.array(place) + 0.2)
    box += water
box.wrap()
im.ForceExplorer(im.load("water"), box, "internal", atom=0)
"""


def test_the_cell_and_the_images_of_a_box_of_water(tmp_path):
    write_notebook(tmp_path / "box.ipynb", BOX)
    with server(tmp_path, "lab") as address, page() as made:
        open_in_lab(made, address, "box.ipynb")
        assert state(made)["viewer"] == "NglViewer"
        made.wait_for_function(
            "document.querySelector('.interpmd-explorer').dataset.ghosts.includes('1')"
        )
        ghosts = made.locator(".im-ghost:visible").all_inner_texts()
        assert ghosts and all(name in state(made)["ghosts"] for name in ghosts)
        bars = made.inner_text(".im-bars").replace("\u200b", "")
        assert any(name.split(" ", 1)[1] in bars for name in ghosts)
        view = made.locator(".im-view").bounding_box()
        for ghost in made.locator(".im-ghost:visible").all():
            box = ghost.bounding_box()
            assert view["x"] <= box["x"] + box["width"] and box["x"] <= view["x"] + view["width"]
        for width in (800, 1280):
            made.set_viewport_size({"width": width, "height": 1300})
            made.wait_for_timeout(500)
            if folder := os.environ.get("INTERPMD_PICTURES"):
                made.locator(".interpmd-explorer").screenshot(path=f"{folder}/box_{width}.png")
            assert not overlapping(made, ".im-budget") + overlapping(made, ".im-names")
        # a click on an image asks about the atom that it is of
        made.locator(".im-bars li.im-plus").first.click()
        assert not [w for w in made.words if "not registered" in w or "page error" in w]
