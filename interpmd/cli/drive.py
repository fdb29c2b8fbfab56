"""Forces for programs that ask over a socket."""

from __future__ import annotations

from typing import Annotated

import typer

from interpmd.cli.application import app
from interpmd.cli.options import Frames, PotentialName


@app.command()
def drive(
    potential: PotentialName,
    structure: Frames,
    host: Annotated[str, typer.Option(help="Where the server listens.")] = "localhost",
    port: Annotated[int, typer.Option(help="Its port.")] = 31415,
    unix: Annotated[
        str | None, typer.Option(help="Its address, where it listens in the file system.")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="s to wait for a server that is only starting.")
    ] = 0.0,
) -> None:
    """Answer i-PI with energies and forces, until it is done."""
    import interpmd as im
    from interpmd.structures.files import read_frames

    count = im.drive(im.load(potential), read_frames(structure)[-1], host, port, unix, wait)
    typer.echo(f"{count} structures evaluated")
