"""The benchmark of hard inputs tells right values, clear lines, unclear ones and silence apart."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest

import interpmd as im

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests")]

from hard_inputs import KINDS  # noqa: E402
from hard_inputs.case import RIGHT, SAID, SILENT, UNCLEAR, Case  # noqa: E402


def refused():
    raise im.ArgumentError("seed is a whole number, not -1")


def warned():
    warnings.warn("frame 7 is off", im.LabelWarning, stacklevel=2)


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        (Case("x", lambda: True), RIGHT),
        (Case("x", lambda: False), SILENT),
        (Case("x", lambda: None), SILENT),
        (Case("x", refused, "seed"), SAID),
        (Case("x", warned, "frame 7"), SAID),
        (Case("x", lambda: True, "seed"), SILENT),
        (Case("x", refused, "friction"), UNCLEAR),
        (Case("x", refused), UNCLEAR),
        (Case("x", lambda: 1 / 0, "division"), UNCLEAR),
    ],
)
def test_outcomes(case, outcome):
    assert case.outcome()[0] == outcome


@pytest.mark.parametrize("kind", ["numbers", "charges and states"])
def test_nothing_is_silent(kind):
    ends = {case.name: case.outcome() for case in KINDS[kind].cases()}
    assert {name: end for name, end in ends.items() if end[0] in (SILENT, UNCLEAR)} == {}
