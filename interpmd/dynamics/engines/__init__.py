"""Engines that move atoms, by name: same call, same physics."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, Literal

from ase import Atoms

from interpmd import arguments
from interpmd.dynamics.engines.base import Engine
from interpmd.dynamics.engines.constraints import only_simple
from interpmd.dynamics.engines.plan import Ensemble, Plan, Thermostat
from interpmd.errors import MissingPackageError
from interpmd.extras import required
from interpmd.potentials.potential import Potential

__all__ = [
    "ENGINES",
    "Engine",
    "EngineName",
    "Ensemble",
    "Plan",
    "Thermostat",
    "engine_of",
    "usual_engine",
]

EngineName = Literal["ase", "lammps", "openmm", "torch_sim"]

#: Module and class of each engine; loaded when first used.
ENGINES = {
    "ase": ("interpmd.dynamics.engines.by_ase", "ASEEngine"),
    "lammps": ("interpmd.dynamics.engines.by_lammps", "LAMMPSEngine"),
    "openmm": ("interpmd.dynamics.engines.by_openmm", "OpenMMEngine"),
    "torch_sim": ("interpmd.dynamics.engines.by_torch_sim", "TorchSimEngine"),
}


def usual_engine(atoms: Atoms, potential: Any) -> str:
    """The engine of a run for which none is named: OpenMM for molecules where it is installed and
    knows their constraints, with potentials of interpmd; else ASE."""
    suits = not atoms.pbc.any() and isinstance(potential, Potential) and only_simple(atoms)
    return "openmm" if suits and _installed("openmm") else "ase"


@cache
def _installed(module: str) -> bool:
    try:
        required(module, "")
    except MissingPackageError:
        return False
    return True


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
