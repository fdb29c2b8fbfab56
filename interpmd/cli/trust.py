"""Compare with known truth, and find what data leave open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import PotentialName
from interpmd.cli.written import prepare_picture, write_picture, write_table
from interpmd.errors import InterpmdError
from interpmd.structures.files import prepare_output


@app.command()
def benchmark(
    what: Annotated[
        str,
        typer.Argument(
            help='"explainers": every method against known truth; "learned": potentials fitted to '
            'known terms; "quantum": a potential against the many-body expansion by GFN2-xTB.'
        ),
    ],
    frames: Annotated[
        Path | None, typer.Option(help='Clusters of molecules, for "quantum".')
    ] = None,
    potential: Annotated[str, typer.Option(help='Potential, for "quantum".')] = "water",
    csv: Annotated[Path | None, typer.Option(help="File for the table.")] = None,
    atoms: Annotated[int, typer.Option(help="Atoms in the random cluster.")] = 8,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Compare methods of explanation, and explanations of fitted potentials, with known truth."""
    import pandas as pd

    import interpmd as im
    from interpmd.structures.files import read_frames
    from interpmd.trust.benchmark import benchmark_explainers

    if csv is not None:
        prepare_output(csv)
    if what == "explainers":
        table = benchmark_explainers(atoms=atoms, seed=seed)
    elif what == "learned":
        table = im.learned_truth(seeds=(seed, seed + 1, seed + 2))
    elif what == "quantum":
        if frames is None:
            raise InterpmdError("the quantum benchmark needs --frames: clusters of molecules")
        table = im.quantum_truth(im.load(potential), read_frames(frames)).errors()
    else:
        raise InterpmdError(f"there is no benchmark {what!r}; known: explainers, learned, quantum")
    with pd.option_context("display.max_colwidth", 40):
        typer.echo(table.to_string(float_format=lambda v: f"{v:.2g}"))
    write_table(csv, table, "table")


@app.command()
def doctor(
    potential: PotentialName,
    train: Annotated[
        Path | None, typer.Option(help="Frames it was fitted to: what occurs in them comes first.")
    ] = None,
    propose: Annotated[
        Path | None, typer.Option(help="File for structures to label (.extxyz).")
    ] = None,
    most: Annotated[int, typer.Option(help="Most structures to propose.")] = 200,
    parts: Annotated[
        str, typer.Option(help="closed: parts that are molecules; radicals: pairs of atoms; all.")
    ] = "closed",
    threshold: Annotated[float, typer.Option(help="Determined below this, in eV.")] = 0.05,
    plot: Annotated[Path | None, typer.Option(help="Picture to write (.png, .pdf).")] = None,
) -> None:
    """Which pairs and triplets of elements the training data leave open, and where."""
    import interpmd as im
    from interpmd.structures.files import write_new

    if propose is not None:
        write_new(propose)
    prepare_picture(plot)
    diagnosis = im.doctor(potential, train=train, threshold=threshold)
    typer.echo(str(diagnosis))
    if propose is not None:
        frames = diagnosis.proposal(most, parts)
        write_new(propose, frames)
        typer.echo(f"{len(frames)} structures to label in {propose}")
    if plot is not None:
        write_picture(plot, diagnosis.plot()[0])
