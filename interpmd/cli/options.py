"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import typer

T = TypeVar("T")

Frames = Annotated[
    Path,
    typer.Argument(
        help='Structures: any file that ASE reads (also .gz), a part of it ("run.xyz@:10"), a '
        'pattern in quotes ("runs/*.xyz"), or a database of ASE.'
    ),
]
EnergyKey = Annotated[
    str | None, typer.Option(help='Name of the energy where it is another, e.g. "REF_energy".')
]
ForcesKey = Annotated[str | None, typer.Option(help="Name of the forces.")]
StressKey = Annotated[str | None, typer.Option(help="Name of the stress or virial.")]
PotentialName = Annotated[str, typer.Argument(help="Shipped potential (see `shipped`) or folder.")]


def former(old: str, given: T | None, new: str, value: T) -> T:
    """What was given under the former name of an option, else the value of the option."""
    if given is None:
        return value
    typer.echo(f"--{old} is now --{new}; the old name will go with the next release", err=True)
    return given
