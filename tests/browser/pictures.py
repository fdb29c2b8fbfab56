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
    cells, also from a list that has the focus. Again, should JupyterLab have taken the focus away.
    """
    box = made.locator(f"select:has(option:text-is('{option}'))")
    last = "node => node.selectedIndex === node.options.length - 1"
    for _ in range(10):
        box.focus()
        made.keyboard.press("End")
        if box.evaluate(last):
            return
        made.wait_for_timeout(500)
    raise AssertionError(f"the last option of the list with {option} cannot be chosen")


def move(made, handle, key: str) -> float:
    """Move the handle of a slider by a key; its value then. Again, should the focus be lost."""
    before = handle.get_attribute("aria-valuenow"), handle.get_attribute("aria-valuetext")
    for _ in range(10):
        handle.focus()
        made.keyboard.press(key)
        after = handle.get_attribute("aria-valuenow"), handle.get_attribute("aria-valuetext")
        if after != before:
            return float(after[0])
        made.wait_for_timeout(500)
    raise AssertionError(f"{key} does not move the slider from {before}")


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
