"""Minima, saddle points, and paths between them with what makes their barrier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames
from interpmd.cli.written import write_table
from interpmd.errors import PathError

Mover = Annotated[
    str | None, typer.Option(help="Shipped potential or folder that gives the forces.")
]
Level = Annotated[
    str, typer.Option(help="Level of theory that gives the forces, where no potential does.")
]


@app.command()
def relax(
    structure: Frames,
    out: Annotated[Path, typer.Option("--out", "-o", help="Extended XYZ to write.")],
    potential: Mover = None,
    level: Level = "gfn2-xtb",
    to: Annotated[str, typer.Option(help='"minimum" or "saddle".')] = "minimum",
    force: Annotated[float, typer.Option(help="Largest force that is left, eV/Å.")] = 0.01,
    steps: Annotated[int, typer.Option(help="At most.")] = 500,
) -> None:
    """Move a structure to a minimum or a saddle point, and count its unstable modes."""
    import interpmd as im
    from interpmd.structures.files import read_frames, write_new

    write_new(out)
    mover = _mover(potential, level)
    found = im.relax(mover, read_frames(structure)[-1], to=to, force=force, steps=steps)  # type: ignore[arg-type]
    write_new(out, [found.atoms])
    typer.echo(str(found))
    typer.echo(str(im.normal_modes(mover, found.atoms)))


@app.command()
def path(
    reactant: Frames,
    product: Annotated[
        Path | None,
        typer.Argument(help="The same atoms in order; left out, the first is a saddle point."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="A .traj that holds the path.")] = Path(
        "path.traj"
    ),
    potential: Mover = None,
    level: Level = "gfn2-xtb",
    images: Annotated[int, typer.Option(help="Structures of the band.")] = 11,
    force: Annotated[float, typer.Option(help="Largest force across the path, eV/Å.")] = 0.05,
    gauge: Annotated[
        str | None, typer.Option(help="internal, groups, molecules; what suits if left out.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="File for all rows along the path.")] = None,
) -> None:
    """The path of least energy, and which interactions make its barrier; goes on from its file."""
    import interpmd as im
    from interpmd.structures.files import prepare_output, read_frames

    if csv is not None:
        prepare_output(csv)
    mover = _mover(potential, level)
    last = None if product is None else read_frames(product)[-1]
    found = im.path(mover, read_frames(reactant)[-1], last, images=images, force=force, out=out)
    typer.echo(str(found))
    table = im.explain_path(mover, found, gauge=gauge)
    typer.echo(repr(table.reg()))
    try:
        typer.echo(repr(table.reaction_force()))
    except PathError as error:
        typer.echo(f"no reaction force: {error}")
    if table.gauge.players is not None:
        reference = "relaxed" if table.gauge.name == "molecules" else "first"
        typer.echo(repr(table.strain(reference)))
    typer.echo(f"path in {out}")
    write_table(csv, table.to_frame(), "all rows")


def _mover(potential: str | None, level: str) -> Any:
    """The potential of that name, or the calculator of a level of theory."""
    import interpmd as im
    from interpmd.reference.calculator import as_calculator

    return as_calculator(level) if potential is None else im.load(potential)
