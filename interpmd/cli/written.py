"""Tables and pictures of commands as files, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from interpmd.storage import replace_file
from interpmd.structures.files import prepare_output

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def write_table(path: Path | None, table: pd.DataFrame, what: str, **options: Any) -> None:
    """Write a table as CSV and say where; nothing without a path.

    Args:
        path: of the file, which is replaced.
        table: for `to_csv`, with these options.
        what: the words before the name of the file.

    Raises:
        OutputError: the disk is full or not writable; what was there is as it was.
    """
    if path is not None:
        replace_file(path, table.to_csv(**options))
        typer.echo(f"{what} in {path}")


def prepare_picture(path: Path | None) -> None:
    """Before long work: whether a picture can be written there; nothing without a path.

    Raises:
        ArgumentError: a format that there is none of.
        OutputError: the folder cannot be made or written.
    """
    if path is not None:
        from interpmd.plots.style import kind_of_image

        kind_of_image(path)
        prepare_output(path)


def write_picture(path: Path | None, ax: Axes) -> None:
    """Write the figure of an Axes and say where; nothing without a path.

    Raises:
        OutputError: see `write_table`.
    """
    if path is None:
        return
    from interpmd.plots.style import image_of, kind_of_image

    figure: Any = ax.get_figure(root=True)
    replace_file(path, image_of(figure, kind_of_image(path), 130))
    typer.echo(f"picture in {path}")
