"""The application, and what its errors become."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from interpmd import __version__
from interpmd.errors import InterpmdError

app = typer.Typer(
    help="Interpretable neural potentials: learn from quantum labels, explain every force.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"interpmd {__version__}")
        raise typer.Exit


@app.callback()
def _every_command(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: errors of interpmd and of files become one line and exit code 2."""
    try:
        app(standalone_mode=True)
    except (InterpmdError, OSError) as error:
        typer.echo(f"interpmd: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interpmd: interrupted", err=True)
        sys.exit(130)
