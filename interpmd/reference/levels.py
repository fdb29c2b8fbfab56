"""The levels of theory that `interpmd.label` knows; see `interpmd.potentials.levels`."""

from interpmd.potentials.levels.names import available_levels, resolve

__all__ = ["available_levels", "resolve"]
