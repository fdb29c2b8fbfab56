"""A potential, or any calculator of ASE, attached to structures that ASE moves."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.errors import ModelError
from interpmd.potentials.potential import Potential
from interpmd.reference.calculator import calculator_named
from interpmd.structures.charges import tell_calculators
from interpmd.structures.systems import check_structure


def mover(given: Potential | Calculator | str) -> Potential | Calculator:
    """What gives energies and forces: itself, or the calculator of a level of theory by its name.

    Raises:
        ModelError: it gives none.
    """
    if isinstance(given, str):
        return calculator_named(given)
    if not isinstance(given, Potential) and not hasattr(given, "get_forces"):
        raise ModelError(
            f"{type(given).__name__} gives no energies and forces: pass a potential (im.load(name),"
            " or report.potential of a fit), the name of a level of theory, or a calculator of ASE"
        )
    return given


def attached(atoms: Atoms, potential: Potential | Calculator | str) -> Atoms:
    """A copy of a structure without velocities that asks a potential for its energy and forces.

    Raises:
        ModelError: it gives none.
        StructureError: the structure cannot be evaluated.
    """
    potential = mover(potential)
    check_structure(atoms)
    copy = atoms.copy()
    copy.arrays.pop("momenta", None)
    if isinstance(potential, Potential):
        copy.calc = potential.calculator()
    else:
        tell_calculators(copy)
        copy.calc = potential
    return copy


def snapshot(atoms: Atoms) -> Atoms:
    """A copy with the energy and forces that its potential gives, without those of constraints."""
    copy = atoms.copy()
    copy.calc = SinglePointCalculator(
        copy,
        energy=float(atoms.get_potential_energy(apply_constraint=False)),
        forces=np.array(atoms.get_forces(apply_constraint=False)),
    )
    return copy


def largest_force(atoms: Atoms) -> float:
    """Length in eV/Å of the largest force on an atom that constraints leave."""
    return float(np.linalg.norm(atoms.get_forces(), axis=1).max(initial=0.0))
