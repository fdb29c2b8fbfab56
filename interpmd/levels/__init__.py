"""Levels of theory: what gives energies and forces of a structure, by name or as a calculator."""

from interpmd.levels.names import available_levels, resolve

__all__ = ["available_levels", "resolve"]
