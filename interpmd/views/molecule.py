"""A molecule on paper: atoms, bonds, a force, and the interactions that make it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from ase.neighborlist import natural_cutoffs, neighbor_list

from interpmd.views.style import AGAINST, ALONG

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_molecule(
    atoms: Atoms,
    interactions: Sequence[tuple[tuple[int, ...], float, str]] = (),
    force: tuple[int, np.ndarray] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a molecule in the plane of its largest extent.

    Args:
        atoms: the molecule.
        interactions: atoms of each interaction, its contribution and its name; drawn as bands,
            solid where it is positive and dashed where negative, and listed underneath.
        force: atom and force vector in eV/A, drawn as an arrow (1 eV/A is 0.35 A long).
        title: above the picture.
        ax: where to draw.
    """
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")[1] if ax is None else ax
    axes = _plane(atoms.positions)
    points = (atoms.positions - atoms.positions.mean(0)) @ axes.T
    for i, j in _bonds(atoms):
        ax.plot(*points[[i, j], :2].T, color="#888888", lw=5, solid_capstyle="round", zorder=1)
    largest = max((abs(value) for _, value, _ in interactions), default=1.0) or 1.0
    for row, (members, value, name) in enumerate(interactions):
        (colour, _), dash = (ALONG, "-") if value >= 0 else (AGAINST, (0, (1.2, 0.8)))
        corners = points[list(members), :2]
        closed = np.vstack([corners, corners[:1]]) if len(members) > 2 else corners
        width = 2 + 5 * abs(value) / largest
        ax.plot(*closed.T, color=colour, ls=dash, lw=width, alpha=0.75, zorder=2)
        ax.text(
            0.5,
            -0.02 - 0.075 * row,
            f"{'━' if value >= 0 else '╍'} {name} {value:+.2f}",
            color=colour,
            fontsize=9,
            ha="center",
            va="top",
            transform=ax.transAxes,
        )
    for index in np.argsort(points[:, 2]):
        number = atoms.numbers[index]
        ax.add_patch(
            plt.Circle(
                points[index, :2],
                0.32 * covalent_radii[number] + 0.1,
                fc=jmol_colors[number],
                ec="black",
                lw=0.8,
                zorder=4,
            )
        )
        ax.text(
            *points[index, :2],
            f"{atoms.symbols[index]}{index}",
            ha="center",
            va="center",
            fontsize=7,
            zorder=5,
        )
    if force is not None:
        atom, vector = force
        arrow = (axes @ vector)[:2]
        start = points[atom, :2] + 0.25 * arrow / (np.linalg.norm(arrow) or 1.0)
        ax.annotate(
            "",
            start + 0.35 * arrow,
            start,
            arrowprops={
                "arrowstyle": "-|>",
                "lw": 2.5,
                "color": "black",
                "shrinkA": 0,
                "shrinkB": 0,
            },
            zorder=7,
        )
    margin = 0.7
    ax.set_xlim(points[:, 0].min() - margin, points[:, 0].max() + margin)
    ax.set_ylim(points[:, 1].min() - margin, points[:, 1].max() + margin)
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set_title(title)
    return ax


def _plane(positions: np.ndarray) -> np.ndarray:
    """Rows: the two directions of largest extent, and the one that looks at the reader."""
    _, _, directions = np.linalg.svd(positions - positions.mean(0))
    directions[2] = np.cross(directions[0], directions[1])
    return directions


def _bonds(atoms: Atoms) -> list[tuple[int, int]]:
    first, second = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.15))
    return [(int(i), int(j)) for i, j in zip(first, second, strict=True) if i < j]
