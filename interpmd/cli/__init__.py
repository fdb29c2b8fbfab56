"""The command `interpmd`: one file for each group of commands."""

from interpmd.cli import course, dynamics, explanation, labels, learning, trust
from interpmd.cli.application import app, main

__all__ = ["app", "course", "dynamics", "explanation", "labels", "learning", "main", "trust"]
