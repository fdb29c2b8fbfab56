"""What panels of pictures show in a browser."""

from __future__ import annotations

import os

PICTURES = ".jp-OutputArea-output .widget-html img[alt]"


def picture(made, which: int) -> dict[str, str]:
    """What the browser shows and says of a picture; another one has another address."""
    return made.locator(PICTURES).nth(which).evaluate("node => ({src: node.src, words: node.alt})")


def wait_for_another(made, which: int, before: dict[str, str]) -> dict[str, str]:
    """Wait until another picture stands there, and is drawn."""
    made.wait_for_function(
        """([selector, which, src]) => {
            const node = document.querySelectorAll(selector)[which];
            return node && node.src !== src && node.complete && node.naturalWidth > 100;
        }""",
        arg=[PICTURES, which, before["src"]],
    )
    return picture(made, which)


def slider(made, words: str):
    """The handle of a slider by its description."""
    return made.locator(f".widget-slider:has-text('{words}') .noUi-handle:visible")


def choose_last(made, option: str) -> None:
    """Choose the last option of the list that has this one, by keyboard.

    End and not an arrow: in command mode JupyterLab takes the vertical arrows for moving between
    cells, also from a list that has the focus.
    """
    made.locator(f"select:has(option:text-is('{option}'))").focus()
    made.keyboard.press("End")


def photograph(made, name: str) -> None:
    """Screenshots for people, if the environment names a folder for them."""
    if folder := os.environ.get("INTERPMD_PICTURES"):
        size = made.viewport_size
        for width in (800, 1280):
            made.set_viewport_size({"width": width, "height": 1300})
            made.wait_for_timeout(1000)
            made.screenshot(path=f"{folder}/{name}_{width}.png")
        made.set_viewport_size(size)


def check_console(made) -> None:
    """No widget that the page does not know, no error."""
    assert not [w for w in made.words if "not registered" in w or "page error" in w]
