"""Several runs of one structure at once, which differ by their seeds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ase.calculators.calculator import Calculator

from interpmd import arguments
from interpmd.dynamics.course import Options, Run, follow, on_device
from interpmd.dynamics.engines import EngineName, Ensemble, Plan, Thermostat
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError
from interpmd.potentials.potential import Potential
from interpmd.storage import named_place, writing
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.threads import one_thread


@one_thread()
def replicas(
    potential: Potential | Calculator | str,
    atoms: Structures,
    seeds: Iterable[int] = range(8),
    ensemble: Ensemble = "nvt",
    *,
    temperature: float = 300.0,
    timestep: float = 0.5,
    steps: int = 2000,
    interval: int = 10,
    friction: float = 0.01,
    equilibration: int = 0,
    engine: EngineName = "torch_sim",
    thermostat: Thermostat = "langevin",
    pressure: float = 1.0,
    barostat_time: float = 1000.0,
    compressibility: float = 4.6e-5,
    out: str | Path | None = None,
    precision: Literal["float64", "float32"] = "float64",
    device: str | None = None,
    progress: bool = True,
) -> list[Trajectory]:
    """Run one structure with several seeds, all together: TorchSim evaluates them in one batch.

    Each replica is the run of `interpmd.simulate` with its seed and this engine, to rounding: in
    a batch numbers are summed in another order. It can be gone on with by either.

    Args:
        potential, atoms: see `interpmd.simulate`, as for all that is not named here.
        seeds: one for each replica; of its velocities and its noise.
        out: folder for their files, ``replica-SEED.traj``, which are gone on with where they are
            there; None keeps the frames in memory.

    Raises:
        ArgumentError: no seed, or one twice.
        Others: see `interpmd.simulate`.

    Returns:
        A trajectory for each seed.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> water = im.load("water")
        >>> runs = im.replicas(water, molecule("H2O"), range(3), steps=20, progress=False)
        >>> [len(run) for run in runs]
        [3, 3, 3]
        >>> bool(abs(runs[0].positions[-1] - runs[1].positions[-1]).max() > 0.01)
        True

    On a GPU: ``im.replicas(potential, atoms, range(1000), device="cuda")``.
    """
    seeds = list(seeds) if isinstance(seeds, Iterable) else []
    if not seeds or len(set(seeds)) < len(seeds):
        raise ArgumentError("seeds are different whole numbers, one for each replica, as range(8)")
    arguments.seeds(**{f"seeds[{n}]": seed for n, seed in enumerate(seeds)})
    plan = Plan(
        ensemble,
        temperature,
        timestep,
        thermostat,
        friction,
        pressure,
        barostat_time,
        compressibility,
    )
    options = Options(steps, interval, equilibration, engine, False, precision, device)
    potential = on_device(potential, device)
    atoms = one_structure(atoms)
    folder = None if out is None else named_place(out)
    runs = [
        Run(potential, atoms, plan, options, seed, folder and folder / f"replica-{seed}.traj")
        for seed in seeds
    ]
    if folder is not None:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
    follow(runs, progress)
    return [run.trajectory() for run in runs]
