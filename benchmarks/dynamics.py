"""Engines of dynamics: speed of a molecule, ranks of LAMMPS, replicas in one batch, drift.

``python benchmarks/dynamics.py [molecule replicas ranks drift cell]``. Times of one process are
those of its processor, so that other work on the machine counts little; those of ranks are of the
wall, the best of several, one after another.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write
from ase.optimize import BFGS
from results import record

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials import StillingerWeber
from interpmd.structures.threads import one_thread

COMMAND = "python benchmarks/dynamics.py"

#: fs.
TIMESTEP = 0.5

#: Steps of a speed, and how often it is measured.
STEPS, TRIES = 4000, 3

#: Replicas in a batch.
REPLICAS = 64


def processor_seconds(run: Callable[[], object], tries: int = TRIES) -> float:
    """The least processor time of several runs."""
    found = []
    for _ in range(tries):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def ns_per_day(seconds_per_step: float) -> float:
    return TIMESTEP * 1e-6 * 86400 / seconds_per_step


def still() -> Atoms:
    """Malonaldehyde at its minimum."""
    start = MALONALDEHYDE.copy()
    start.calc = im.load("malonaldehyde").calculator()
    BFGS(start, logfile=None).run(fmax=0.02)
    return start


def molecule_speed() -> dict[str, str]:
    """Malonaldehyde, energies and grade watched, a frame every 100 steps; by engine."""
    potential, start = im.load("malonaldehyde"), still()
    with one_thread():
        calculator = potential.calculator()
        calculator.results_at(start)
        known = calculator.ready()
        forces = processor_seconds(
            lambda: [calculator.results_at(start, known=known) for _ in range(1000)]
        )
    figures = {}
    for engine in ("openmm", "lammps", "torch_sim", "ase"):
        words = []
        for precision in ("float64", "float32"):
            options = {"precision": precision, "engine": engine, "progress": False}
            im.simulate(potential, start, steps=20, **options)
            run = partial(im.simulate, potential, start, steps=STEPS, interval=100, **options)
            seconds = processor_seconds(run) / STEPS
            words.append(
                f"{precision} {ns_per_day(seconds):.0f} ns/day ({1e6 * seconds:.0f} µs a step)"
            )
        figures[f"malonaldehyde: NVE at 0.5 fs by {engine}"] = ", ".join(words)
    figures["malonaldehyde: energy and forces within a run, with the watch"] = (
        f"{1e3 * forces:.0f} µs"
    )
    return figures


def replicas() -> dict[str, str]:
    """Many replicas in one batch of TorchSim against one by one."""
    potential, start, steps = im.load("malonaldehyde"), still(), 1000
    options = {"steps": steps, "interval": 100, "progress": False}
    im.replicas(potential, start, range(2), **options | {"steps": 10})
    together = partial(im.replicas, potential, start, range(REPLICAS), "nvt", **options)
    batch = processor_seconds(together)
    alone = {}
    for engine in ("ase", "torch_sim", "openmm"):
        some = {**options, "steps": 2 * steps, "engine": engine}
        alone[engine] = processor_seconds(partial(im.simulate, potential, start, "nvt", **some))
    each = batch / (REPLICAS * steps)
    times = ", ".join(
        f"{seconds / (2 * steps) / each:.1f} times those by {engine}"
        for engine, seconds in alone.items()
    )
    return {
        f"malonaldehyde: {REPLICAS} replicas, NVT, in one batch": (
            f"{1e6 * each:.0f} µs a step and replica; throughput one by one: {times}"
        )
    }


def drift() -> dict[str, str]:
    """NVE of 100 ps by OpenMM, as benchmarks/conservation.py has it by what is usual."""
    run = im.simulate(
        im.load("malonaldehyde"),
        still(),
        temperature=665,  # of which the motion within keeps 300 K
        timestep=TIMESTEP,
        steps=200_000,
        interval=100,
        engine="openmm",
    )
    return {
        "malonaldehyde: NVE, 100 ps by openmm, drift": (
            f"{run.drift():+.4f} meV/atom/ps at {run.temperatures.mean():.0f} K"
        )
    }


def cell() -> dict[str, str]:
    """Silicon (Stillinger-Weber) at constant pressure: its lattice constant and that of rest."""
    silicon = im.Potential([StillingerWeber()])
    atoms = bulk("Si", cubic=True, a=5.431) * (4, 4, 4)
    run = im.simulate(
        silicon,
        atoms,
        "npt",
        temperature=300,
        timestep=1.0,
        steps=3000,
        interval=50,
        friction=0.02,
        barostat_time=300,
        compressibility=1e-6,
        engine="openmm",
    )
    lengths = np.array([a.get_volume() for a in run[20:]]) ** (1 / 3) / 4
    return {
        "silicon (Stillinger-Weber), 512 atoms, NPT, 3 ps at 300 K, 1 bar, lattice constant": (
            f"{lengths.mean():.3f} ± {lengths.std():.3f} Å (5.431 Å at rest)"
        )
    }


SCRIPT = """
units metal
atom_style atomic
boundary p p p
read_data data
pair_style interpmd water
pair_coeff * * H O
timestep 0.00002
velocity all create 10 1
fix 1 all nve
thermo 10
run 10 post no
run {steps}
"""


def water_box(sides: tuple[int, int, int] = (8, 7, 6)) -> Atoms:
    """Waters on a grid at 1 g/ml, turned at random."""
    length = (18.015 / 6.02214e23 * 1e24) ** (1 / 3)
    box, rng = Atoms(pbc=True, cell=length * np.array(sides)), np.random.default_rng(0)
    for place in np.ndindex(*sides):
        one = molecule("H2O")
        one.euler_rotate(*rng.uniform(0, 180, 3))
        one.positions += length * (np.array(place) + 0.5) - one.positions[0]
        box += one
    return box


def ranks(steps: int = 60, tries: int = 2) -> dict[str, str]:
    """LAMMPS, about 1,000 atoms of water: two ranks against one.

    By the wall, which other work on the machine spoils, and by the processor time of the forces of
    the slower rank, which leaves out what ranks tell each other.
    """
    atoms = water_box()
    walls: dict[int, list[float]] = {1: [], 2: []}
    processors: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "data", atoms, format="lammps-data", masses=True, specorder=["H", "O"])
        (folder / "in.lmp").write_text(SCRIPT.format(steps=steps))
        for _ in range(tries):
            for count in (1, 2):
                command = [sys.executable, "-m", "interpmd", "lammps", "in.lmp"]
                said = subprocess.run(
                    [*command, "-np", str(count)],
                    cwd=folder,
                    env=os.environ | {"PYTHONPATH": str(Path(im.__file__).parents[1])},
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
                loops = re.findall(r"Loop time of (\S+) on", said)
                walls[count].append(float(loops[-1]) / steps)
                spent = re.findall(r"least of a step: ([\d. e-]+) s", said)[0].split()
                processors[count].append(max(map(float, spent)))
    wall, processor = (
        {count: min(found) for count, found in each.items()} for each in (walls, processors)
    )
    return {
        f"LAMMPS, {len(atoms)} atoms of water, 2 ranks against 1": (
            f"processor time of the forces {processor[1] / processor[2]:.2f} times less "
            f"({1e3 * processor[1]:.0f} and {1e3 * processor[2]:.0f} ms a step); by the wall, load "
            f"{os.getloadavg()[0]:.0f} on {os.cpu_count()} cores, {wall[1] / wall[2]:.2f} times"
        )
    }


PARTS = {
    "molecule": molecule_speed,
    "replicas": replicas,
    "ranks": ranks,
    "drift": drift,
    "cell": cell,
}


def main(names: Sequence[str]) -> None:
    for name in names or PARTS:
        record(PARTS[name](), COMMAND)


if __name__ == "__main__":
    main(sys.argv[1:])
