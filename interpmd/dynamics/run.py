"""Molecular dynamics by any engine: seeded, recorded as it goes, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd.dynamics.course import Options, Run, follow, on_device
from interpmd.dynamics.engines import EngineName, Ensemble, Plan, Thermostat
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import OutputError
from interpmd.keywords import renamed
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.threads import one_thread


@renamed(time_step="timestep", record_every="interval")
@one_thread()
def simulate(
    potential: Potential | Calculator | str,
    atoms: Structures,
    ensemble: Ensemble = "nve",
    *,
    temperature: float = 300.0,
    timestep: float = 0.5,
    steps: int = 2000,
    interval: int = 10,
    friction: float = 0.01,
    equilibration: int = 0,
    seed: int = 0,
    engine: EngineName | None = None,
    thermostat: Thermostat = "langevin",
    pressure: float = 1.0,
    barostat_time: float = 1000.0,
    compressibility: float = 4.6e-5,
    out: str | Path | None = None,
    stop_when: Callable[[Atoms], bool] | None = None,
    compile: bool = False,
    precision: Literal["float64", "float32"] = "float64",
    device: str | None = None,
    progress: bool = True,
) -> Trajectory:
    """Run molecular dynamics: at constant energy (nve), temperature (nvt) or pressure (npt).

    First velocities are drawn at `temperature` for all 3N degrees of freedom; drift and (molecules)
    rotation are taken out, and what is left keeps the kinetic energy: the motion within a small
    molecule begins hotter by 3N/(3N − 6). From a minimum half of it goes into stretching bonds, so
    that an nve run settles near half of that (malonaldehyde, 300 K: 183 ± 52 K over six seeds);
    `equilibration` brings all of it to `temperature`.

    Args:
        potential: a potential of interpmd, a level of theory by name, or any ASE calculator.
        atoms: the first structure, or a file of it ("run.xyz@-1"); left as it is. Velocities that
            it has are kept, else they are drawn at `temperature`, without drift and (molecules)
            rotation. Its constraints act on the motion; recorded energies and forces are those of
            the potential.
        ensemble: "nve"; "nvt"; "npt", for cells that are periodic in three directions, all lengths
            of which are rescaled alike (Bernetti and Bussi 2020).
        temperature: K. timestep: fs. friction: of the thermostat and of the equilibration in 1/fs.
        equilibration: steps of Langevin dynamics at `temperature` before the first frame; 2000
            (1 ps) do for a small molecule, which then drifts and turns as at that temperature.
            Not repeated where a run goes on.
        steps: number of steps. interval: steps between frames.
        seed: of velocities, thermostat and barostat.
        engine: what moves the atoms: "ase"; "openmm", whose own steps cost 0.01 ms where those of
            ASE cost 0.3 ms; "lammps" or "torch_sim". None: that of the file `out`; else "openmm"
            for molecules where it is installed, and "ase" for cells and other calculators.
            Energies and forces are those of `potential` in any case; numbers differ by rounding
            (nve), or by noise (nvt): name the engine where a seed has to give the same numbers
            everywhere. Constraints: all with "ase", `FixAtoms` and `FixBondLengths` with "openmm",
            `FixAtoms` with the others.
        thermostat: of nvt and npt: "langevin", or "bussi", which rescales velocities with the
            relaxation time 1/`friction`, and so lets atoms move nearly as in nve (Bussi et al.
            2007); or "nose_hoover", a chain of three thermostats, which does so without noise and
            conserves an energy (`Trajectory.conserved_energies`; Martyna et al. 1992). A molecule
            that does not turn at first, does not with these two at all.
        pressure: of npt in bar. barostat_time: relaxation time of the volume in fs, if
            `compressibility` (1/bar; of water if left out, 1e-6 for a solid) is about right.
        out: trajectory file (.traj, read by ASE), beside which ``<out>.json`` says how it was
            made. If it is there and was made with the same settings, the run goes on from its
            last whole frame, to the same numbers as without the break, wherever that was. A
            file that goes further than `steps` is left as it is.
        stop_when: asked at every frame; true ends the run.
        compile: no longer has an effect; see `interpmd.potentials.calculator`.
        precision: of a potential on the CPU; "float32" is up to twice as fast, with forces good
            to 1e-5 eV/Å.
        device: of torch, where the potential is evaluated ("cuda"); None: where it is. Meant for
            `engine="torch_sim"` and large structures. On a GPU sums have no fixed order, so that
            runs are the same to rounding alone.
        progress: whether to show a progress bar.

    Raises:
        ArgumentError: unknown ensemble, numbers that make no sense, or a device that is not there.
        OutputError: `out` cannot be written, or another call writes it; `report` of the error
            holds the trajectory until then.
        SimulationError: the run exploded; or `out` is no trajectory, or was made with other
            settings, another potential or from another structure; the file stays as it is.
        TrajectorySealError: `out` was altered after it was written; it stays as it is.

    Returns:
        A frame every `interval` steps, and one at the last step.
    """
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
    options = Options(steps, interval, equilibration, engine, compile, precision, device)
    run = Run(on_device(potential, device), one_structure(atoms), plan, options, seed, out)
    try:
        follow([run], progress, stop_when)
    except KeyboardInterrupt:
        if out is None:
            raise
    except OutputError as error:
        error.report = run.trajectory()
        raise
    return run.trajectory()
