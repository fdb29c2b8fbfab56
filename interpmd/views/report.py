"""One self-contained HTML file: text, tables and pictures that open offline."""

from __future__ import annotations

import base64
import html
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from interpmd.plots.style import image_of
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


@dataclass
class Report:
    """Sections of a report, in order.

    Args:
        title: of the page.
    """

    title: str
    parts: list[str] = field(default_factory=list)

    def heading(self, text: str) -> None:
        """Start a section."""
        self.parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str, note: bool = False) -> None:
        """Add a paragraph; `note` sets it apart."""
        kind = ' class="note"' if note else ""
        self.parts.append(f"<p{kind}>{html.escape(text)}</p>")

    def table(self, frame: pd.DataFrame, digits: int = 3) -> None:
        """Add a table."""
        table = frame.to_html(
            border=0, float_format=lambda value: number_sign(value, f".{digits}f")
        )
        self.parts.append(f'<div class="wide">{table}</div>')

    def figure(self, figure: Figure, description: str) -> None:
        """Add a picture, with words for those who cannot see it; the figure is closed."""
        data = base64.b64encode(image_of(figure, dpi=130)).decode()
        words = html.escape(description, quote=True)
        self.parts.append(f'<img alt="{words}" src="data:image/png;base64,{data}">')

    def folded(self, heading: str, inside: Report) -> None:
        """Add another report's parts under a heading that opens them."""
        summary = f"<summary>{html.escape(heading)}</summary>"
        self.parts.append("\n".join([f"<details>{summary}", *inside.parts, "</details>"]))

    def write(self, path: str | Path) -> Path:
        """Write the file, either as a whole or not at all.

        Raises:
            OSError: the disk is full, or the folder cannot be written to.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        title = html.escape(self.title)
        page = (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
            f"<h1>{title}</h1>\n" + "\n".join(self.parts) + "\n</body>\n</html>\n"
        )
        handle, fresh = tempfile.mkstemp(dir=path.parent, suffix=".partial")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page)
            Path(fresh).replace(path)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise
        return path
