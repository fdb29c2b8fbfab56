"""Molecular dynamics by several engines: run, record, resume."""

from interpmd.dynamics.run import simulate
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import SimulationError

__all__ = ["SimulationError", "Trajectory", "simulate"]
