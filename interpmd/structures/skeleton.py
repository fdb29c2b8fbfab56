"""The bonds of a molecule over all frames of a trajectory, and which of them may be cut.

A bond that comes and goes counts as a bond, so that a proton between two oxygens is bonded to
both; a bond that is a multiple one in any frame counts as one. A hydrogen that is stretched off its
atom and has reached no other stays with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.geometry import find_mic

from interpmd.errors import ArgumentError, StructureError
from interpmd.structures.chemistry import bonds as bonds_of
from interpmd.structures.chemistry import put_together
from interpmd.structures.lewis import Lewis, lewis

Pair = tuple[int, int]

#: Standard lengths of bonds to hydrogen in Å. "Characteristic Bond Lengths in Free Molecules", CRC
#: Handbook of Chemistry and Physics, 86th edition (2005), section 9; boron: BH3, Kawaguchi,
#: J. Chem. Phys. 96, 3411 (1992).
HYDRIDE_LENGTHS = {
    chemical_symbols.index(symbol): length
    for symbol, length in {
        "B": 1.19,
        "C": 1.09,
        "N": 1.02,
        "O": 0.96,
        "F": 0.92,
        "Si": 1.48,
        "P": 1.42,
        "S": 1.34,
        "Cl": 1.28,
        "Ge": 1.53,
        "As": 1.51,
        "Se": 1.47,
        "Br": 1.41,
        "I": 1.61,
    }.items()
}

HALOGENS, CHALCOGENS = {9, 17, 35, 53}, {8, 16}
ACID_CENTRES = {6, 7, 15, 16, 17}
MOST_NEIGHBOURS = 4

#: A hydrogen without a bond belongs to the nearest heavy atom within this distance in Å: vibrations
#: stretch C-H beyond what counts as a bond.
FARTHEST_HYDROGEN = 2.0


@dataclass(frozen=True)
class Skeleton:
    """Bonds of all frames taken together.

    Attributes:
        numbers: atomic numbers.
        graph: atoms and bonds; every bond has its `order`, the largest of all frames, `loose`,
            whether it is missing in some frame, and `spread`, whether resonance spreads a charge
            over it.
        charges: formal charges in every Lewis structure that occurs, or None where they cannot be
            assigned.
    """

    numbers: tuple[int, ...]
    graph: nx.Graph
    charges: tuple[tuple[int, ...] | None, ...]

    def order(self, pair: Pair) -> float:
        """Largest bond order of all frames."""
        return self.graph.edges[pair]["order"]


def skeleton_of(frames: Sequence[Atoms], bonds: Sequence[Pair] | None = None) -> Skeleton:
    """What is bonded in a trajectory.

    Args:
        frames: all of the same atoms in the same order.
        bonds: pairs of bonded atoms in every frame; by `interpmd.structures.chemistry` if None.

    Raises:
        StructureError: no frames, other atoms in one of them, a crystal.
        ArgumentError: a bond of an atom that is not there, or with itself.
    """
    if not frames or len(frames[0]) == 0:
        raise StructureError("groups of nothing: give at least one structure with atoms")
    for index, atoms in enumerate(frames):
        if not np.array_equal(atoms.numbers, frames[0].numbers):
            raise StructureError(
                f"frame {index} is {atoms.symbols}, frame 0 {frames[0].symbols}: groups are made "
                "for frames of the same atoms in the same order"
            )
    first: dict[tuple[Pair, ...], Atoms] = {}
    for atoms in frames:
        first.setdefault(_pairs(atoms, bonds), atoms)
    graph = nx.Graph()
    graph.add_nodes_from(range(len(frames[0])))
    charges = []
    for pairs, atoms in first.items():
        found = _lewis(atoms, pairs)
        spread = _spread(len(atoms), found)
        for pair, order, shared in zip(pairs, found.orders, spread, strict=True):
            before = graph.edges.get(pair, {"order": 0.0, "spread": False, "count": 0})
            graph.add_edge(
                *pair,
                order=max(float(order), before["order"]),
                spread=shared or before["spread"],
                count=before["count"] + 1,
            )
        charges.append(None if found.charges is None else tuple(found.charges.tolist()))
    for _, _, about in graph.edges(data=True):
        about["loose"] = about.pop("count") < len(first)
    return Skeleton(tuple(frames[0].numbers.tolist()), graph, tuple(charges))


def uncut(skeleton: Skeleton) -> dict[Pair, str]:
    """Bonds that cannot be cut, and why; cutting them leaves no closed-shell molecules."""
    numbers, graph = skeleton.numbers, skeleton.graph
    bridges = {_sorted(pair) for pair in nx.bridges(graph)}
    reasons: dict[Pair, str] = {}
    for i, j in map(_sorted, graph.edges):
        order, loose = skeleton.order((i, j)), graph.edges[i, j]["loose"]
        if 1 in (numbers[i], numbers[j]):
            reasons[i, j] = "a bond to hydrogen"
        elif missing := {numbers[i], numbers[j]} - HYDRIDE_LENGTHS.keys():
            symbol = chemical_symbols[min(missing)]
            reasons[i, j] = f"a bond to {symbol}, which no hydrogen of standard length can close"
        elif order > 1:
            reasons[i, j] = {2.0: "a double bond", 3.0: "a triple bond"}.get(order, "aromatic")
        elif loose:
            reasons[i, j] = "a bond that is missing in some frames"
        elif (i, j) not in bridges:
            reasons[i, j] = "in a ring"
        elif _opposite(skeleton, i, j):
            reasons[i, j] = "a bond between opposite formal charges, half a double bond"
        elif crowded := [a for a in (i, j) if graph.degree(a) > MOST_NEIGHBOURS]:
            reasons[i, j] = f"a bond of an atom with {graph.degree(crowded[0])} neighbours"
    return reasons


def functional(skeleton: Skeleton) -> set[Pair]:
    """Bonds inside functional groups: they could be cut, and the parts would mean little."""
    kept = set()
    for i, j in map(_sorted, skeleton.graph.edges):
        spread = skeleton.graph.edges[i, j]["spread"]
        if spread or any(_acid(skeleton, *p) or _three(skeleton, *p) for p in ((i, j), (j, i))):
            kept.add((i, j))
    return kept


def _acid(skeleton: Skeleton, centre: int, oxygen: int) -> bool:
    """Whether a bond is that from C(=O) to O in an acid or ester, or its like at S, P, N."""
    numbers, graph = skeleton.numbers, skeleton.graph
    if numbers[centre] not in ACID_CENTRES or numbers[oxygen] not in CHALCOGENS:
        return False
    return any(
        numbers[other] in CHALCOGENS and skeleton.order((centre, other)) == 2
        for other in graph[centre]
        if other != oxygen
    )


def _three(skeleton: Skeleton, carbon: int, halogen: int) -> bool:
    """Whether a bond is one of three to halogens at one carbon."""
    numbers, graph = skeleton.numbers, skeleton.graph
    if numbers[carbon] != 6 or numbers[halogen] not in HALOGENS or graph.degree(carbon) != 4:
        return False
    return sum(numbers[other] in HALOGENS for other in graph[carbon]) == 3


def _opposite(skeleton: Skeleton, i: int, j: int) -> bool:
    return any(q is not None and q[i] * q[j] < 0 for q in skeleton.charges)


def _spread(count: int, found: Lewis) -> list[bool]:
    """Over which bonds resonance spreads a charge that no neighbour balances."""
    if found.charges is None or not found.charges.any():
        return [False] * len(found.pairs)
    charges, pairs = found.charges, found.pairs.tolist()
    balanced = np.zeros(count, dtype=bool)
    for i, j in pairs:
        if charges[i] * charges[j] < 0:
            balanced[[i, j]] = True
    charged = (charges != 0) & ~balanced
    near = charged.copy()
    for (i, j), order in zip(pairs, found.orders, strict=True):
        if order > 1:
            near[i] |= charged[j]
            near[j] |= charged[i]
    return [
        bool(conjugated and (near[i] or near[j]))
        for (i, j), conjugated in zip(pairs, found.conjugated, strict=True)
    ]


def _lewis(atoms: Atoms, pairs: tuple[Pair, ...]) -> Lewis:
    """Of one frame; a hydrogen between two atoms counts as the nearest one's."""
    bonded = np.array(pairs, dtype=int).reshape(-1, 2)
    vectors = atoms.positions[bonded[:, 1]] - atoms.positions[bonded[:, 0]]
    lengths = np.linalg.norm(vectors, axis=1)
    if atoms.pbc.any() and len(vectors):
        lengths = find_mic(vectors, atoms.cell, atoms.pbc)[1]
    held = np.ones(len(bonded), dtype=bool)
    for hydrogen in np.flatnonzero(atoms.numbers == 1):
        around = np.flatnonzero((bonded == hydrogen).any(1))
        held[around[np.argsort(lengths[around], kind="stable")[1:]]] = False
    graph = nx.Graph(bonded[held].tolist())
    graph.add_nodes_from(range(len(atoms)))
    molecules = sorted(tuple(sorted(m)) for m in nx.connected_components(graph))
    found = lewis(atoms, bonded[held], lengths[held], molecules)
    orders, conjugated = np.ones(len(bonded)), np.zeros(len(bonded), dtype=bool)
    orders[held], conjugated[held] = found.orders, found.conjugated
    return Lewis(bonded, orders, conjugated, found.charges)


def _pairs(atoms: Atoms, bonds: Sequence[Pair] | None) -> tuple[Pair, ...]:
    if bonds is None:
        known = bonds_of(atoms)
        if atoms.pbc.any() and put_together(known, len(atoms)).endless:
            raise StructureError(
                f"{atoms.symbols} is bonded to its own images: a crystal has no groups; use gauge "
                "'atoms'"
            )
        bonds = [*known.pairs.tolist(), *_stretched(atoms, known.pairs)]
    try:
        ends = [(int(i), int(j)) for i, j in bonds]
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"bonds are pairs of atoms, [(0, 1), ...], not {bonds!r}") from error
    for i, j in ends:
        if i == j or not (0 <= i < len(atoms) and 0 <= j < len(atoms)):
            raise ArgumentError(f"no bond ({i}, {j}): atoms are 0 to {len(atoms) - 1}")
    return tuple(sorted({_sorted(pair) for pair in ends}))


def _stretched(atoms: Atoms, pairs: np.ndarray) -> list[Pair]:
    """Bonds to hydrogens that are stretched beyond the rule for a bond and have gone nowhere."""
    heavy = np.flatnonzero(atoms.numbers > 1)
    found = []
    for hydrogen in np.setdiff1d(np.flatnonzero(atoms.numbers == 1), pairs):
        if len(heavy):
            near = atoms.get_distances(hydrogen, heavy, mic=bool(atoms.pbc.any()))
            if near.min() < FARTHEST_HYDROGEN:
                found.append((int(hydrogen), int(heavy[near.argmin()])))
    return found


def _sorted(pair: Pair) -> Pair:
    return (pair[0], pair[1]) if pair[0] < pair[1] else (pair[1], pair[0])
