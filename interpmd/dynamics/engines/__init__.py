"""Engines that move atoms, by name: same call, same physics."""

from __future__ import annotations

from importlib import import_module
from typing import Literal

from ase import Atoms

from interpmd import arguments
from interpmd.dynamics.engines.base import Engine
from interpmd.dynamics.engines.plan import Ensemble, Plan, Thermostat

__all__ = ["ENGINES", "Engine", "EngineName", "Ensemble", "Plan", "Thermostat", "engine_of"]

EngineName = Literal["ase", "openmm"]

#: Module and class of each engine; loaded when first used.
ENGINES = {
    "ase": ("interpmd.dynamics.engines.by_ase", "ASEEngine"),
    "openmm": ("interpmd.dynamics.engines.by_openmm", "OpenMMEngine"),
}


def engine_of(name: str, atoms: Atoms, plan: Plan) -> Engine:
    """An engine for one structure.

    Args:
        name: one of `ENGINES`.
        atoms: with momenta and a calculator; they move.
        plan: see `Plan`.

    Raises:
        ArgumentError: an unknown engine, or one that does not know the structure's constraints.
        MissingPackageError: its package is not installed.
    """
    arguments.one_of(tuple(ENGINES), engine=name)
    module, engine = ENGINES[name]
    return getattr(import_module(module), engine)(atoms, plan)
