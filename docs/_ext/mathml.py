"""Equations as MathML, which browsers draw by themselves: no script, nothing from elsewhere.

The font, STIX Two Math (SIL Open Font License), comes with the package ziamath.
"""

from __future__ import annotations

import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)

FONT = "STIXTwoMath-Regular.ttf"

#: Environments and commands that the converter knows, or draws better, under another name.
SYNONYMS = {"aligned": "align*", "split": "align*", "gathered": "align*"}
COMMANDS = {r"\lvert": r"\left|", r"\rvert": r"\right|", r"\boldsymbol": r"\mathbf"}


def mathml(node: nodes.Node, display: str) -> str:
    """The equation of a node; warns where the converter did not understand a command."""
    latex = node.astext().strip()
    for name, known in SYNONYMS.items():
        latex = re.sub(rf"\\(begin|end){{{name}}}", rf"\\\1{{{known}}}", latex)
    for command, known in COMMANDS.items():
        latex = latex.replace(command, known)
    try:
        found = convert(latex, display=display)
    except Exception as error:  # the converter's own errors, whose names say little
        LOGGER.warning("equation not understood (%r): %s", error, latex, location=node)
        return f"<code>{latex}</code>"
    if unknown := re.findall(r"\\[A-Za-z]+", found):
        LOGGER.warning("commands not known to MathML: %s", unknown, location=node)
    return re.sub(r"&(?![#\w]+;)", "&amp;", found)


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math"))
    self.body.append(mathml(node, "block"))
    if number := get_node_equation_number(self, node):
        self.body.append(f'<span class="eqno">({number})</span>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def copy_font(app: Sphinx) -> None:
    if app.builder.format == "html":
        target = Path(app.outdir) / "_static"
        target.mkdir(parents=True, exist_ok=True)
        with as_file(files("ziamath") / "fonts" / FONT) as path:
            shutil.copy2(path, target)


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("builder-inited", copy_font)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
