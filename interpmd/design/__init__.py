"""Exploring chemical space by interactions: which group to change, and why."""

from interpmd.design.evaluate import Effort, Evaluated
from interpmd.design.exploration import Exploration
from interpmd.design.run import explore

__all__ = ["Effort", "Evaluated", "Exploration", "explore"]
