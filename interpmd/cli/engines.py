"""Engines that are run by scripts of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lammps(
    options: typer.Context,
    script: Annotated[
        Path, typer.Argument(help='Input of LAMMPS with "pair_style interpmd water".')
    ],
    ranks: Annotated[int, typer.Option("-np", help="Processes of MPI.")] = 1,
) -> None:
    """Run LAMMPS with a potential; further options go to LAMMPS, e.g. -var T 300."""
    from interpmd.dynamics.lammps import run_lammps

    run_lammps(script, ranks, tuple(options.args))
