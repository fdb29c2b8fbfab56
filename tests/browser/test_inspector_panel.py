"""The inspector of a potential in real JupyterLab, by keyboard alone."""

from __future__ import annotations

import os

import pytest
from servers import open_in_lab, page, server, write_notebook

pytestmark = pytest.mark.timeout(280)

CODE = """
import interpmd as im
inspector = im.PotentialInspector(im.load("water"))
inspector
"""
PICTURES = ".jp-OutputArea-output .widget-html img[alt]"
CURVE, MAP = 0, 1


def picture(made, which: int) -> dict[str, str]:
    """What the browser shows and says of a picture; another one has another address."""
    return made.locator(PICTURES).nth(which).evaluate("node => ({src: node.src, words: node.alt})")


def wait_for_another(made, which: int, before: dict[str, str]) -> dict[str, str]:
    made.wait_for_function(
        """([selector, which, src]) => {
            const node = document.querySelectorAll(selector)[which];
            return node.src !== src && node.complete && node.naturalWidth > 100;
        }""",
        arg=[PICTURES, which, before["src"]],
    )
    made.wait_for_function(
        "([selector, which, words]) => document.querySelectorAll(selector)[which].alt !== words",
        arg=[PICTURES, which, before["words"]],
    )
    return picture(made, which)


def slider(made, words: str):
    return made.locator(f".widget-slider:has-text('{words}') .noUi-handle:visible")


def test_keys_move_sliders_and_pictures_follow(tmp_path):
    write_notebook(tmp_path / "inspector.ipynb", CODE)
    with server(tmp_path, "lab") as address, page() as made:
        open_in_lab(made, address, "inspector.ipynb", ready=f"{PICTURES} >> nth={MAP}")
        if folder := os.environ.get("INTERPMD_PICTURES"):
            for width in (800, 1280):
                made.set_viewport_size({"width": width, "height": 1300})
                made.wait_for_timeout(1000)
                made.screenshot(path=f"{folder}/inspector_{width}.png")
        curve, before = picture(made, CURVE), picture(made, MAP)
        handle = slider(made, "angle (°)")
        angle = float(handle.get_attribute("aria-valuenow"))
        handle.focus()
        made.keyboard.press("ArrowRight")
        after = wait_for_another(made, MAP, before)
        assert float(handle.get_attribute("aria-valuenow")) > angle
        assert picture(made, CURVE) == curve, "the angle has no part in pairs"

        # the other map has a slider of its own. End and not an arrow: in command mode JupyterLab
        # takes the vertical arrows for moving between cells, also from a list that has the focus
        made.locator("select:has(option:text-is('distance and angle'))").focus()
        made.keyboard.press("End")
        slider(made, "distance (Å)").wait_for()
        assert slider(made, "angle (°)").count() == 0
        wait_for_another(made, MAP, after)

        made.locator("select:has(option:text-is('O-O'))").focus()
        made.keyboard.press("End")
        assert "O-O" in wait_for_another(made, CURVE, curve)["words"]
        wrong = [w for w in made.words if "not registered" in w or "page error" in w]
        assert not wrong
