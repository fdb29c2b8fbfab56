"""ipywidgets and anywidget, or an error that says which extra brings them.

Modules of widgets take both from here, so that importing one without them says what to install.
"""

from interpmd.extras import required

for _module in ("ipywidgets", "anywidget"):
    required(_module, "a widget")

import anywidget  # noqa: E402
import ipywidgets as widgets  # noqa: E402

__all__ = ["anywidget", "widgets"]
