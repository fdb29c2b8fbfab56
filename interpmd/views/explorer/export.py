"""The explorer's view in files: pictures, a table, a film, a page that opens offline."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from interpmd.errors import ArgumentError
from interpmd.plots.style import image_of
from interpmd.views.explorer import browser
from interpmd.views.explorer.picture import draw_answer
from interpmd.views.explorer.questions import GROUPINGS, Question
from interpmd.views.explorer.state import State

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


class Exports:
    """How `ForceExplorer` is written to files."""

    state: State
    question: Question
    scene: dict[str, Any]
    frame: int
    unit: str
    shown: int

    def export_html(
        self,
        path: str | Path,
        frames: Iterable[int] | None = None,
        groupings: Sequence[str] | None = None,
        title: str | None = None,
    ) -> Path:
        """Write one file that opens in any browser, offline: frames step, bars are hovered.

        Args:
            path: of the file.
            frames: which frames, all if None; those not yet explained are computed.
            groupings: that can be chosen in the page; the present one and "kind" if None.
            title: of the page.

        Raises:
            QuestionError: an unknown grouping.
            OSError: the file cannot be written.
        """
        frames = list(range(len(self.state)) if frames is None else frames)
        groupings = dict.fromkeys(groupings or (self.question.grouping, "kind"))
        answers = {}
        for grouping in groupings:
            question = Question(**{**vars(self.question), "grouping": grouping})
            answers[grouping] = [
                {**answer.to_json(), "frame": index}
                for index, answer in enumerate(self.state.answers(question, frames))
            ]
        first = next(iter(answers.values()))[0]
        atoms = [self.state.frames[f] for f in frames]
        places = np.stack([a.positions for a in atoms]).astype("<f4")
        forces = np.array([one["forces"] for one in next(iter(answers.values()))], dtype="<f4")
        shown = frames.index(self.frame) if self.frame in frames else 0
        question = self.state.settled(self.question, frames[0])
        data = {
            "scene": {
                **self.scene,
                "times": [float(self.state.times[f]) for f in frames],
                "bondsOf": [self.scene["bondsOf"][f] for f in frames],
                "groupings": [[name, GROUPINGS[name]] for name in groupings],
            },
            "positions": base64.b64encode(places.tobytes()).decode(),
            "forces": base64.b64encode(forces.tobytes()).decode(),
            "state": {**vars(question), "frame": shown, "unit": self.unit, "shown": self.shown},
            "answers": answers,
        }
        title = title or f"{atoms[0].get_chemical_formula()}: {first['title']}"
        page = PAGE.format(
            title=escape(title),
            words=escape(first["title"], quote=True),
            png=self.picture_png(frame=frames[shown]),
            css=browser.read("explorer.css"),
            script=browser.source("offline.js"),
            # "</script>" inside a label would end the script
            data=json.dumps(data).replace("</", "<\\/"),
        )
        path = Path(path)
        path.write_text(page, encoding="utf-8")
        return path

    def picture_png(self, dpi: int = 100, frame: int | None = None) -> str:
        """The static picture, PNG in base64."""
        return base64.b64encode(self._picture("png", dpi, frame)).decode()

    def to_frame(self) -> pd.DataFrame:
        """All contributions at all frames that were looked at, one line each.

        Columns: frame, time_fs (of a trajectory with times), contribution, atoms and
        value_eV or value_eV/A.
        """
        question = self.question
        frames = sorted({*self.state.known(question), self.frame})
        lines = []
        for frame in frames:
            answer = self.state.answer(question, frame)
            time = {"time_fs": self.state.times[frame]} if self.state.timed else {}
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

    def _picture(self, kind: str, dpi: int = 150, frame: int | None = None) -> bytes:
        frame = self.frame if frame is None else frame
        figure = draw_answer(self.state, self.question, frame, self.unit, self.shown)
        return image_of(figure, kind, dpi)

    def _save(self, path: Path) -> Path:
        kind = path.suffix.lower()
        if kind in (".png", ".svg"):
            path.write_bytes(self._picture(kind[1:]))
        elif kind == ".csv":
            self.to_frame().to_csv(path, index=False)
        elif kind == ".gif":
            import imageio.v3 as iio

            self.state.answers(self.question)  # first, so that all pictures have the time line
            frames = [
                iio.imread(self._picture("png", 80, frame), extension=".png")[..., :3]
                for frame in range(len(self.state))
            ]
            low = [min(f.shape[axis] for f in frames) for axis in (0, 1)]
            stack = np.stack([f[: low[0], : low[1]] for f in frames])
            iio.imwrite(path, stack, duration=100, loop=0)
        elif kind == ".html":
            self.export_html(path)
        else:
            raise ArgumentError(f"save to .png, .svg, .csv, .gif or .html, not {path.name!r}")
        return path
