"""Which coordinates a network of bonds has: angles, bends, torsions, out of plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from interpmd.structures.coordinates.formulas import cross, norm
from interpmd.structures.coordinates.graph import HERE, PROTON_HOLDERS, Graph, Place, added

#: Degrees. Three atoms that exceed this in any frame bend in two planes (cosine -0.95, as in
#: geomeTRIC).
LINEAR = 162.0

#: Most neighbours of a centre that has all of its angles; most in endless networks whose bonds
#: have torsions.
MOST_NEIGHBOURS, MOST_IN_NETWORK = 6, 4

#: Smallest sine of the angle between an axis and the direction to an atom that tells its planes.
OFF_AXIS = 0.35

#: How many bonds away that atom may be.
FARTHEST = 6


@dataclass(frozen=True)
class Bonded:
    """Coordinates of a network of bonds, as places.

    Attributes:
        angles: first, vertex, last.
        bends: the same near a line, and a place off it.
        lone_bends: the same near a line, where all atoms lie on it.
        torsions: for each axis its ends and its dihedrals.
        planes: centre and three neighbours.
    """

    angles: list[tuple[Place, ...]]
    bends: list[tuple[Place, ...]]
    lone_bends: list[tuple[Place, ...]]
    torsions: list[tuple[tuple[Place, Place], list[tuple[Place, ...]]]]
    planes: list[tuple[Place, ...]]


def bonded(graph: Graph) -> Bonded:
    """Angles, bends, torsions and out-of-plane motions of a structure."""
    angles, bends, lone_bends = _angles(graph)
    straight = {(a, centre, b) for a, centre, b, _ in bends}
    straight |= {(b, centre, a) for a, centre, b in straight}
    planes = [
        ((atom, HERE), *around) for atom, around in enumerate(graph.neighbours) if len(around) == 3
    ]
    return Bonded(angles, bends, lone_bends, _torsions(graph, straight), planes)


def _angles(graph: Graph) -> tuple[list, list, list]:
    angles, bends, lone_bends = [], [], []
    degree = [len(around) for around in graph.neighbours]
    for atom, around in enumerate(graph.neighbours):
        centre = (atom, HERE)
        for a, b in combinations(around, 2):
            # in a dense metal bonds alone say where an atom is; a molecule on its surface is
            # held by angles nevertheless
            if len(around) > MOST_NEIGHBOURS and min(degree[a[0]], degree[b[0]]) > MOST_IN_NETWORK:
                continue
            # a proton between its two holders swings through the line, whatever its angle now
            near_line = _bridge(graph, atom) or graph.largest_angle(a, centre, b) > LINEAR
            if not near_line:
                angles.append((a, centre, b))
            elif (off_axis := _off_axis(graph, a, centre, b)) is not None:
                bends.append((a, centre, b, off_axis))
            else:
                lone_bends.append((a, centre, b))
    return angles, bends, lone_bends


def _bridge(graph: Graph, atom: int) -> bool:
    """Whether an atom is a proton that two electronegative atoms hold between them."""
    holders = [graph.numbers[other] in PROTON_HOLDERS for other, _ in graph.neighbours[atom]]
    return graph.numbers[atom] == 1 and len(holders) == 2 and all(holders)


def _off_axis(graph: Graph, a: Place, centre: Place, b: Place) -> Place | None:
    """The nearest place, by bonds, that is off an axis in every frame; None on a linear molecule
    that is alone."""
    best, seen, edge = (OFF_AXIS / 3, None), {a, centre, b}, [centre]
    for _ in range(FARTHEST):
        edge = sorted({p for place in edge for p in graph.around(place)})
        ahead = [p for p in edge if p not in seen]
        seen.update(ahead)
        edge = [p for p in edge if p in ahead or p in (a, b)]
        best = max([best, *_sines(graph, a, centre, b, ahead)], key=lambda found: found[0])
        if best[0] > OFF_AXIS:
            return best[1]
    others = [p for p in _nearest(graph, centre) if p not in seen]
    for sine, place in _sines(graph, a, centre, b, others):
        if sine > OFF_AXIS:
            return place
        best = max(best, (sine, place), key=lambda found: found[0])
    return best[1]


def _sines(graph: Graph, a: Place, centre: Place, b: Place, places: list[Place]) -> list[tuple]:
    """Smallest sine over the frames between the axis and the way to each place."""
    if not places:
        return []
    x = graph.at(a, centre, b)
    axis = x[2] - x[0]
    axis = axis / norm(axis)[:, None]
    ways = graph.at(*places) - x[1]
    sines = (norm(cross(ways, axis)) / norm(ways)).min(axis=1)
    return list(zip(sines.tolist(), places, strict=True))


def _nearest(graph: Graph, centre: Place) -> list[Place]:
    """All other atoms, nearest images, in order of their distance in the first frame."""
    atom, _ = centre
    vectors = graph.frames[0] - graph.frames[0, atom]
    shifts = np.zeros(vectors.shape, dtype=int)
    if graph.pbc.any():
        fractional = np.linalg.solve(graph.cells[0].T, vectors.T).T
        shifts = -np.round(fractional * graph.pbc).astype(int)
        vectors = vectors + shifts @ graph.cells[0]
    order = np.argsort(norm(vectors), kind="stable")
    return [(int(i), tuple(shifts[i].tolist())) for i in order if i != atom]


def _torsions(graph: Graph, straight: set) -> list:
    """Dihedrals about every bond, and about chains of atoms on a line as a whole."""
    network = {a for m in graph.molecules if m.endless for a, _ in m.places}
    found, known = [], set()
    for start in range(len(graph.numbers)):
        for second in graph.neighbours[start]:
            axis = _axis(graph, straight, (start, HERE), second)
            if axis is None:
                continue
            first, after, before, last = axis
            if _name(first, last) in known or _name(last, first) in known:
                continue
            known.add(_name(first, last))
            most = MOST_IN_NETWORK if start in network else MOST_NEIGHBOURS
            if max(len(graph.around(first)), len(graph.around(last))) > most:
                continue
            one = _substituents(graph, straight, first, after)
            other = _substituents(graph, straight, last, before)
            dihedrals = [(a, first, last, b) for a, b in product(one, other) if a != b]
            dihedrals = [d for d in dihedrals if d[0] != last and d[3] != first]
            if dihedrals:
                found.append(((first, last), dihedrals))
    return found


def _axis(graph: Graph, straight: set, first: Place, second: Place) -> tuple | None:
    """Ends of a bond, or of the chain on a line that it begins, and the atoms next to them."""
    if _passed(graph, straight, first):
        return None
    before, last = first, second
    while _passed(graph, straight, last):
        one, other = graph.around(last)
        before, last = last, other if one == before else one
        if last[0] == first[0] or last[0] == second[0]:
            return None
    return first, second, before, last


def _passed(graph: Graph, straight: set, place: Place) -> bool:
    """Whether an atom has two neighbours that lie on a line with it."""
    around = graph.neighbours[place[0]]
    return len(around) == 2 and (around[0], (place[0], HERE), around[1]) in straight


def _substituents(graph: Graph, straight: set, end: Place, towards: Place) -> list[Place]:
    atom, shift = end
    inwards = (towards[0], added(towards[1], shift, -1))
    return [
        (other, added(s, shift))
        for other, s in graph.neighbours[atom]
        if (other, s) != inwards and ((other, s), (atom, HERE), inwards) not in straight
    ]


def _name(first: Place, last: Place) -> tuple:
    return first[0], last[0], added(last[1], first[1], -1)
