"""The explorer: see which interactions drive a force, frame by frame."""

from interpmd.views.explorer.explorer import ForceExplorer

__all__ = ["ForceExplorer"]
