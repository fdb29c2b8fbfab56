"""The explorer as one file of HTML that opens offline in any browser."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interpmd.markup import Markup, in_script, markup
from interpmd.storage import replace_file
from interpmd.views.explorer import browser
from interpmd.views.explorer.frame_map import frame_map
from interpmd.views.explorer.picture import View, image
from interpmd.views.explorer.questions import GROUPINGS

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 0 auto; max-width: 1200px; padding: 8px; }}
h1 {{ font: bold 20px system-ui, sans-serif; }}
{css}</style>
</head>
<body>
<h1>{title}</h1>
<div id="explorer" role="region" aria-label="force explorer"></div>
<noscript><p>This page needs JavaScript; the picture shows its first frame.</p>
<img alt="{words}" src="data:image/png;base64,{png}"></noscript>
<script>
{script}
open({data});
</script>
</body>
</html>
"""


def write_page(
    view: View,
    path: str | Path,
    frames: Iterable[int] | None = None,
    groupings: Sequence[str] | None = None,
    title: str | None = None,
) -> Path:
    """Write the page; see `ForceExplorer.export_html`."""
    state, scene = view.state, view.scene
    frames = list(range(len(state)) if frames is None else frames)
    offered = list(dict.fromkeys(groupings or (view.question.grouping, "kind")))
    answers = _answers(view, frames, offered)
    first = answers[offered[0]]
    places = np.stack([state.frames[frame].positions for frame in frames])
    shown = frames.index(view.frame) if view.frame in frames else 0
    question = state.settled(view.question, frames[0])
    data = {
        "scene": {
            **scene,
            "times": [float(state.times[frame]) for frame in frames],
            "bondsOf": [scene["bondsOf"][frame] for frame in frames],
            "cellOf": [scene["cellOf"][frame] for frame in frames],
            "groupings": [[name, GROUPINGS[name]] for name in offered],
        },
        "positions": _floats(places),
        "forces": _floats(np.array([answer["forces"] for answer in first])),
        "state": {
            **vars(question),
            "frame": shown,
            "unit": view.unit,
            "shown": view.shown,
            "beside": view.beside,
        },
        "answers": answers,
        "comparisons": _comparisons(view, frames, offered),
        "map": frame_map(state, view.coordinates).to_json(frames) if len(frames) > 2 else None,
    }
    formula = state.frames[frames[0]].get_chemical_formula()
    page = markup(
        PAGE,
        title=title or f"{formula}: {first[0]['title']}",
        words=first[0]["title"],
        png=base64.b64encode(image(view, "png", 100, frames[shown])).decode(),
        css=Markup(browser.read("explorer.css")),
        script=Markup(browser.source("offline.js")),
        data=in_script(data),
    )
    path = Path(path)
    replace_file(path, page)
    return path


def _answers(
    view: View, frames: Sequence[int], groupings: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The answers to the present question by grouping, their frames numbered as in the page."""
    answers = {}
    for grouping in groupings:
        question = replace(view.question, grouping=grouping)
        answers[grouping] = [
            {**answer.to_json(), "frame": index}
            for index, answer in enumerate(view.state.answers(question, frames, error_bars=True))
        ]
    return answers


def _comparisons(
    view: View, frames: Sequence[int], groupings: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """What the view puts beside its answers, of all frames, by grouping; nothing if nothing."""
    if view.beside is None:
        return {}
    return {
        grouping: [
            view.state.comparison(
                replace(view.question, grouping=grouping), frame, view.beside, error_bars=True
            ).to_json()
            for frame in frames
        ]
        for grouping in groupings
    }


def _floats(values: np.ndarray) -> str:
    """Numbers in single precision, in base64."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()
