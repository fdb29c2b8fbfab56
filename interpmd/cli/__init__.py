"""The command `interpmd`: one file for each group of commands."""

from interpmd.cli import (
    course,
    design,
    drive,
    distillation,
    dynamics,
    engines,
    explanation,
    labels,
    learning,
    trust,
)
from interpmd.cli.application import app, main

__all__ = [
    "app",
    "course",
    "design",
    "drive",
    "distillation",
    "dynamics",
    "engines",
    "explanation",
    "labels",
    "learning",
    "main",
    "trust",
]
