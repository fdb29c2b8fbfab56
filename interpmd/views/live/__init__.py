"""Dynamics that runs while one watches, and the picture of it that moves in the browser."""

from interpmd.views.live.panel import LiveMD

__all__ = ["LiveMD"]
