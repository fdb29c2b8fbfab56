"""The one place that knows nglview's private parts, and says in words what is wrong with it.

nglview 4.0.1 asks the browser for its front end 4.0 but ships 3.1.5, so that nothing is drawn
("version 4.0 is not registered"). The version that Python announces stands in the module
`nglview._frontend`; before nglview is imported, a module with the version of the front end that is
installed takes its place. That is harmless where the two agree.

The explorer lets nglview make the stage and draws on it with NGL's buffers from JavaScript
(`explorer/browser/viewer_ngl.js`, the counterpart of this file in the browser).
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from interpmd.errors import ViewerError
from interpmd.extras import required

EXTENSION = "nglview-js-widgets"


def installed_front_end() -> str | None:
    """Version of nglview's front end among Jupyter's lab extensions; None if there is none."""
    folders = [Path(sys.prefix) / "share" / "jupyter"]
    try:
        from jupyter_core.paths import jupyter_path
    except ImportError:
        pass
    else:
        folders = [Path(folder) for folder in jupyter_path()]
    for folder in folders:
        package = folder / "labextensions" / EXTENSION / "package.json"
        if package.is_file():
            return str(json.loads(package.read_text(encoding="utf-8"))["version"])
    return None


def import_nglview() -> ModuleType:
    """nglview, with Python and browser agreeing on the version of the front end.

    Raises:
        ViewerError: nglview is not installed, or its front end is not.
    """
    if find_spec("nglview") is None:
        required("nglview", "the explorer's picture")
    version = installed_front_end()
    if version is None:
        raise ViewerError(
            "nglview is installed but its browser part (lab extension nglview-js-widgets) is "
            "not: reinstall it with pip install --force-reinstall --no-deps nglview, in the "
            "environment from which JupyterLab starts"
        )
    if "nglview" not in sys.modules:
        announced = ModuleType("nglview._frontend", "Version of the installed front end.")
        announced.__frontend_version__ = version  # type: ignore[attr-defined]
        sys.modules["nglview._frontend"] = announced
    import nglview

    return nglview


def empty_stage() -> Any:
    """An nglview widget with nothing on it, for the explorer to draw on.

    Raises:
        ViewerError: see `import_nglview`.
    """
    widget = import_nglview().NGLWidget
    version = installed_front_end()
    # said again, for an nglview that was imported before interpmd could announce the version
    return widget(_view_module_version=version, _model_module_version=version)
