"""Geometries of one structure: Langevin dynamics and thermal normal modes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms, units

from interpmd.reference.bias import BiasedCalculator, Restraint
from interpmd.reference.calculator import as_calculator
from interpmd.reference.labelling import closest_overlap
from interpmd.structures.modes import hessian, modes_of
from interpmd.structures.motion import advance, integrator, set_thermal_momenta


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
    :mod:`interpmd.reference.bias`. Raises SimulationError if the dynamics explodes.
    """
    rng = np.random.default_rng(seed)
    moving = atoms.copy()
    calculator = as_calculator(method)
    moving.calc = BiasedCalculator(calculator, restraints) if restraints else calculator
    set_thermal_momenta(moving, temperature, rng)
    dynamics = integrator(moving, "nvt", temperature, timestep, friction, rng)
    advance(dynamics, equilibration, temperature)
    frames = []
    while len(frames) < n:
        advance(dynamics, interval, temperature)
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
    calculator = as_calculator(method)

    def forces(displaced: list[Atoms]) -> np.ndarray:
        return np.array([calculator.get_forces(moved) for moved in displaced])

    modes, curvatures = modes_of(atoms, hessian(forces, _snapshot(atoms), displacement))
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


def _snapshot(atoms: Atoms, **info) -> Atoms:
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {
        key: value for key, value in atoms.info.items() if key in ("charge", "multiplicity", "spin")
    }
    copy.info |= info
    if not atoms.pbc.any():
        copy.positions -= copy.get_center_of_mass()
    return copy
