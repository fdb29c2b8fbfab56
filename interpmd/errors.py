"""The errors that interpmd raises, each naming the culprit and what to do about it."""

from __future__ import annotations


class InterpmdError(Exception):
    """Base class of all errors raised by interpmd on purpose."""


class StructureError(InterpmdError, ValueError):
    """A structure cannot be used: empty, NaN, overlapping atoms, singular cell."""


class UnknownElementError(InterpmdError, ValueError):
    """A structure holds an element that the potential was not made for."""


class LabelError(InterpmdError, ValueError):
    """Training data lack energies or forces, or those are inconsistent."""


class ArgumentError(InterpmdError, ValueError):
    """An argument has a value that makes no sense."""


class OutputError(InterpmdError, OSError):
    """A result cannot be written; where it was computed already, `report` holds it."""

    report = None


class PotentialFileError(InterpmdError, ValueError):
    """A folder is no potential, is damaged, or was written by a newer version."""
