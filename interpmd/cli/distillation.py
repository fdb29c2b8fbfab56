"""Distil a model into a few curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames
from interpmd.cli.written import prepare_picture, write_picture, write_table
from interpmd.structures.files import prepare_output


@app.command()
def distil(
    model: Annotated[
        str,
        typer.Argument(
            help='Shipped potential or folder, a level of theory ("gfn2-xtb"), or "labels": the '
            "forces that the frames hold."
        ),
    ],
    frames: Frames,
    term: Annotated[
        list[str] | None,
        typer.Option(
            help="pairs, triplets, bonds, angles, torsions, nonbonded, cross; simple (the first "
            "two), valence (the others); repeatable, in the order of the fit."
        ),
    ] = None,
    uf3: Annotated[
        Path | None, typer.Option(help="File for LAMMPS (pair_style uf3): pairs and triplets.")
    ] = None,
    openmm: Annotated[
        Path | None, typer.Option(help="File for OpenMM (System as XML): valence terms.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Picture to write (.png, .pdf).")] = None,
    csv: Annotated[Path | None, typer.Option(help="File for all curves.")] = None,
    most: Annotated[int, typer.Option(help="Most frames to use.")] = 1000,
) -> None:
    """The best curves of pairs, triplets, bonds, angles, ... for the forces of a model."""
    import interpmd as im
    from interpmd.errors import PotentialFileError, UnknownLevelError
    from interpmd.levels import resolve

    prepare_picture(plot)
    for path in (uf3, openmm, csv):
        if path is not None:
            prepare_output(path)
    teacher = None
    if model != "labels":
        try:
            resolve(model)
            teacher = model
        except UnknownLevelError as unknown:
            try:
                teacher = im.load(model)
            except PotentialFileError as error:
                raise PotentialFileError(f"{error}; nor is it a level: {unknown}") from error
    distilled = im.distil(teacher, frames, terms=term or None, most=most)
    typer.echo(str(distilled))
    write_table(csv, distilled.to_frame(), "all curves", index=False)
    if plot is not None:
        write_picture(plot, distilled.plot()[0])
    if uf3 is not None:
        typer.echo(f"for LAMMPS:\n{distilled.write_uf3(uf3)}")
    if openmm is not None:
        distilled.to_openmm(path=openmm)
        typer.echo(f"for OpenMM: {openmm}")
