"""A molecule on paper: atoms, bonds, forces, and the interactions behind a force."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from jaxtyping import Float

from interpmd.plots.style import AGAINST, ALONG, new_axes
from interpmd.structures.chemistry import bonds
from interpmd.structures.images import image_sign
from interpmd.units import number_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Length in Å of an arrow per force in eV/Å; all are shorter where one would exceed `LONGEST`.
ARROW, LONGEST = 0.35, 1.5

#: Colours of the bonds and of the edges of the cell.
BOND, CELL = "#888888", "#999999"

#: Rows: right, up and towards the reader, where a cell is drawn: 20° from the side, 12° from above.
TURNED = np.array(
    [[0.939693, 0.342020, 0.0], [-0.071110, 0.195373, 0.978148], [0.334546, -0.919158, 0.207912]]
)

#: Atoms above which only those in the interactions are named.
CROWD = 12

#: Height of a line of words, relative to the picture.
LINE = 0.065


def draw_molecule(
    atoms: Atoms,
    interactions: Sequence[tuple[tuple[int, ...], float, str]] = (),
    force: tuple[int, np.ndarray] | None = None,
    title: str = "",
    ax: Axes | None = None,
    forces: np.ndarray | None = None,
    plane: np.ndarray | None = None,
    corners: Sequence[np.ndarray] | None = None,
    ghosts: Sequence[tuple[int, tuple[int, int, int]]] = (),
) -> Axes:
    """Draw a molecule in the plane of its largest extent, or a cell slightly turned.

    Args:
        atoms: the molecule.
        interactions: atoms of each interaction, its contribution and its name; drawn as bands,
            solid where it is positive and dashed where negative, and listed underneath.
        force: atom and force vector in eV/Å, drawn as an arrow (`ARROW` says how long).
        title: above the picture.
        ax: where to draw.
        forces: on all atoms in eV/Å, drawn as thinner arrows.
        plane: directions to the right, upwards and to the reader, shape (3, 3), from `plane_of`;
            give it for pictures of a molecule that moves, else it is that of these positions.
        corners: positions in Å that the band of each interaction joins, where they are not those
            of its atoms in the home cell.
        ghosts: atoms drawn in other cells, paler and named with their image: atom, cell vectors.
    """
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    ax = new_axes(ax, (4.6, 3.6))
    axes = plane_of(atoms) if plane is None else plane
    middle = atoms.positions.mean(0)
    points = (atoms.positions - middle) @ axes.T
    cell = (edges_of(atoms) - middle) @ axes.T
    for ends in cell:
        ax.plot(*ends[:, :2].T, color=CELL, lw=0.8, zorder=0)
    for ends in (sticks(atoms) - middle) @ axes.T:
        ax.plot(*ends[:, :2].T, color=BOND, lw=5, solid_capstyle="round", zorder=1)
    largest = max((abs(value) for _, value, _ in interactions), default=1.0) or 1.0
    ways = [atoms.positions[list(m)] for m, _, _ in interactions] if corners is None else corners
    for way, (_, value, _) in zip(ways, interactions, strict=True):
        (colour, _), dash = (ALONG, "-") if value >= 0 else (AGAINST, (0, (1.2, 0.8)))
        flat = (np.reshape(way, (-1, 3)) - middle) @ axes.T
        closed = np.vstack([flat, flat[:1]]) if len(flat) > 2 else flat
        width = 2 + 5 * abs(value) / largest
        ax.plot(*closed[:, :2].T, color=colour, ls=dash, lw=width, alpha=0.75, zorder=2)
    radii = radii_of(atoms)
    for index in np.argsort(points[:, 2], kind="stable"):
        colour = jmol_colors[atoms.numbers[index]]
        where = (points[index, 0], points[index, 1])
        ax.add_patch(Circle(where, radii[index], fc=colour, ec="black", lw=0.8, zorder=4))
    shown, names = points, [f"{symbol}{a}" for a, symbol in enumerate(atoms.symbols)]
    if len(atoms) > CROWD and interactions:
        told = {a for members, _, _ in interactions for a in members} | set(
            force[:1] if force else ()
        )
        names = [name if a in told else "" for a, name in enumerate(names)]
    if ghosts:
        images = np.array([image for _, image in ghosts]) @ np.asarray(atoms.cell)
        away = (atoms.positions[[a for a, _ in ghosts]] + images - middle) @ axes.T
        shown = np.vstack([points, away])
        names += [names[a] + image_sign(image) for a, image in ghosts]
        for (atom, _), place in zip(ghosts, away, strict=True):
            pale = 0.45 * np.asarray(jmol_colors[atoms.numbers[atom]]) + 0.55
            edge = {"ec": "#777777", "lw": 0.8, "ls": ":", "zorder": 3}
            ax.add_patch(Circle((place[0], place[1]), radii[atom], fc=pale, **edge))
        radii = np.concatenate([radii, radii[[a for a, _ in ghosts]]])
    rim = withStroke(linewidth=2, foreground="white")
    for name, place in zip(names, _label_places(shown, radii), strict=True):
        ax.text(
            *place,
            name,
            ha="center",
            va="center",
            fontsize=7,
            zorder=8,
            path_effects=[rim],
        )
    arrows = [(atom, vector, 1.3) for atom, vector in enumerate(() if forces is None else forces)]
    arrows += [] if force is None else [(*force, 2.5)]
    flat = [(points[atom, :2], (axes @ vector)[:2], width) for atom, vector, width in arrows]
    longest = max((float(np.linalg.norm(vector)) for _, vector, _ in flat), default=0.0)
    scale = min(ARROW, LONGEST / max(longest, 1e-12))
    for place, vector, width in flat:
        _arrow(ax, place, vector, scale, width)
    tips = [place + (scale + 0.25 / max(np.linalg.norm(v), 1e-12)) * v for place, v, _ in flat]
    # words stand clear of atoms, cell and arrows
    room = np.vstack([shown[:, :2], cell.reshape(-1, 3)[:, :2], *np.reshape(tips, (-1, 1, 2))])
    _frame(ax, room, len(interactions))
    for row, (_, value, name) in enumerate(interactions):
        ax.text(
            0.5,
            LINE * (len(interactions) - row),
            f"{'━' if value >= 0 else '╍'} {name} {number_sign(value, '+.2f')}",
            color=(ALONG if value >= 0 else AGAINST)[0],
            fontsize=9,
            ha="center",
            va="top",
            transform=ax.transAxes,
        )
    ax.set_title(title)
    return ax


def _frame(ax: Axes, points: np.ndarray, lines: int) -> None:
    """Room for the molecule and, below it, for lines of words."""
    low, high = points.min(0) - 0.7, points.max(0) + 0.7
    height = max(high[1] - low[1], 0.7 * (high[0] - low[0]) * (1 - LINE * lines))
    top = 0.5 * (low[1] + high[1] + height)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(top - height / (1 - LINE * lines), top)
    ax.set_aspect("equal", anchor="N")
    ax.axis("off")


def _label_places(points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Where the labels stand: in the atom, or, where a nearer atom covers that, beside it.

    Args:
        points: of the atoms, the third number towards the reader, shape (atoms, 3).
        radii: of their circles.
    """
    flat, places = points[:, :2], points[:, :2].copy()
    turns = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    around = np.column_stack([np.cos(turns), np.sin(turns)])
    # the nearest first; of two at the same depth the later one is drawn above
    order = np.argsort(points[:, 2], kind="stable")[::-1]
    for rank, index in enumerate(order[1:], start=1):
        nearer = order[:rank]
        if (np.linalg.norm(flat[nearer] - flat[index], axis=1) > radii[nearer] + 0.1).all():
            continue
        spots = flat[index] + (radii[index] + 0.2) * around
        taken = np.vstack([np.delete(flat, index, axis=0), places[nearer]])
        free = np.linalg.norm(spots[:, None] - taken, axis=2).min(1)
        places[index] = spots[free.argmax()]
    return places


def radii_of(atoms: Atoms) -> Float[np.ndarray, " atoms"]:
    """Radii in Å of the circles that stand for atoms."""
    return 0.32 * covalent_radii[atoms.numbers] + 0.1


def plane_of(atoms: Atoms) -> np.ndarray:
    """Rows: the two directions of largest extent, and the one that looks at the reader.

    A periodic cell is seen along its axes, slightly from the side and from above.
    """
    if atoms.pbc.any():
        return TURNED.copy()
    _, _, directions = np.linalg.svd(atoms.positions - atoms.positions.mean(0))
    directions[2] = np.cross(directions[0], directions[1])
    return directions


def corners_of(atoms: Atoms) -> Float[np.ndarray, "corners 3"]:
    """Corners of the periodic cell in Å; one where no direction is periodic."""
    steps = [(0, 1) if periodic else (0,) for periodic in atoms.pbc]
    return np.array(list(product(*steps)), dtype=float) @ np.asarray(atoms.cell)


def edges_of(atoms: Atoms) -> Float[np.ndarray, "edges 2 3"]:
    """Both ends of every edge of the periodic cell in Å; none where no direction is periodic."""
    steps = [(0, 1) if periodic else (0,) for periodic in atoms.pbc]
    corners = list(product(*steps))
    pairs = [(a, b) for a, b in combinations(corners, 2) if sum(np.abs(np.subtract(a, b))) == 1]
    return np.array(pairs, dtype=float).reshape(-1, 2, 3) @ np.asarray(atoms.cell)


def _arrow(ax: Axes, place: np.ndarray, force: np.ndarray, scale: float, width: float) -> None:
    """From the rim of an atom; forces too small to be seen are left out."""
    size = float(np.linalg.norm(force))
    if scale * size < 0.03:
        return
    start = place + 0.25 * force / size
    style = {"arrowstyle": "-|>", "lw": width, "color": "black", "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", start + scale * force, start, arrowprops=style, zorder=7, annotation_clip=False)


def sticks(atoms: Atoms) -> Float[np.ndarray, "sticks 2 3"]:
    """Both ends of every bond in Å; one that crosses a periodic boundary is two halves."""
    known = bonds(atoms)
    (first, second), across = known.pairs.T, known.shifts @ np.asarray(atoms.cell)
    begin, end = atoms.positions[first], atoms.positions[second] + across
    cut = (known.shifts != 0).any(axis=1)
    half = 0.5 * (end - begin)[cut]
    return np.concatenate(
        [
            np.stack([begin, np.where(cut[:, None], 0.5 * (begin + end), end)], axis=1),
            np.stack([(end - across)[cut], (end - across)[cut] - half], axis=1),
        ]
    )
