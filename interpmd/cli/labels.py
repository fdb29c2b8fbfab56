"""Structures and their labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames, former


@app.command()
def label(
    frames: Frames,
    out: Annotated[Path, typer.Option("--out", "-o", help="Extended XYZ to write.")],
    level: Annotated[str, typer.Option(help='"gfn2-xtb", or "functional/basis".')] = "gfn2-xtb",
    workers: Annotated[
        int | None, typer.Option(help="Processes; all cores where it pays if left out.")
    ] = None,
    charge: Annotated[int, typer.Option(help="Where a frame does not say, in e.")] = 0,
    multiplicity: Annotated[int, typer.Option(help="2S + 1, where a frame does not say.")] = 1,
    method: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Label structures at a level of theory; resumes where it stopped."""
    import interpmd as im

    level = former("method", method, "level", level)
    labelled = im.label(
        frames, level, out, workers=workers, charge=charge, multiplicity=multiplicity
    )
    typer.echo(f"{len(labelled)} labelled frames in {out}")


@app.command()
def sample(
    structures: Frames,
    out: Annotated[Path, typer.Option("--out", "-o", help="Extended XYZ to write.")],
    how: Annotated[
        str,
        typer.Option(help='"md", "normal_modes", "rattle", "dimers", "trimers", "fragments", ...'),
    ] = "md",
    level: Annotated[str, typer.Option(help="Level of theory that moves the atoms.")] = "gfn2-xtb",
    potential: Annotated[
        str | None, typer.Option(help="Shipped potential or folder that moves them instead.")
    ] = None,
    n: Annotated[int, typer.Option("--number", "-n", help="Number of geometries.")] = 100,
    temperature: Annotated[
        list[float] | None, typer.Option(help="K; repeatable; 300 if left out.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Geometries worth labelling, made from one structure or several."""
    import interpmd as im
    from interpmd.structures.files import write_new

    write_new(out)
    mover = level if potential is None else im.load(potential).calculator()
    frames = im.sample(
        structures, how, mover, n=n, temperatures=tuple(temperature or (300.0,)), seed=seed
    )
    write_new(out, frames)
    typer.echo(f"{len(frames)} structures to label in {out}")
