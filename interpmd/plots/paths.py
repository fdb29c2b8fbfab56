"""Pictures of energies and forces along a path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from interpmd.plots.style import BLUE, ORANGE, bare, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def energy_profile(
    coordinate: Float[np.ndarray, " frames"],
    energies: Float[np.ndarray, " frames"],
    x: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Energy along a path, a point for each structure, the highest one named.

    Args:
        coordinate: how far along each structure is.
        energies: above the first in eV.
        x: name of the coordinate.
        title: above the picture.
        ax: where to draw.
    """
    ax = new_axes(ax, (6.4, 3.8))
    top = int(energies.argmax())
    ax.plot(coordinate, energies, "o-", color=BLUE, ms=4)
    ax.plot(coordinate[top], energies[top], "s", color=ORANGE, ms=8)
    ax.annotate(
        f"{energies[top]:.3f} eV",
        (coordinate[top], energies[top]),
        (0, 8),
        textcoords="offset points",
        ha="center",
        fontsize=9,
    )
    ax.axhline(0, color="black", lw=0.6)
    ax.margins(y=0.15)
    ax.set(xlabel=x, ylabel="energy above the first (eV)")
    ax.set_title(title, fontsize=9)
    return bare(ax)
