"""The JavaScript and style sheets of the explorer; `source` joins them into one module."""

from __future__ import annotations

from importlib.resources import files

#: In the order in which they build on each other.
SHARED = (
    "numbers.js",
    "memory.js",
    "marks.js",
    "geometry.js",
    "viewer_canvas.js",
    "labels.js",
    "budget.js",
    "pairs.js",
    "timeline.js",
    "frame_map.js",
    "panels.js",
    "comparison.js",
    "tabs.js",
    "controls.js",
    "player.js",
    "asking.js",
    "drawing.js",
    "explorer.js",
)


def source(*more: str) -> str:
    """The shared files and those named, as one script.

    The files use each other's names without imports: a notebook loads a widget's code as a single
    module, and a page that opens from disk may not import others.
    """
    return "\n".join(read(name) for name in (*SHARED, *more))


def read(name: str) -> str:
    """One of the files beside this one."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
