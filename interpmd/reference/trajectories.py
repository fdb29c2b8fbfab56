"""Geometries of one structure: Langevin dynamics and thermal normal modes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin

from interpmd.reference.bias import BiasedCalculator, Restraint
from interpmd.reference.calculator import as_calculator
from interpmd.reference.labelling import closest_overlap

BROKEN = 1e4  # A; positions beyond this mean that the dynamics blew up


def langevin(
    atoms: Atoms,
    method="gfn2-xtb",
    n: int = 100,
    temperature: float = 300.0,
    seed: int = 0,
    interval: int = 25,
    equilibration: int = 200,
    timestep: float = 0.5,
    friction: float = 0.02,
    restraints: Sequence[Restraint] = (),
) -> list[Atoms]:
    """n snapshots of Langevin dynamics at one temperature, molecules centred on their mass.

    method: name or ASE calculator. temperature in K, timestep in fs, friction in 1/fs; snapshots
    every ``interval`` steps after ``equilibration`` steps. restraints: see
    :mod:`interpmd.reference.bias`. Raises RuntimeError if the dynamics blows up.
    """
    rng = np.random.default_rng(seed)
    moving = atoms.copy()
    calculator = as_calculator(method)
    moving.calc = BiasedCalculator(calculator, restraints) if restraints else calculator
    widths = np.sqrt(moving.get_masses() * units.kB * temperature)
    moving.set_momenta(rng.standard_normal((len(moving), 3)) * widths[:, None])
    dynamics = Langevin(
        moving,
        timestep * units.fs,
        temperature_K=temperature,
        friction=friction / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(equilibration)
    frames = []
    while len(frames) < n:
        dynamics.run(interval)
        if not (np.abs(moving.positions) < BROKEN).all():
            raise RuntimeError(f"dynamics at {temperature} K blew up; take a shorter timestep")
        frames.append(_snapshot(moving, temperature=temperature))
    return frames


def normal_modes(
    atoms: Atoms,
    method="gfn2-xtb",
    n: int = 100,
    temperature: float = 300.0,
    seed: int = 0,
    displacement: float = 0.01,
    imaginary_width: float = 0.1,
) -> list[Atoms]:
    """n geometries displaced along normal modes by classical thermal amplitudes.

    The mass-weighted coordinate of a mode with angular frequency w is Gaussian with variance
    kT / w^2. The Hessian comes from central differences of forces (``displacement`` in A);
    translations and rotations are projected out. Modes of imaginary frequency (at a transition
    state) get a Gaussian of width ``imaginary_width`` (A, for the largest atomic displacement).
    Displacements that make atoms overlap are drawn again.
    """
    rng = np.random.default_rng(seed)
    modes, curvatures = modes_of(atoms, hessian(atoms, method, displacement))
    thermal = units.kB * temperature / np.maximum(np.abs(curvatures), 1e-12)
    largest = np.linalg.norm(modes.reshape(len(modes), -1, 3), axis=2).max(axis=1)
    widths = np.where(curvatures > 0, np.sqrt(thermal), imaginary_width / largest)
    # a soft mode is far from harmonic: no atom moves more than 0.3 A in it, at one sigma
    widths = np.minimum(widths, 0.3 / largest)
    frames = []
    for _ in range(50 * n):
        moved = _snapshot(atoms, temperature=temperature)
        step = (rng.normal(size=len(modes)) * widths) @ modes
        moved.positions += step.reshape(-1, 3)
        if closest_overlap(moved, factor=0.6) is None:
            frames.append(moved)
        if len(frames) == n:
            return frames
    raise RuntimeError(f"no {n} displacements without overlapping atoms at {temperature} K")


def hessian(atoms: Atoms, method="gfn2-xtb", displacement: float = 0.01) -> np.ndarray:
    """Second derivatives of the energy, (3 atoms, 3 atoms) in eV/A^2, symmetrised."""
    calculator = as_calculator(method)
    rows = []
    for index in range(3 * len(atoms)):
        forces = []
        for sign in (1, -1):
            moved = _snapshot(atoms)
            moved.positions.flat[index] += sign * displacement
            forces.append(calculator.get_forces(moved).ravel().copy())
        rows.append((forces[1] - forces[0]) / (2 * displacement))
    matrix = np.array(rows)
    return 0.5 * (matrix + matrix.T)


def modes_of(atoms: Atoms, hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normal modes without translations and rotations, from the lowest curvature on.

    Args:
        atoms: the structure.
        hessian: shape (3 atoms, 3 atoms), eV/A^2.

    Returns:
        Cartesian displacements, shape (modes, 3 atoms), in A per unit of mass-weighted
        coordinate (A u^1/2), and curvatures in eV/(A^2 u), negative along an unstable mode.
    """
    masses = np.repeat(atoms.get_masses(), 3)
    weighted = hessian / np.sqrt(np.outer(masses, masses))
    centred = atoms.positions - atoms.get_center_of_mass()
    rigid = []
    for axis in np.eye(3):
        rigid += [np.tile(axis, len(atoms)), np.cross(axis, centred).ravel()]
    left, sizes, _ = np.linalg.svd((np.array(rigid) * np.sqrt(masses)).T, full_matrices=True)
    rank = int((sizes > 1e-6 * sizes[0]).sum())
    internal = left[:, rank:]
    curvatures, vectors = np.linalg.eigh(internal.T @ weighted @ internal)
    return (internal @ vectors).T / np.sqrt(masses), curvatures


def _snapshot(atoms: Atoms, **info) -> Atoms:
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {
        key: value for key, value in atoms.info.items() if key in ("charge", "multiplicity", "spin")
    }
    copy.info |= info
    if not atoms.pbc.any():
        copy.positions -= copy.get_center_of_mass()
    return copy
