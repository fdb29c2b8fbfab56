"""Relaxed geometries: minima, and profiles along one dihedral that is held."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.optimize import BFGS

from interpmd import arguments
from interpmd.errors import StructureError
from interpmd.reference.bias import BiasedCalculator, DihedralRestraint
from interpmd.reference.calculator import as_calculator
from interpmd.structures.charges import tell_calculators
from interpmd.structures.chemistry import lewis_bonds
from interpmd.structures.files import Structures, one_structure, read_frames

#: Force in eV/Å at which a relaxation ends, and most steps.
CONVERGED, STEPS = 0.02, 300

#: Of the restraint that holds a dihedral, in eV/rad²: a barrier of 0.5 eV moves it by 0.3°.
STIFFNESS = 100.0


def relaxed(
    structures: Structures,
    level: str | Calculator = "gfn2-xtb",
    converged: float = CONVERGED,
    steps: int = STEPS,
) -> list[Atoms]:
    """The minimum below each structure, with its energy and forces.

    Args:
        structures: where to start.
        level: a level of theory, or an ASE calculator.
        converged: force in eV/Å at which a relaxation ends.
        steps: most of them.

    Returns:
        Structures with labels; `info["converged"]` says whether the forces are that small.
    """
    arguments.positive(converged=converged)
    arguments.count(steps=steps)
    calculator = as_calculator(level)
    return [_downhill(atoms, calculator, (), converged, steps) for atoms in read_frames(structures)]


def torsion_profile(
    structure: Structures,
    dihedral: Sequence[int],
    level: str | Calculator = "gfn2-xtb",
    angles: int | Sequence[float] = 12,
    converged: float = CONVERGED,
    steps: int = STEPS,
) -> list[Atoms]:
    """Structures along a dihedral, all else relaxed, with their energies and forces.

    Each angle starts from the geometry of the one before, turned about the bond in the middle.

    Args:
        structure: the molecule.
        dihedral: four atoms; the bond of the two in the middle is in no ring.
        level: a level of theory, or an ASE calculator.
        angles: degrees, or how many, evenly over the circle from where the molecule is.
        converged: force in eV/Å at which a relaxation ends.
        steps: most of them, at each angle.

    Returns:
        Structures with labels; `info["angle"]` in degrees, from -180 to 180, as it is held.

    Raises:
        StructureError: the atoms are not four that exist, or the bond does not turn.
        ArgumentError: what are no numbers of atoms, or no angles.
    """
    atoms = one_structure(structure).copy()
    dihedral = arguments.atoms_of(dihedral, "dihedral")
    arguments.positive(converged=converged)
    arguments.count(steps=steps)
    side = _turning(atoms, dihedral)
    first = atoms.get_dihedral(*dihedral)
    if isinstance(angles, int | np.integer):
        arguments.count(angles=angles)
        turns = (first + 360.0 * np.arange(angles) / angles).tolist()
    else:
        turns = arguments.numbers_of(angles, "angles").tolist()
    calculator, found = as_calculator(level), []
    for angle in turns:
        atoms = atoms.copy()
        atoms.set_dihedral(*dihedral, float(angle), indices=side)
        held = (DihedralRestraint(*dihedral, target=float(angle), stiffness=STIFFNESS),)
        atoms = _downhill(atoms, calculator, held, converged, steps)
        atoms.info["angle"] = round(float((angle + 180.0) % 360.0 - 180.0), 6)
        found.append(atoms)
    return found


def held_at(
    frames: Sequence[Atoms],
    dihedral: Sequence[int],
    calculator: Calculator,
    converged: float = CONVERGED,
    steps: int = STEPS,
) -> list[Atoms]:
    """The frames of a profile relaxed by another calculator, each at its angle."""
    return [
        _downhill(
            atoms,
            calculator,
            (DihedralRestraint(*dihedral, target=atoms.info["angle"], stiffness=STIFFNESS),),
            converged,
            steps,
        )
        for atoms in frames
    ]


def _downhill(
    atoms: Atoms, calculator: Calculator, held: Sequence, converged: float, steps: int
) -> Atoms:
    moving = atoms.copy()
    moving.set_constraint()
    tell_calculators(moving)
    moving.calc = BiasedCalculator(calculator, held) if held else calculator
    done = BFGS(moving, logfile=None, maxstep=0.1).run(fmax=converged, steps=steps)
    labelled = atoms.copy()
    labelled.positions = moving.positions
    moving.calc = calculator
    labelled.info["converged"] = bool(done)
    labelled.calc = SinglePointCalculator(
        labelled,
        energy=float(moving.get_potential_energy()),
        forces=np.array(moving.get_forces()),
    )
    return labelled


def _turning(atoms: Atoms, dihedral: Sequence[int]) -> list[int]:
    """Atoms that turn with the last one of a dihedral."""
    count = len(atoms)
    if len(set(dihedral)) != 4 or not all(0 <= a < count for a in dihedral):
        raise StructureError(
            f"a dihedral is four different atoms, 0 to {count - 1}, not {list(dihedral)}"
        )
    graph = nx.Graph(lewis_bonds(atoms).pairs.tolist())
    _, second, third, _ = dihedral
    if not graph.has_edge(second, third):
        raise StructureError(f"atoms {second} and {third} are not bonded: nothing turns about them")
    graph.remove_edge(second, third)
    side = nx.node_connected_component(graph, third)
    if second in side:
        raise StructureError(f"the bond of atoms {second} and {third} is in a ring: it cannot turn")
    if dihedral[0] in side or dihedral[3] not in side:
        raise StructureError(
            f"atoms {dihedral[0]} and {dihedral[3]} do not stand at the two ends of the bond of "
            f"atoms {second} and {third}"
        )
    return sorted(side)
