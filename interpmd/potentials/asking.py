"""The line of the user's code that asked, which warnings name however deep they arise."""

from __future__ import annotations

import contextlib
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import ase
import torch

#: Code that is not the user's own: interpmd, and what is installed beside ASE and torch, such as
#: an engine that calls back.
OTHERS = (
    str(Path(__file__).parents[1]),
    str(Path(ase.__file__).parents[1]),
    str(Path(torch.__file__).parents[1]),
    contextlib.__file__,
)


class Place(NamedTuple):
    """A line of the user's code."""

    file: str
    line: int


def asked_from() -> Place:
    """The line of the user's code that led here."""
    return _place(_asking())


def warn_where_asked(message: str, category: type[Warning]) -> None:
    """Warn at the line of the user's code that led here, as often as Python's filters say."""
    frame = _asking()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, *_place(frame), registry=registry)


def _asking() -> FrameType:
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(OTHERS) and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _place(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno)
