"""What no quantum program should be given: overlapping atoms, electrons that do not fit."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list

from interpmd.errors import StructureError

OVERLAP = 0.4  # times the sum of the covalent radii


def check_structure(atoms: Atoms) -> None:
    """Raise StructureError for a structure that should not be labelled.

    That is what `interpmd.structures.systems.check_structure` refuses, and two atoms (images
    included) closer than 0.4 times the sum of their covalent radii.
    """
    # here, so that the processes that label need not load torch
    from interpmd.structures.systems import check_structure as check_geometry

    check_geometry(atoms)
    overlap = closest_overlap(atoms)
    if overlap is not None:
        i, j, distance = overlap
        raise StructureError(
            f"atoms {i} ({atoms.symbols[i]}) and {j} ({atoms.symbols[j]}) overlap: "
            f"they are {distance:.3f} Å apart"
        )


def closest_overlap(atoms: Atoms, factor: float = OVERLAP) -> tuple[int, int, float] | None:
    """The two atoms that overlap most, with their distance in Å, or None.

    Overlap: closer than ``factor`` times the sum of the covalent radii. Periodic images count.
    """
    radii = factor * covalent_radii[atoms.numbers]
    if atoms.pbc.any():
        first, second, distances = neighbor_list("ijd", atoms, list(radii))
    else:
        first, second = np.triu_indices(len(atoms), k=1)
        distances = np.linalg.norm(atoms.positions[first] - atoms.positions[second], axis=1)
    ratio = distances / (radii[first] + radii[second])
    if len(ratio) == 0 or ratio.min() >= 1.0:
        return None
    worst = int(ratio.argmin())
    return int(first[worst]), int(second[worst]), float(distances[worst])


def electron_count(numbers: np.ndarray, charge: int) -> int:
    """Number of electrons of atoms of these atomic numbers with that total charge."""
    return int(np.sum(numbers)) - charge


def check_electrons(atoms: Atoms, charge: int, multiplicity: int) -> None:
    """Raise StructureError where charge and multiplicity do not fit the number of electrons."""
    electrons = electron_count(atoms.numbers, charge)
    if electrons < 0:
        raise StructureError(
            f"{atoms.get_chemical_formula()} has {electrons + charge} electrons, from which a "
            f"charge of {charge} e cannot be taken away; see whether the charge is in e"
        )
    if multiplicity >= 1 and electrons < multiplicity - 1:
        raise StructureError(
            f"{atoms.get_chemical_formula()} with charge {charge} has {electrons} electrons, too "
            f"few for multiplicity {multiplicity}, which is 2S + 1; give a smaller one"
        )
    if multiplicity < 1 or (electrons - multiplicity) % 2 == 0:
        kind = "even" if electrons % 2 == 0 else "odd"
        wanted = "an odd" if electrons % 2 == 0 else "an even"
        raise StructureError(
            f"{atoms.get_chemical_formula()} with charge {charge} has {electrons} electrons "
            f"({kind}), which cannot have multiplicity {multiplicity}; it needs {wanted} "
            "multiplicity: give multiplicity=... or atoms.info['multiplicity']"
        )
