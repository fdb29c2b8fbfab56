"""One shot: from a structure near the top both ways in time, until both ends lie in a state.

The integrator is velocity Verlet (Swope et al., J. Chem. Phys. 76, 637, 1982) at constant energy,
which is reversible, so that both halves make one trajectory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from jaxtyping import Float

from interpmd.dynamics.asked import mover
from interpmd.dynamics.events.coordinate import ReactionCoordinate
from interpmd.dynamics.events.event import Event
from interpmd.dynamics.events.passage import passages
from interpmd.errors import CalculationError, StructureError
from interpmd.potentials.potential import Potential
from interpmd.structures.charges import tell_calculators
from interpmd.structures.motion import with_velocities


@dataclass(frozen=True)
class Rules:
    """How shots run.

    Attributes:
        coordinate: between whose states they go.
        temperature: K, of the velocities.
        timestep: fs.
        window: fs that each half lasts at least.
        longest: fs after which a half that has reached no state is given up.
        seed: of the velocities, together with the number of the shot.
    """

    coordinate: ReactionCoordinate
    temperature: float
    timestep: float
    window: float
    longest: float
    seed: int


@dataclass(frozen=True)
class Half:
    """One half of a shot, its first frame the structure that was shot from.

    Attributes:
        positions: Å. velocities: Å/fs, in the direction of the run. forces: eV/Å; each of shape
            (frames, atoms, 3).
        energies: potential energies in eV, shape (frames,).
        values: of the coordinate, shape (frames,).
        state: 0 or 1, the one that it reached first; −1 if none.
        trouble: why it ended early; empty if it did not.
    """

    positions: Float[np.ndarray, "frames atoms 3"]
    velocities: Float[np.ndarray, "frames atoms 3"]
    forces: Float[np.ndarray, "frames atoms 3"]
    energies: Float[np.ndarray, " frames"]
    values: Float[np.ndarray, " frames"]
    state: int
    trouble: str = ""


@dataclass(frozen=True)
class Shot:
    """What became of a shot.

    Attributes:
        number: of the shot. structure: number of the structure that it was shot from.
        backward, forward: state that either half reached first: 0, 1, or −1 for none.
        speed: of the coordinate at the start, in its unit per fs.
        event: if it went from one state to the other.
        trouble: why it broke off; empty if it did not.
    """

    number: int
    structure: int
    backward: int
    forward: int
    speed: float
    event: Event | None = None
    trouble: str = ""


def moving_copy(potential: Potential | Calculator | str, atoms: Atoms) -> Atoms:
    """A copy of a structure with a calculator, ready to be moved.

    Raises:
        ModelError: the potential gives no energies and forces.
    """
    potential = mover(potential)
    copy = atoms.copy()
    copy.set_constraint()
    copy.calc = potential.calculator() if isinstance(potential, Potential) else potential
    if not isinstance(potential, Potential):
        tell_calculators(copy)
    return copy


def drawn_velocities(
    atoms: Atoms, temperature: float, seed: list[int]
) -> Float[np.ndarray, "atoms 3"]:
    """Velocities in Å/fs, without drift and (molecules) rotation: the motion within is that of the
    temperature in K."""
    bare = atoms.copy()
    bare.set_constraint()
    if bare.has("momenta"):
        del bare.arrays["momenta"]
    return with_velocities(bare, temperature, seed, preserve=False).get_velocities() * units.fs


def run_half(
    moving: Atoms,
    positions: Float[np.ndarray, "atoms 3"],
    velocities: Float[np.ndarray, "atoms 3"],
    rules: Rules,
    window: float,
) -> Half:
    """Velocity Verlet from a structure until a state is reached and `window` fs are over.

    Args:
        moving: of `moving_copy`; it moves.
        positions: Å. velocities: Å/fs.
        rules: see there.
        window: fs that it lasts at least.
    """
    coordinate, dt = rules.coordinate, rules.timestep
    least, most = round(window / dt), round(rules.longest / dt)
    # eV/Å over u gives Å/fs²
    inverse = units.fs**2 / moving.get_masses()[:, None]
    places, speeds, pushes, energies, values = [], [], [], [], []
    state, trouble, v = -1, "", velocities
    moving.positions[:] = positions
    try:
        for step in range(max(least, most) + 1):
            if step:
                half = v + 0.5 * dt * pushes[-1] * inverse
                moving.positions += dt * half
            force = moving.get_forces(apply_constraint=False)
            if step:
                v = half + 0.5 * dt * force * inverse
            places.append(moving.positions.copy())
            speeds.append(v)
            pushes.append(np.array(force))
            energies.append(float(moving.get_potential_energy()))
            values.append(coordinate(moving))
            if state < 0:
                state = coordinate.state(values[-1])
            if state >= 0 and step >= least:
                break
    except (StructureError, CalculationError) as error:
        trouble = f"after {len(values)} steps: {str(error).split(';')[0]}"
    return Half(
        np.array(places),
        np.array(speeds),
        np.array(pushes),
        np.array(energies),
        np.array(values),
        state,
        trouble,
    )


def shoot_once(moving: Atoms, structure: Atoms, number: int, which: int, rules: Rules) -> Shot:
    """A shot from a structure, with velocities that depend on the seed and its number only.

    Args:
        moving: of `moving_copy`.
        structure: near the top.
        number: of the shot. which: number of the structure.
        rules: see there.
    """
    v = drawn_velocities(structure, rules.temperature, [rules.seed, number])
    halves = [run_half(moving, structure.positions, way, rules, rules.window) for way in (-v, v)]
    backward, forward = halves
    speed = float((rules.coordinate.slope(structure) * v).sum())
    trouble = backward.trouble or forward.trouble
    ends = (backward.state, forward.state)
    if trouble or sorted(ends) != [0, 1]:
        return Shot(number, which, *ends, speed, None, trouble)
    return Shot(
        number, which, *ends, speed, _joined(structure, backward, forward, speed, number, rules)
    )


def _joined(
    structure: Atoms, backward: Half, forward: Half, speed: float, number: int, rules: Rules
) -> Event | None:
    """Both halves as one passage, which begins where the coordinate first crosses its middle."""

    def both(name: str) -> np.ndarray:
        return np.concatenate([getattr(backward, name)[:0:-1], getattr(forward, name)])

    values = both("values")
    start = len(backward.values) - 1
    times = rules.timestep * (np.arange(len(values)) - start)
    # the passage around the start: halves may go on and come back later
    around = [
        p
        for p in passages(rules.coordinate, values, times)
        if p.arrived and p.left <= start <= p.entered
    ]
    if not around:
        return None
    passage = around[0]
    zero = passage.crossings[0]
    template = structure.copy()
    template.set_constraint()
    template.calc = None
    return Event(
        template,
        times - zero,
        both("positions"),
        np.concatenate([-backward.velocities[:0:-1], forward.velocities]),
        both("forces"),
        both("energies"),
        values,
        passage.forward,
        float(times[passage.left] - zero),
        float(times[passage.entered] - zero),
        tuple(t - zero for t in passage.crossings),
        # a path is met once for each of its crossings, in proportion to the flux there
        weight=abs(speed) / len(passage.crossings),
        origin=number,
    )
