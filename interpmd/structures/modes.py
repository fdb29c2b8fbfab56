"""Second derivatives of an energy from its forces, and the normal modes that they make."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms
from jaxtyping import Float

#: From structures to the forces on all their atoms in eV/Å, shape (structures, atoms, 3).
Forces = Callable[[list[Atoms]], Float[np.ndarray, "structures atoms 3"]]


def hessian(
    forces: Forces, atoms: Atoms, displacement: float = 0.01
) -> Float[np.ndarray, "components components"]:
    """Second derivatives of the energy in eV/Å², symmetrised, shape (3 atoms, 3 atoms).

    Args:
        forces: the forces on the atoms of displaced structures.
        atoms: the structure.
        displacement: Å, of the central differences.
    """
    size = 3 * len(atoms)
    displaced = []
    for component in range(size):
        for sign in (1, -1):
            displaced.append(atoms.copy())
            displaced[-1].positions.flat[component] += sign * displacement
    forward, backward = np.asarray(forces(displaced)).reshape(size, 2, size).swapaxes(0, 1)
    matrix = (backward - forward) / (2 * displacement)
    return 0.5 * (matrix + matrix.T)


def modes_of(
    atoms: Atoms, hessian: Float[np.ndarray, "components components"]
) -> tuple[Float[np.ndarray, "modes components"], Float[np.ndarray, " modes"]]:
    """Normal modes without translations and (molecules) rotations, from the lowest curvature on.

    Args:
        atoms: the structure.
        hessian: shape (3 atoms, 3 atoms), eV/Å².

    Returns:
        Cartesian displacements, shape (modes, 3 atoms), in Å per unit of mass-weighted
        coordinate (Å u^1/2), and curvatures in eV/(Å² u), negative along an unstable mode.
    """
    masses = np.repeat(atoms.get_masses(), 3)
    weighted = hessian / np.sqrt(np.outer(masses, masses))
    centred = atoms.positions - atoms.get_center_of_mass()
    rigid = []
    for axis in np.eye(3):
        rigid.append(np.tile(axis, len(atoms)))
        if not atoms.pbc.any():  # turning a cell's contents costs energy
            rigid.append(np.cross(axis, centred).ravel())
    left, sizes, _ = np.linalg.svd((np.array(rigid) * np.sqrt(masses)).T, full_matrices=True)
    rank = int((sizes > 1e-6 * sizes[0]).sum())
    internal = left[:, rank:]
    curvatures, vectors = np.linalg.eigh(internal.T @ weighted @ internal)
    return (internal @ vectors).T / np.sqrt(masses), curvatures
