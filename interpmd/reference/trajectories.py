"""Geometries of one structure: Langevin dynamics and thermal normal modes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator

from interpmd import arguments
from interpmd.errors import CalculationError
from interpmd.keywords import renamed
from interpmd.reference.bias import BiasedCalculator, Restraint
from interpmd.reference.calculator import as_calculator
from interpmd.reference.checks import closest_overlap
from interpmd.structures.charges import (
    CHARGE_KEYS,
    FORMAL,
    MULTIPLICITY_KEYS,
    for_calculators,
    tell_calculators,
)
from interpmd.structures.modes import hessian, modes_of
from interpmd.structures.motion import advance, integrator, set_thermal_momenta


@renamed(method="level")
def langevin(
    atoms: Atoms,
    level: str | Calculator = "gfn2-xtb",
    n: int = 100,
    temperature: float = 300.0,
    seed: int = 0,
    interval: int = 25,
    equilibration: int = 200,
    timestep: float = 0.5,
    friction: float = 0.02,
    restraints: Sequence[Restraint] = (),
    tick: Callable[[], object] = lambda: None,
) -> list[Atoms]:
    """Snapshots of Langevin dynamics at one temperature, molecules with their centre at zero.

    Args:
        atoms: the first structure; left as it is.
        level: of theory, or an ASE calculator.
        n: number of snapshots.
        temperature: K. timestep: fs. friction: 1/fs.
        seed: of velocities and thermostat.
        interval: steps between snapshots. equilibration: steps before them.
        restraints: see :mod:`interpmd.reference.bias`.
        tick: called after each snapshot.

    Raises:
        SimulationError: the dynamics explodes.
    """
    arguments.positive(temperature=temperature, timestep=timestep)
    arguments.not_negative(friction=friction)
    arguments.count(n=n, interval=interval)
    arguments.count(0, equilibration=equilibration)
    arguments.seeds(seed=seed)
    arguments.masses_of(atoms)
    rng = np.random.default_rng(seed)
    moving = atoms.copy()
    tell_calculators(moving)
    calculator = as_calculator(level)
    moving.calc = BiasedCalculator(calculator, restraints) if restraints else calculator
    set_thermal_momenta(moving, temperature, rng)
    dynamics = integrator(moving, "nvt", temperature, timestep, friction, rng)
    advance(dynamics, equilibration, temperature)
    frames = []
    while len(frames) < n:
        advance(dynamics, interval, temperature)
        frames.append(_snapshot(moving, temperature=temperature))
        tick()
    return frames


@renamed(method="level")
def normal_modes(
    atoms: Atoms,
    level: str | Calculator = "gfn2-xtb",
    n: int = 100,
    temperature: float = 300.0,
    seed: int = 0,
    displacement: float = 0.01,
    imaginary_width: float = 0.1,
    tick: Callable[[], object] = lambda: None,
) -> list[Atoms]:
    """Geometries displaced along normal modes by classical thermal amplitudes.

    The mass-weighted coordinate of a mode with angular frequency w is Gaussian with variance
    kT / w^2. Displacements that make atoms overlap are drawn again.

    Args:
        atoms: the structure whose modes are taken, best a minimum or saddle point.
        level: of theory, or an ASE calculator.
        n: number of geometries.
        temperature: K.
        seed: of the amplitudes.
        displacement: Å, of the central differences that make the Hessian.
        imaginary_width: Å, standard deviation of the atom that moves most along a mode of
            imaginary frequency (at a transition state).
        tick: called after each geometry.

    Raises:
        CalculationError: most displacements make atoms overlap.
    """
    arguments.positive(temperature=temperature, displacement=displacement)
    arguments.not_negative(imaginary_width=imaginary_width)
    arguments.count(n=n)
    arguments.seeds(seed=seed)
    arguments.masses_of(atoms)
    rng = np.random.default_rng(seed)
    calculator = as_calculator(level)

    def forces(displaced: list[Atoms]) -> np.ndarray:
        return np.array([calculator.get_forces(for_calculators(moved)) for moved in displaced])

    modes, curvatures = modes_of(atoms, hessian(forces, _snapshot(atoms), displacement))
    if not len(modes):
        raise CalculationError(f"{atoms.symbols} has no vibrations: a single atom only moves")
    thermal = units.kB * temperature / np.maximum(np.abs(curvatures), 1e-12)
    largest = np.linalg.norm(modes.reshape(len(modes), -1, 3), axis=2).max(axis=1)
    widths = np.where(curvatures > 0, np.sqrt(thermal), imaginary_width / largest)
    # a soft mode is far from harmonic: no atom moves more than 0.3 Å in it, at one sigma
    widths = np.minimum(widths, 0.3 / largest)
    frames = []
    for _ in range(50 * n):
        moved = _snapshot(atoms, temperature=temperature)
        step = (rng.normal(size=len(modes)) * widths) @ modes
        moved.positions += step.reshape(-1, 3)
        if closest_overlap(moved, factor=0.6) is None:
            frames.append(moved)
            tick()
        if len(frames) == n:
            return frames
    raise CalculationError(
        f"no {n} displacements without overlapping atoms at {temperature} K; take a lower "
        "temperature, or begin at a minimum"
    )


def _snapshot(atoms: Atoms, **info) -> Atoms:
    copy = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    copy.info = {k: v for k, v in atoms.info.items() if k in (*CHARGE_KEYS, *MULTIPLICITY_KEYS)}
    for name in ("initial_charges", "initial_magmoms", FORMAL):
        if name in atoms.arrays:
            copy.set_array(name, atoms.arrays[name])
    copy.info |= info
    if not atoms.pbc.any():
        copy.positions -= copy.get_center_of_mass()
    return copy
