"""The gallery of molecules in JupyterLab and as a page: drawings, and structures on a click."""

from __future__ import annotations

import pytest
from pictures import check_console, photograph
from servers import open_in_lab, page, server, write_notebook

CODE = """
import interpmd as im
found = im.explore(
    "C([*:1])[*:2]", groups=["F", "CN"], objective="dipole", budget=4, confirm=0, progress=False
)
gallery = im.DesignGallery(found, count=4)
gallery
"""

CARD = ".interpmd-card"

#: How many pixels of the first structure are not white.
INK = f"""() => {{
    const canvas = document.querySelector("{CARD} canvas");
    const {{ data }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let k = 3; k < data.length; k += 4) sum += data[k] > 0 ? (k % 9973) : 0;
    return sum;
}}"""


def check(made) -> None:
    """Drawings are there; a click shows the structure, the keyboard turns it, a button undoes."""
    made.wait_for_selector(f"{CARD} img")
    assert made.locator(CARD).count() == 4
    made.wait_for_function(
        "card => [...document.querySelectorAll(`${card} img`)].every(n => n.naturalWidth > 100)",
        arg=CARD,
    )
    first = made.locator(CARD).first
    assert first.locator("canvas").is_hidden()
    first.locator("button").first.click()
    first.locator("canvas").wait_for(state="visible")
    assert first.locator("img").is_hidden()
    made.wait_for_function(f"() => ({INK})() > 0")
    before = made.evaluate(INK)
    first.locator("canvas").focus()
    made.keyboard.press("ArrowRight")
    made.wait_for_function(f"before => ({INK})() !== before", arg=before)
    first.locator(".states button").first.click()
    first.locator("img").wait_for(state="visible")


@pytest.mark.parametrize("width", [800, 1280])
def test_a_page_opens_from_disk(tmp_path, width):
    names: dict = {}
    exec(CODE.replace("\ngallery\n", "\n"), names)
    path = names["gallery"].export_html(tmp_path / "gallery.html")
    with page(width=width) as made:
        made.goto(path.as_uri())
        check(made)
        check_console(made)
        assert made.evaluate("document.documentElement.scrollWidth") <= width


def test_the_widget_in_jupyterlab(tmp_path):
    write_notebook(tmp_path / "gallery.ipynb", CODE)
    with server(tmp_path, "lab") as address, page() as made:
        open_in_lab(made, address, "gallery.ipynb", ready=f"{CARD} img")
        check(made)
        photograph(made, "gallery")
        check_console(made)
