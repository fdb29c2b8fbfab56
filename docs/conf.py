"""Settings of the documentation: `make docs` builds docs/_build/html, which opens offline."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path[:0] = [str(HERE / "_ext"), str(ROOT)]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import interpmd  # noqa: E402

project = "interpmd"
author = "The interpmd developers"
copyright = "2026, the interpmd developers"
release = version = interpmd.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "live",
    "mathml",
]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# types in signatures come from many libraries; what the prose links to must exist
nitpick_ignore_regex = [("py:(class|exc|attr|obj|data)", r"(?s).*")]
default_role = "py:obj"
# notebooks may start at any level of heading
suppress_warnings = ["myst.header", "mystnb.unknown_mime_type"]

html_theme = "furo"
html_title = "interpmd"
html_static_path = ["_static"]
html_css_files = ["interpmd.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

nb_execution_mode = "off"  # pages show what the notebooks hold; `make test` runs them
nb_ipywidgets_js = {}  # nothing from other servers: widgets show their picture
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"
copybutton_exclude = ".linenos, .gp, .go"

linkcheck_timeout = 20
linkcheck_workers = 2
linkcheck_ignore = [r"http://(localhost|127\.0\.0\.1).*"]
# publishers turn robots away from pages that people can read
linkcheck_allowed_redirects = {r"https://doi\.org/.*": r".*"}
linkcheck_report_timeouts_as_broken = True


def _copy_notebooks() -> None:
    """Notebooks as pages: copies, since Sphinx reads only what lies below this folder."""
    target = HERE / "notebooks"
    shutil.rmtree(target, ignore_errors=True)
    found = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    if found:
        target.mkdir()
    for path in found:
        shutil.copy2(path, target)


_copy_notebooks()
