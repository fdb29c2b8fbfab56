"""Structures on the dividing surface, distributed as at equilibrium, to shoot from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.optimize import BFGS
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.biased import Held
from interpmd.dynamics.events.coordinate import ReactionCoordinate, as_coordinate
from interpmd.dynamics.shooting.shots import moving_copy
from interpmd.errors import ReactionError
from interpmd.potentials.potential import Potential
from interpmd.reference.bias import BiasedCalculator
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.motion import advance, integrator, with_velocities
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread

#: Width of the coordinate in the restrained run, as a share of the way from the middle to the
#: nearer state.
WIDTH = 0.05


@one_thread()
def top_structures(
    potential: Potential | Calculator | str,
    atoms: Structures,
    coordinate: ReactionCoordinate | Callable[[Atoms], float],
    n: int = 50,
    *,
    temperature: float = 300.0,
    timestep: float = 0.5,
    apart: float = 50.0,
    settle: float = 500.0,
    seed: int = 0,
    low: float | None = None,
    middle: float | None = None,
    high: float | None = None,
    progress: bool = True,
) -> list[Atoms]:
    """Structures on the surface where a coordinate has its `middle`, from Langevin dynamics with a
    stiff spring on it (umbrella sampling: Torrie and Valleau, J. Comput. Phys. 23, 187, 1977).

    The spring draws the coordinate to the middle in ten stretches of relaxation, then holds it
    there within a twentieth of the way to the nearer state; what is left is taken off by moving
    the atoms along the slope of the coordinate, light ones more than heavy ones.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        atoms: where to start, a structure of either state for instance; or a file of it.
        coordinate: see `im.shoot`.
        n: number of structures.
        temperature: K. timestep: fs.
        apart: fs between structures. settle: fs before the first one.
        seed: of the velocities and the thermostat.
        low, middle, high: see `im.events`.
        progress: whether to show a progress bar.

    Raises:
        ReactionError: the spring does not bring the coordinate to its middle.
        ArgumentError: numbers that make no sense.
        SimulationError: the run exploded.
    """
    arguments.count(n=n)
    arguments.seeds(seed=seed)
    arguments.positive(temperature=temperature, timestep=timestep, apart=apart)
    arguments.not_negative(settle=settle)
    coordinate = as_coordinate(coordinate, low, middle, high)
    atoms = one_structure(atoms)
    check_structure(atoms)
    arguments.masses_of(atoms)
    coordinate.check(atoms)
    c = coordinate
    near = min(c.middle - c.low, c.high - c.middle)
    stiffness = units.kB * temperature / (WIDTH * near) ** 2
    moving = moving_copy(potential, atoms)
    own, start = moving.calc, c(moving)
    with tqdm(total=n, desc="tops", unit="structure", disable=not progress) as bar:
        for share in np.linspace(0.1, 1.0, 10):
            target = start + share * (c.middle - start)
            moving.calc = BiasedCalculator(own, [Held(c, target, stiffness)])
            BFGS(moving, logfile=None).run(fmax=0.1, steps=40)
        moving = with_velocities(_bare(moving), temperature, [seed, 0])
        moving.calc = BiasedCalculator(own, [Held(c, c.middle, stiffness)])
        rng = np.random.default_rng([seed, 1])
        dynamics = integrator(moving, "nvt", temperature, timestep, 0.02, rng)
        found: list[Atoms] = []
        for number in range(n):
            steps = round((apart if number else max(settle, apart)) / timestep)
            advance(dynamics, max(1, steps), temperature)
            value = c(moving)
            if c.state(value) >= 0:
                raise ReactionError(
                    f"the spring could not hold {c.name} at {c.middle:g} {c.unit}: it is "
                    f"{value:.3g} after {dynamics.nsteps} steps; start from a structure nearer to "
                    "the top"
                )
            found.append(on_surface(_bare(moving), c))
            bar.update()
    return found


def on_surface(atoms: Atoms, coordinate: ReactionCoordinate) -> Atoms:
    """A copy moved to the middle of the coordinate, by the shortest way in mass-weighted lengths.

    Raises:
        ReactionError: the coordinate does not get there.
    """
    moved, inverse = atoms.copy(), 1 / atoms.get_masses()[:, None]
    for _ in range(20):
        away = coordinate(moved) - coordinate.middle
        if abs(away) < 1e-9 * max(1.0, abs(coordinate.middle)):
            return moved
        slope = coordinate.slope(moved)
        way = inverse * slope
        moved.positions -= away * way / max(float((slope * way).sum()), 1e-12)
    raise ReactionError(
        f"{coordinate.name} does not reach {coordinate.middle:g} {coordinate.unit}: it stays at "
        f"{coordinate(moved):.3g}; is it a smooth function of the positions?"
    )


def _bare(atoms: Atoms) -> Atoms:
    """A copy without velocities and calculator."""
    copy = atoms.copy()
    copy.arrays.pop("momenta", None)
    return copy
