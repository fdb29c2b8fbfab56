"""Learn from few labels, each chosen for what it tells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames
from interpmd.cli.written import write_picture

if TYPE_CHECKING:
    from ase import Atoms


@app.command()
def learn(
    start: Frames,
    candidates: Annotated[
        Path | None,
        typer.Option(help="Structures to choose from; made from the first ones if not given."),
    ] = None,
    level: Annotated[
        str | None, typer.Option(help="Level of the labels; those in the files if not given.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Cheap level that is corrected, such as gfn2-xtb.")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Labelled frames for the curve.")] = None,
    batch: Annotated[int, typer.Option(help="Labels per round.")] = 10,
    budget: Annotated[int, typer.Option(help="Most labels.")] = 100,
    error: Annotated[
        float | None, typer.Option(help="Force error on the test frames to stop at, meV/Å.")
    ] = None,
    pool: Annotated[int, typer.Option(help="Candidates to make, where none are given.")] = 200,
    compare: Annotated[
        bool, typer.Option(help="Follow random choice beside it (as many labels again).")
    ] = True,
    workers: Annotated[int, typer.Option(help="Processes that label.")] = 1,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; the run goes on from it.")] = (
        Path("learned")
    ),
) -> None:
    """Label what tells most, fit, and go on until it is good enough; resumable."""
    import interpmd as im
    from interpmd.fitting.active.branch import check_start

    first = im.read_frames(start)
    check_start(first)
    made = im.read_frames(candidates or _made(out, first, baseline or "gfn2-xtb", pool, seed))
    report = im.learn(
        first,
        made,
        level,
        baseline=baseline,
        test=test,
        batch=batch,
        budget=budget,
        error=error,
        compare=compare,
        workers=workers,
        seed=seed,
        out=out,
    )
    typer.echo(report.history.round(2).to_string(index=False))
    if test is not None:
        write_picture(out / "curve.png", report.plot())
    typer.echo(f"{report}")
    typer.echo(f"written to {out}")


def _made(folder: Path, start: list[Atoms], model: str, count: int, seed: int) -> Path:
    """The file with candidates in the folder of a run, made where it is not there yet."""
    import interpmd as im
    from interpmd.potentials.fingerprint import digest
    from interpmd.structures.files import write_new

    some = [atoms for atoms in start if len(atoms) > 1][:4]
    arrays = [array for atoms in some for array in (atoms.numbers, atoms.positions)]
    place = folder / f"candidates-{digest(*arrays, words=f'{model} {count} {seed}')}.extxyz"
    if not place.exists():
        write_new(place)
        write_new(place, im.candidates(some, model, count, seed=seed))
    return place
