"""The command `interpmd`: one file for each group of commands."""

from interpmd.cli import (
    active,
    course,
    design,
    distillation,
    drive,
    dynamics,
    engines,
    events,
    explanation,
    labels,
    learning,
    paths,
    trust,
)
from interpmd.cli.application import app, main

__all__ = [
    "active",
    "app",
    "course",
    "design",
    "distillation",
    "drive",
    "dynamics",
    "engines",
    "events",
    "explanation",
    "labels",
    "learning",
    "main",
    "paths",
    "trust",
]
