"""Molecular dynamics through ASE: run, record, resume."""

from interpmd.dynamics.simulate import SimulationError, simulate
from interpmd.dynamics.trajectory import Trajectory

__all__ = ["SimulationError", "Trajectory", "simulate"]
