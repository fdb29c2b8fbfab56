"""Explain an energy or a force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames, PotentialName
from interpmd.cli.written import write_table
from interpmd.errors import ArgumentError
from interpmd.structures.files import prepare_output


@app.command()
def explain(
    potential: PotentialName,
    structure: Frames,
    atom: Annotated[
        str | None,
        typer.Option(help="Explain the force on this atom (8 or H8); the energy if left out."),
    ] = None,
    along: Annotated[
        str | None, typer.Option(help="Its component towards this atom (0 or O0).")
    ] = None,
    order: Annotated[
        int | None, typer.Option(help="Largest number of players in a row; rows of atoms.")
    ] = None,
    gauge: Annotated[
        str | None,
        typer.Option(help="internal, groups, molecules or atoms; what suits if left out."),
    ] = None,
    by: Annotated[str, typer.Option(help="order, term, kind, pair, atom or fragment.")] = "kind",
    components: Annotated[
        bool, typer.Option("--components", help="x, y and z, instead of along the force.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="File for all rows.")] = None,
) -> None:
    """Which interactions make the energy, or push an atom."""
    import interpmd as im
    from interpmd.structures.files import read_frames

    if csv is not None:
        prepare_output(csv)
    target = im.Energy()
    if atom is not None:
        target = im.Force(_atom(atom), None if along is None else _atom(along))
    elif along is not None:
        raise ArgumentError("--along is the direction of a force; say on which --atom")
    atoms = read_frames(structure)[-1]
    asked = {"order": order} if order is not None else {}
    explanation = im.explain(im.load(potential), atoms, target, gauge=gauge, **asked)
    typer.echo(repr(explanation))
    typer.echo(explanation.by(by, std=True, components=components).round(4).to_string())
    typer.echo(f"{explanation.certificate().verdict}; residual {explanation.residual:.1g}")
    write_table(csv, explanation.to_frame(), "all rows", index=False)


def _atom(given: str) -> int | str:
    """An atom by its index or name."""
    return int(given) if given.strip().isdigit() else given
