"""The levels of theory that `interpmd.label` knows; see `interpmd.levels`."""

from interpmd.levels.names import available_levels, resolve

__all__ = ["available_levels", "resolve"]
