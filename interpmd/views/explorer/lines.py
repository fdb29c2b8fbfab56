"""Interactions as they are drawn in the molecule: paths through their atoms."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.attribution.contributions import summed
from interpmd.decomposition.clusters import Clusters
from interpmd.structures.fragments import Fragments, numbered
from interpmd.views.explorer.bars import MOST

#: An atom, and the periodic image in which it takes part, in cell vectors.
Place = tuple[int, tuple[int, int, int]]


@dataclass(frozen=True)
class Line:
    """An interaction as it is drawn: a path through its atoms, bond by bond.

    Attributes:
        bar: index of its bar.
        value: eV or eV/Å.
        atoms: along the path.
        offsets: way from where each atom stands to its corner of the path in Å, flat; may be
            empty where all are zero.
        ghosts: atoms that stand in other cells: (atom, image in cell vectors).
    """

    bar: int
    value: float
    atoms: tuple[int, ...]
    offsets: tuple[float, ...] = ()
    ghosts: tuple[Place, ...] = ()


def lines_of(
    atoms: Atoms,
    clusters: Clusters,
    values: Float[np.ndarray, " clusters"],
    groups: Sequence[Sequence[Hashable]],
    bars: Mapping[Hashable, int],
    pairwise: bool = False,
    acts_on: int | None = None,
    wholes: Fragments = (),
) -> tuple[Line, ...]:
    """The lines of all interactions with a bar, the largest first, `MOST` at most.

    Args:
        atoms: the structure.
        clusters, values: the interactions, in eV or eV/Å; remainders have no line.
        groups: of every cluster, from `groups_of`.
        bars: index of the bar of each group, from `bars_of`.
        pairwise: whether groups are pairs, each with a line of its own.
        acts_on: atom whose force is explained; what single other atoms do to it is drawn as a line
            from there.
        wholes: groups or molecules; a row of several of them is a path through their centres.
    """
    drawn = ~clusters.remainder
    owner = numbered(wholes) if wholes else {}
    keys = [
        [
            (group, _seen_from(part, acts_on))
            for group, part in zip(shared, _pairs(places) if pairwise else [places], strict=True)
        ]
        for shared, places, wanted in zip(groups, _places(clusters), drawn, strict=True)
        if wanted
    ]
    sums = summed(keys, values[drawn])
    lines: list[Line] = []
    for group, places in sorted(sums, key=lambda key: -abs(sums[key])):
        if len(lines) == MOST:
            break
        if group not in bars:
            continue
        bar, value = bars[group], float(sums[group, places])
        if len(touched := _wholes(places, owner, wholes)) > 1:
            if atoms.pbc.any() and not any(any(image) for _, image in places):
                touched = _together(atoms, touched, acts_on)
            ghosts = tuple(sorted({p for whole in touched for p in whole if any(p[1])}))
            lines.append(Line(bar, value, *_through_centres(atoms, touched), ghosts))
        elif len(places) > 1:
            ghosts = tuple(sorted({p for p in places if any(p[1])}))
            lines.append(Line(bar, value, *_path(atoms, places), ghosts))
        elif acts_on not in (None, places[0][0]):
            lines.append(Line(bar, value, (acts_on, places[0][0])))
    return tuple(lines)


def _places(clusters: Clusters) -> list[tuple[Place, ...]]:
    """Atoms of each cluster with their images."""
    images = map(tuple, clusters.member_shifts.tolist())
    places: list[Any] = list(zip(clusters.member_atoms.tolist(), images, strict=True))
    first = clusters.first.tolist()
    return [tuple(places[a:b]) for a, b in zip(first[:-1], first[1:], strict=True)]


def _pairs(places: tuple[Place, ...]) -> list[tuple[Place, ...]]:
    """The pairs among some atoms, each with its first atom in the home cell, in the order of
    `contributions.keys_of`; a single atom by itself."""
    pairs = []
    for pair in combinations(places, 2):
        (one, home), (other, image) = sorted(pair)
        step = tuple(int(a - b) for a, b in zip(image, home, strict=True))
        pairs.append(((one, (0, 0, 0)), (other, step)))
    return pairs or [places]


def _seen_from(places: tuple[Place, ...], atom: int | None) -> tuple[Place, ...]:
    """The places moved such that the first one of an atom lies in the home cell."""
    home = next((image for other, image in places if other == atom), (0, 0, 0))
    if not any(home):
        return places
    return tuple(
        (other, (image[0] - home[0], image[1] - home[1], image[2] - home[2]))
        for other, image in places
    )


def _together(
    atoms: Atoms, wholes: Sequence[Sequence[Place]], acts_on: int | None
) -> list[list[Place]]:
    """Molecules that take part with all their images: each whole, in the image nearest to the
    molecule of the atom, or else to the first."""
    cell, inverse = np.asarray(atoms.cell), np.linalg.pinv(np.asarray(atoms.cell))

    def moved(vectors: np.ndarray) -> np.ndarray:
        return -np.round(vectors @ inverse).astype(int) * atoms.pbc

    def whole(members: list[int], start: int) -> np.ndarray:
        """The image of each member that puts the molecule together around one of them."""
        shifts = np.zeros((len(members), 3), dtype=int)
        left, known = set(range(len(members))) - {start}, [start]
        while left:
            here = atoms.positions[[members[k] for k in known]] + shifts[known] @ cell
            ways = {k: atoms.positions[members[k]] - here for k in left}
            near = {k: way + moved(way) @ cell for k, way in ways.items()}
            best = min(left, key=lambda k: float((near[k] ** 2).sum(1).min()))
            at = int((near[best] ** 2).sum(1).argmin())
            shifts[best] = moved(ways[best])[at]
            left.remove(best)
            known.append(best)
        return shifts

    order = sorted(wholes, key=lambda inside: acts_on not in [atom for atom, _ in inside])
    result: list[list[Place]] = []
    anchor = None
    for inside in order:
        members = [atom for atom, _ in inside]
        start = members.index(acts_on) if acts_on in members else 0
        shifts = whole(members, start)
        centre = (atoms.positions[members] + shifts @ cell).mean(0)
        if anchor is None:
            anchor = centre
        shifts = shifts + moved(centre - anchor)
        result.append(
            [(a, (int(s[0]), int(s[1]), int(s[2]))) for a, s in zip(members, shifts, strict=True)]
        )
    return result


def _wholes(
    places: tuple[Place, ...], owner: Mapping[int, int], wholes: Fragments
) -> list[list[Place]]:
    """The places of each whole group or molecule; none where one is there in part."""
    touched: dict[int, list[Place]] = {}
    for place in places:
        touched.setdefault(owner.get(place[0], -1), []).append(place)
    for whole, inside in touched.items():
        if whole < 0 or len(inside) != len(wholes[whole]):
            return []
    return list(touched.values())


def _through_centres(
    atoms: Atoms, wholes: Sequence[Sequence[Place]]
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """From centre to centre: for each the atom that is nearest, and the way from there in Å."""
    nearest, ways, centres = [], [], []
    for inside in wholes:
        members = [atom for atom, _ in inside]
        images = np.array([image for _, image in inside], dtype=float) @ np.asarray(atoms.cell)
        points = atoms.positions[members] + images
        centre = points.mean(0)
        best = int(((points - centre) ** 2).sum(1).argmin())
        nearest.append(members[best])
        ways.append(centre - atoms.positions[members[best]])
        centres.append(centre)
    order = _chained(np.array(centres))
    flat = np.round(np.array(ways)[order], 4).ravel()
    return tuple(nearest[i] for i in order), tuple(flat.tolist())


def _path(atoms: Atoms, places: tuple[Place, ...]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Atoms from one end to the other, each followed by the nearest one left; image offsets."""
    members = [atom for atom, _ in places]
    offsets = np.array([image for _, image in places], dtype=float) @ np.asarray(atoms.cell)
    order = _chained(atoms.positions[members] + offsets)
    flat = tuple(np.round(offsets[order], 4).ravel().tolist()) if atoms.pbc.any() else ()
    return tuple(int(members[i]) for i in order), flat


def _chained(points: Float[np.ndarray, "points 3"]) -> list[int]:
    """The points from one end to the other, each followed by the nearest one left."""
    left = list(range(len(points)))
    here = max(left, key=lambda i: float(((points[i] - points.mean(0)) ** 2).sum()))
    order = [here]
    left.remove(here)
    while left:
        here = min(left, key=lambda i: float(((points[i] - points[order[-1]]) ** 2).sum()))
        order.append(here)
        left.remove(here)
    return order
