"""Structures of one element, labelled by an analytic potential: clusters, boxes, few atoms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from ase import Atoms, units
from ase.calculators.singlepoint import SinglePointCalculator
from jaxtyping import Float

from interpmd.errors import ArgumentError
from interpmd.potentials.analytic import StillingerWeber
from interpmd.potentials.potential import Potential
from interpmd.reference.trajectories import langevin

#: Temperatures of the dynamics in units of epsilon / k; silicon melts at 0.067.
TEMPERATURES = (0.01, 0.03, 0.06, 0.10)

#: Atoms never start closer than this, in units of sigma (the dimer's bond is 1.12 sigma).
CONTACT = 0.9

#: Distance of neighbours on the cubic lattice from which boxes start, in units of sigma: near the
#: densities of liquid silicon (1.25) and water (1.30).
SPACING = 1.28

#: Steps of dynamics before the first snapshot and between snapshots.
EQUILIBRATION, INTERVAL, SNAPSHOTS = 60, 20, 8


def clusters(
    term: StillingerWeber, symbol: str, sizes: tuple[int, int], count: int, seed: int
) -> list[Atoms]:
    """Clusters from Langevin dynamics at `TEMPERATURES`, every other one compressed or stretched.

    Args:
        term: the potential that drives the dynamics and labels the clusters.
        symbol: element of all atoms.
        sizes: smallest and largest number of atoms.
        count: number of clusters.
        seed: of starts, velocities and deformations.
    """
    rng = np.random.default_rng(seed)

    def start() -> Atoms:
        return grown(int(rng.integers(sizes[0], sizes[1] + 1)), symbol, term.sigma, rng)

    frames = _dynamics(term, start, count, rng)
    for atoms in frames[::2]:
        atoms.positions *= rng.uniform(0.92, 1.08)
    return labelled(frames, Potential([term]), "cluster")


def boxes(term: StillingerWeber, symbol: str, beads: int, count: int, seed: int) -> list[Atoms]:
    """Periodic boxes from Langevin dynamics at `TEMPERATURES`, compressed or stretched a little.

    Args:
        term, symbol, count, seed: see `clusters`.
        beads: number of atoms, a third power.

    Raises:
        ValueError: another number of atoms.
    """
    side = round(beads ** (1 / 3))
    if side**3 != beads:
        raise ArgumentError(f"a cubic lattice has a third power of atoms, 27, 64, ..., not {beads}")
    rng = np.random.default_rng(seed)
    length = side * SPACING * term.sigma

    def start() -> Atoms:
        lattice = np.array(list(np.ndindex(side, side, side))) / side
        atoms = Atoms([symbol] * beads, cell=[length] * 3, pbc=True, scaled_positions=lattice)
        atoms.positions += rng.normal(scale=0.04 * term.sigma, size=(beads, 3))
        return atoms

    frames = _dynamics(term, start, count, rng)
    for atoms in frames:
        atoms.set_cell(atoms.cell.array * rng.uniform(0.96, 1.04), scale_atoms=True)
    return labelled(frames, Potential([term]), "box")


def _dynamics(
    term: StillingerWeber, start: Callable[[], Atoms], count: int, rng: np.random.Generator
) -> list[Atoms]:
    """Snapshots of trajectories from new starts, each at a temperature of `TEMPERATURES`."""
    calculator = Potential([term]).calculator()
    frames: list[Atoms] = []
    while len(frames) < count:
        atoms = start()
        # the period of a vibration is about 2 sigma sqrt(m / 30 epsilon): thirty steps of it
        timestep = 0.01 * term.sigma * np.sqrt(atoms.get_masses()[0] / term.epsilon) / units.fs
        frames += langevin(
            atoms,
            calculator,
            n=min(SNAPSHOTS, count - len(frames)),
            temperature=rng.choice(TEMPERATURES) * term.epsilon / units.kB,
            seed=int(rng.integers(2**31)),
            interval=INTERVAL,
            equilibration=EQUILIBRATION,
            timestep=timestep,
            friction=0.1 / timestep,
        )
    return frames


def grown(size: int, symbol: str, sigma: float, rng: np.random.Generator) -> Atoms:
    """A random cluster: each atom joins one that is there, at 1.05 to 1.5 sigma."""
    positions = np.zeros((1, 3))
    while len(positions) < size:
        away = rng.normal(size=3)
        away *= rng.uniform(1.05, 1.5) * sigma / np.linalg.norm(away)
        added = positions[rng.integers(len(positions))] + away
        if np.linalg.norm(positions - added, axis=1).min() > CONTACT * sigma:
            positions = np.vstack([positions, added])
    return Atoms([symbol] * size, positions=positions)


def dimers(term: StillingerWeber, symbol: str, count: int, seed: int) -> list[Atoms]:
    """Pairs at distances from 0.85 sigma to the cutoff, evenly spread, at random within a step."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(0.85 * term.sigma, term.cutoff, count + 1)
    distances = edges[:-1] + rng.uniform(size=count) * np.diff(edges)
    frames = [Atoms([symbol] * 2, positions=[[0, 0, 0], [r, 0, 0]]) for r in distances]
    return labelled(frames, Potential([term]), "dimer")


def trimers(term: StillingerWeber, symbol: str, count: int, seed: int) -> list[Atoms]:
    """Triplets with two sides inside the cutoff, the angle between them random."""
    rng = np.random.default_rng(seed)
    frames: list[Atoms] = []
    while len(frames) < count:
        first, second = rng.uniform(CONTACT * term.sigma, term.cutoff, size=2)
        cosine = rng.uniform(-1, 1)
        points = np.array([[0, 0, 0], [first, 0, 0], [second * cosine, 0, 0]])
        points[2, 1] = second * np.sqrt(1 - cosine**2)
        if np.linalg.norm(points[1] - points[2]) > CONTACT * term.sigma:
            frames.append(Atoms([symbol] * 3, positions=points))
    return labelled(frames, Potential([term]), "trimer")


def labelled(frames: list[Atoms], potential: Potential, subset: str) -> list[Atoms]:
    """The frames with energies (eV) and forces (eV/Å) of a potential, and `info["subset"]`."""
    for atoms in frames:
        prediction = potential.predict_unwatched(atoms)
        forces: Float[np.ndarray, "atoms 3"] = prediction.forces.numpy()
        atoms.info = {"subset": subset}
        atoms.calc = SinglePointCalculator(atoms, energy=float(prediction.energy), forces=forces)
    return frames
