"""The demo, the course and what is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from interpmd.cli.application import app


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Report to write.")] = Path(
        "interpmd-demo.html"
    ),
    potential: Annotated[str, typer.Option(help="Shipped potential or folder.")] = "malonaldehyde",
    seed: Annotated[int, typer.Option(help="Seed of the velocities.")] = 0,
) -> None:
    """Watch a proton jump in malonaldehyde, and see which interactions push it."""
    from interpmd.demo import run_demo

    run_demo(out=out, potential=potential, seed=seed)


@app.command()
def shipped() -> None:
    """List the potentials that come with interpmd."""
    import interpmd as im

    typer.echo(im.shipped().to_string())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def lab(
    options: typer.Context,
    notebook: Annotated[
        str, typer.Argument(help="Name or number of a notebook, e.g. 04; options of Jupyter.")
    ] = "start.ipynb",
    voila: Annotated[
        bool, typer.Option("--voila", help="The explorer as a page without code.")
    ] = False,
) -> None:
    """Open the course in JupyterLab; further options go to Jupyter, e.g. --no-browser."""
    from interpmd.lab import START, open_lab

    extra = list(options.args)
    if notebook.startswith("-"):
        notebook, extra = START, [notebook, *extra]
    open_lab(notebook, voila, tuple(extra))
