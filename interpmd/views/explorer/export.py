"""The explorer's view in files: pictures, a table, a film, a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from interpmd.errors import ArgumentError
from interpmd.extras import required
from interpmd.storage import replace_file
from interpmd.views.explorer.page import write_page
from interpmd.views.explorer.picture import View, image


def save(view: View, path: str | Path) -> Path:
    """Write a view; see `ForceExplorer.save`."""
    path = Path(path)
    kind = path.suffix.lower()
    if kind in (".png", ".svg"):
        replace_file(path, image(view, kind[1:]))
    elif kind == ".csv":
        replace_file(path, contributions(view).to_csv(index=False))
    elif kind == ".gif":
        _film(view, path)
    elif kind == ".html":
        write_page(view, path)
    else:
        raise ArgumentError(f"save to .png, .svg, .csv, .gif or .html, not {path.name!r}")
    return path


def contributions(view: View) -> pd.DataFrame:
    """All contributions at all frames that were looked at; see `ForceExplorer.to_frame`."""
    state, question = view.state, view.question
    lines = []
    for frame in sorted({*state.known(question), view.frame}):
        answer = state.answer(question, frame)
        time = {"time_fs": state.times[frame]} if state.timed else {}
        for bar in answer.bars:
            lines.append(
                {
                    "frame": frame,
                    **time,
                    "contribution": bar.label,
                    "atoms": " ".join(map(str, bar.atoms)),
                    f"value_{answer.unit}": bar.value,
                }
            )
    return pd.DataFrame(lines)


def _film(view: View, path: Path) -> None:
    iio = required("imageio.v3", "a film")
    view.state.answers(view.question)  # first, so that all pictures have the time line
    pictures = [
        iio.imread(image(view, "png", 80, frame), extension=".png")[..., :3]
        for frame in range(len(view.state))
    ]
    height, width = (min(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    stack = np.stack([picture[:height, :width] for picture in pictures])
    replace_file(path, iio.imwrite("<bytes>", stack, extension=".gif", duration=100, loop=0))
