"""The application, and what its errors become."""

from __future__ import annotations

import sys

import typer

from interpmd.errors import InterpmdError

app = typer.Typer(
    help="Interpretable neural potentials: learn from quantum labels, explain every force.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


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
