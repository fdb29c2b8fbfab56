"""Run molecular dynamics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames, PotentialName, former


@app.command()
def md(
    potential: PotentialName,
    structure: Frames,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="A .traj, .xyz, .extxyz, .dcd, .xtc or .trr.")
    ],
    ensemble: Annotated[str, typer.Option(help='"nve", "nvt" or "npt".')] = "nve",
    temperature: Annotated[float, typer.Option(help="K.")] = 300.0,
    steps: Annotated[int, typer.Option(help="Number of steps.")] = 2000,
    timestep: Annotated[float, typer.Option(help="fs.")] = 0.5,
    interval: Annotated[int, typer.Option(help="Steps between frames.")] = 10,
    equilibration: Annotated[
        int, typer.Option(help="Steps with a thermostat before the first frame.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    engine: Annotated[
        str | None,
        typer.Option(help='"ase", "openmm", "lammps" or "torch_sim"; what suits if left out.'),
    ] = None,
    thermostat: Annotated[
        str, typer.Option(help='"langevin", "bussi" or "nose_hoover".')
    ] = "langevin",
    pressure: Annotated[float, typer.Option(help="bar.")] = 1.0,
    time_step: Annotated[float | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run molecular dynamics with a potential."""
    import interpmd as im
    from interpmd.dynamics.into import simulate_into
    from interpmd.structures.files import read_frames

    trajectory = simulate_into(
        out,
        im.load(potential),
        read_frames(structure)[-1],
        ensemble=ensemble,
        temperature=temperature,
        steps=steps,
        timestep=former("time-step", time_step, "timestep", timestep),
        interval=interval,
        equilibration=equilibration,
        seed=seed,
        engine=engine,
        thermostat=thermostat,
        pressure=pressure,
    )
    typer.echo(str(trajectory))
