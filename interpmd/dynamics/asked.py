"""A potential, or any calculator of ASE, attached to structures that ASE moves."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.errors import ModelError
from interpmd.potentials.potential import Potential
from interpmd.structures.charges import tell_calculators
from interpmd.structures.systems import check_structure


def check_mover(potential: Potential | Calculator) -> None:
    """Raise ModelError unless something gives energies and forces."""
    if not isinstance(potential, Potential) and not hasattr(potential, "get_forces"):
        given = repr(potential) if isinstance(potential, str) else type(potential).__name__
        raise ModelError(
            f"{given} gives no energies and forces: pass a potential (im.load(name), or "
            "report.potential of a fit) or a calculator of ASE (of a level of theory: "
            "interpmd.reference.calculator.as_calculator(name))"
        )


def attached(atoms: Atoms, potential: Potential | Calculator) -> Atoms:
    """A copy of a structure without velocities that asks a potential for its energy and forces.

    Raises:
        ModelError: it gives none.
        StructureError: the structure cannot be evaluated.
    """
    check_mover(potential)
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
