"""Engines that move atoms, by name: same call, same physics."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Literal

from ase import Atoms

from interpmd import arguments
from interpmd.dynamics.engines.base import Engine
from interpmd.dynamics.engines.plan import Ensemble, Plan, Thermostat

__all__ = ["ENGINES", "Engine", "EngineName", "Ensemble", "Plan", "Thermostat", "engine_of"]

EngineName = Literal["ase", "lammps", "openmm", "torch_sim"]

#: Module and class of each engine; loaded when first used.
ENGINES = {
    "ase": ("interpmd.dynamics.engines.by_ase", "ASEEngine"),
    "lammps": ("interpmd.dynamics.engines.by_lammps", "LAMMPSEngine"),
    "openmm": ("interpmd.dynamics.engines.by_openmm", "OpenMMEngine"),
    "torch_sim": ("interpmd.dynamics.engines.by_torch_sim", "TorchSimEngine"),
}


def engine_of(name: str, structures: Atoms | Sequence[Atoms], plan: Plan) -> Engine:
    """An engine for one structure, or for several that it moves by the same plan.

    Args:
        name: one of `ENGINES`.
        structures: with momenta and calculators; they move.
        plan: see `Plan`.

    Raises:
        ArgumentError: an unknown engine, or one that does not know a structure's constraints.
        MissingPackageError: its package is not installed.
    """
    arguments.one_of(tuple(ENGINES), engine=name)
    module, engine = ENGINES[name]
    several = [structures] if isinstance(structures, Atoms) else structures
    return getattr(import_module(module), engine)(several, plan)
