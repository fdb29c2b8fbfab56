"""The application, and what its errors become."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, Any

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


def _warn(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """A warning as one line; where in the code it was given helps nobody at the command line."""
    typer.echo(f"interpmd: {message}", err=True)


def main() -> None:
    """Entry point: warnings become one line, errors of interpmd and of files one line and exit
    code 2."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _warn
            app(standalone_mode=True)
    except (InterpmdError, OSError) as error:
        typer.echo(f"interpmd: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("interpmd: interrupted", err=True)
        sys.exit(130)
