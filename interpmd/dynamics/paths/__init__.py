"""Paths of least energy, and scans, through ASE and Sella."""

from interpmd.dynamics.paths.result import Path
from interpmd.dynamics.paths.scans import scan
from interpmd.dynamics.paths.search import path

__all__ = ["Path", "path", "scan"]
