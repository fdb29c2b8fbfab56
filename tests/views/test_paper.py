"""Panels leave pictures in notebooks, which conversion to PDF takes where it is told to."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from ase.build import molecule
from traitlets.config import Config

import interpmd as im

GUARDING = (Path(__file__).parents[2] / "docs/guarding.md").read_text()


def test_every_panel_is_a_picture_on_paper():
    nbconvert = pytest.importorskip("nbconvert")
    water, atoms = im.load("water"), molecule("H2O")
    panels = [
        im.LiveMD(water, atoms),
        im.GeometryLab(water, atoms),
        im.PotentialInspector(water),
        im.ForceExplorer(water, [atoms]),
    ]
    notebook = nbformat.v4.new_notebook()
    for panel in panels:
        data, _ = panel._repr_mimebundle_()
        output = nbformat.v4.new_output("execute_result", data, execution_count=1)
        notebook.cells.append(nbformat.v4.new_code_cell("panel", outputs=[output]))
    told = re.search(r"display_data_priority='(\[.*\])'", GUARDING)[1]
    priority = {"display_data_priority": nbformat.reader.json.loads(told)}
    page, _ = nbconvert.HTMLExporter(config=Config(NbConvertBase=priority)).from_notebook_node(
        notebook
    )
    assert len(re.findall('<img[^>]+src="data:image/png', page)) == len(panels)
    assert "widget-view+json" not in re.sub(r"(?s)<script.*?</script>", "", page)
