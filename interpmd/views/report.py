"""One self-contained HTML file: text, tables and pictures that open offline."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from interpmd.markup import Markup, joined, markup, table
from interpmd.plots.style import image_of
from interpmd.storage import replace_file
from interpmd.structures.files import prepare_output
from interpmd.units import number_sign

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #ffffff; }
h1 { font-size: 1.7rem; line-height: 1.2; } h2 { margin-top: 2.2rem; font-size: 1.25rem; }
img { max-width: 100%; height: auto; display: block; margin: 1rem auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.8rem; border-bottom: 1px solid #cccccc; text-align: right; }
th:first-child, td:first-child { text-align: left; }
tbody th { font-weight: normal; white-space: nowrap; }
.note { border-left: 4px solid #0072B2; padding: 0.4rem 1rem; background: #f2f7fb; }
summary { cursor: pointer; font-weight: bold; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
"""

PICTURE = '<img alt="{}" src="data:image/png;base64,{}">'

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{parts}
</body>
</html>
"""


@dataclass
class Report:
    """Sections of a report, in order.

    Args:
        title: of the page.
    """

    title: str
    parts: list[Markup] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Start a section."""
        self.parts.append(markup("<h2>{}</h2>", text))

    def text(self, text: str, note: bool = False) -> None:
        """Add a paragraph; `note` sets it apart."""
        self.parts.append(markup('<p class="note">{}</p>' if note else "<p>{}</p>", text))

    def table(self, frame: pd.DataFrame, digits: int = 3) -> None:
        """Add a table."""
        rows = table(frame, border=0, float_format=lambda value: number_sign(value, f".{digits}f"))
        self.parts.append(markup('<div class="wide">{}</div>', rows))

    def figure(self, figure: Figure, description: str) -> None:
        """Add a picture, with words for those who cannot see it; the figure is closed."""
        data = base64.b64encode(image_of(figure, dpi=130)).decode()
        self.parts.append(markup(PICTURE, description, data))

    def folded(self, heading: str, inside: Report) -> None:
        """Add another report's parts under a heading that opens them."""
        parts = joined(inside.parts, "\n")
        self.parts.append(markup("<details><summary>{}</summary>\n{}\n</details>", heading, parts))

    def write(self, path: str | Path) -> Path:
        """Write the file, either as a whole or not at all.

        Raises:
            OutputError: the disk is full, or the folder cannot be written to.
        """
        path = Path(path)
        prepare_output(path)
        parts = joined(self.parts, "\n")
        replace_file(path, markup(PAGE, title=self.title, style=Markup(STYLE), parts=parts))
        return path
