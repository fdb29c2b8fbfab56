"""Events: those of a trajectory, and those that are shot from the top of a barrier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames, PotentialName
from interpmd.cli.written import write_table
from interpmd.errors import ArgumentError

if TYPE_CHECKING:
    from interpmd.dynamics.events import ReactionCoordinate

Proton = Annotated[
    str | None, typer.Option(help='Atoms of a proton transfer: "8,4,0" is proton, donor, acceptor.')
]
Torsion = Annotated[
    str | None, typer.Option(help='Atoms of a torsion and its middle in degrees: "3,4,6,8,115".')
]


@app.command()
def events(
    frames: Frames,
    proton: Proton = None,
    torsion: Torsion = None,
    csv: Annotated[Path | None, typer.Option(help="File for all events.")] = None,
) -> None:
    """Find the events of a trajectory: proton transfers, unless a coordinate is given."""
    import interpmd as im
    from interpmd.structures.files import prepare_output, read_frames

    if csv is not None:
        prepare_output(csv)
    coordinate = _coordinate(proton, torsion) or "proton transfer"
    found = im.events(read_frames(frames), coordinate)
    typer.echo(str(found))
    typer.echo(found.to_frame().round(2).to_string())
    write_table(csv, found.to_frame(), "all events")


@app.command()
def shoot(
    potential: PotentialName,
    structure: Frames,
    proton: Proton = None,
    torsion: Torsion = None,
    n: Annotated[int, typer.Option("-n", help="Number of events.")] = 100,
    temperature: Annotated[float, typer.Option(help="K.")] = 300.0,
    window: Annotated[float, typer.Option(help="fs before and after.")] = 60.0,
    workers: Annotated[int, typer.Option(help="Processes; 0 takes all cores.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the velocities.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="A .jsonl that holds the shots.")] = Path(
        "shots.jsonl"
    ),
) -> None:
    """Shoot events over a barrier, and tell who opened the gate; goes on from its file."""
    import interpmd as im
    from interpmd.structures.files import prepare_output, read_frames

    coordinate = _coordinate(proton, torsion)
    if coordinate is None:
        raise ArgumentError("say what goes over the barrier: --proton 8,4,0, or --torsion")
    prepare_output(out)
    model, start = im.load(potential), read_frames(structure)[-1]
    tops = im.top_structures(
        model, start, coordinate, max(10, n // 3), temperature=temperature, seed=seed
    )
    found = im.shoot(
        model,
        tops,
        coordinate,
        n,
        temperature=temperature,
        window=window + 10,
        seed=seed,
        workers=workers,
        out=out,
    )
    typer.echo(str(found))
    book = im.event_ledger(model, found, before=window, after=window)
    for table in (book.gates(), book.rises()):
        typer.echo(table.head(6).round(3).to_string())
    typer.echo(f"{book.verdict}\nshots in {out}")


def _coordinate(proton: str | None, torsion: str | None) -> ReactionCoordinate | None:
    """The coordinate of the options; None if there is none.

    Raises:
        ArgumentError: both, or numbers that do not fit.
    """
    import interpmd as im

    if proton is not None and torsion is not None:
        raise ArgumentError("one coordinate at a time: --proton or --torsion")
    if proton is not None:
        atoms, _ = _numbers(proton, 3, 0, "--proton 8,4,0")
        return im.proton_transfer(*atoms)
    if torsion is not None:
        atoms, (middle,) = _numbers(torsion, 4, 1, "--torsion 3,4,6,8,115")
        return im.torsion_flip(*atoms, middle=middle)
    return None


def _numbers(text: str, atoms: int, more: int, example: str) -> tuple[list[int], list[float]]:
    """Numbers of atoms, and other numbers behind them."""
    parts = text.split(",")
    try:
        found = [int(part) for part in parts[:atoms]], [float(part) for part in parts[atoms:]]
    except ValueError:
        found = [], []
    if len(parts) != atoms + more or len(found[0]) != atoms:
        raise ArgumentError(
            f"numbers with commas between them are needed, as {example}, not {text!r}"
        )
    return found
