"""The explorer: see which interactions drive a force, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interpmd.views.explorer.explorer import ForceExplorer

__all__ = ["ForceExplorer"]


def __getattr__(name: str) -> Any:
    """The widget, when it is asked for: what else stands here serves without widgets too."""
    if name != "ForceExplorer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from interpmd.views.explorer.explorer import ForceExplorer

    return ForceExplorer
