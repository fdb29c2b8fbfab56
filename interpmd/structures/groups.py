"""A molecule as chemical groups: the players of gauge "groups".

**Where molecules are cut.** At single bonds between heavy atoms that are in no ring. What stays
whole: rings; double and triple bonds; every bond to hydrogen; functional groups whose parts make
no sense alone, which are

- acids and their esters: C(=O)-O, S(=O)-O, P(=O)-O, N(=O)-O (COOH, COO, SO3H, phosphate, NO2),
- bonds between opposite formal charges, which are half a double bond (NO2, N-oxides, azides),
- bonds over which resonance spreads a charge (guanidinium, amidinium, phenolate),
- three halogens on one carbon (CF3),
- atoms with more than four neighbours, and bonds to elements for which no standard length of a
  bond to hydrogen is known (metals).

An amide is cut into C=O and NH: on paper its C-N bond is single, and what resonance makes of it is
the row of these two groups. Every cut bond is a bridge of the molecular graph, so that the groups
of a molecule form a tree, and two groups are joined by one bond at most.

**Over a trajectory** groups are made once, from all frames that will be compared. A bond that
comes and goes is never cut, nor one that is a multiple bond in any frame: a proton that moves
between two oxygens is bonded to both, and the ring that it closes (the chelate of malonaldehyde)
is one group in every frame. A proton that stays on its oxygen in all frames belongs to it, and the
hydrogen bond is in the row of the groups on the way from one oxygen to the other. Frames in which a
bond of the groups is broken are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
from ase import Atoms
from ase.geometry import find_mic
from ase.symbols import Symbols
from jaxtyping import Float

from interpmd import arguments
from interpmd.errors import ArgumentError, StructureError
from interpmd.structures.chemistry import bonds as bonds_of
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.group_names import name_of, numbered, sign
from interpmd.structures.skeleton import (
    Pair,
    Skeleton,
    functional,
    skeleton_of,
    uncut,
)

Groups = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Grouping:
    """The groups of a structure, frozen: one grouping serves all frames of the same atoms.

    Attributes:
        numbers: atomic numbers of the structure, by which its frames are recognised.
        groups: atoms of each group, groups in order of their first atoms.
        names: what each is called; with its first atom, as "CH3(4)", where two have one name.
        charges: of each group in e.
        cuts: bonds between groups (i, j), i < j.
        links: the two groups of each cut bond, in the order of `cuts`.
        molecules: the groups of each molecule.
        bonds: all bonds, by which molecules are put together in a cell.
        loose: those of them that are missing in some frames.
    """

    numbers: tuple[int, ...]
    groups: Groups
    names: tuple[str, ...]
    charges: tuple[int, ...]
    cuts: tuple[Pair, ...]
    links: tuple[Pair, ...]
    molecules: Groups
    bonds: tuple[Pair, ...]
    loose: frozenset[Pair]

    def __len__(self) -> int:
        return len(self.groups)

    def to_frame(self) -> pd.DataFrame:
        """Name, charge (e), molecule and atoms of each group."""
        molecule = {group: k for k, members in enumerate(self.molecules) for group in members}
        return pd.DataFrame(
            {
                "group": self.names,
                "charge_e": self.charges,
                "molecule": [molecule[k] for k in range(len(self))],
                "atoms": self.groups,
            }
        )

    def label(self, members: Sequence[int]) -> str:
        """Names of some groups, walking along their bonds: "C=O(1) · NH(3) · CH"."""
        inside = set(members)
        graph = nx.Graph([link for link in self.links if inside.issuperset(link)])
        graph.add_nodes_from(inside)
        walked: list[int] = []
        for seed in sorted(inside, key=lambda k: (graph.degree(k), k)):
            if seed not in walked:
                walked += nx.dfs_preorder_nodes(graph, seed, sort_neighbors=sorted)
        return " · ".join(self.names[k] for k in walked)


def groups_of(
    frames: Structures,
    groups: Mapping[str, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    charges: Sequence[int] | None = None,
    bonds: Sequence[Pair] | None = None,
) -> Grouping:
    """Groups of the molecules of a structure, or of all frames of a trajectory.

    Args:
        frames: one structure, or every frame that will be compared, or files of them.
        groups: lists of atoms, or these by name; by the rules of this file if None.
        charges: of each group in e, in the order of `groups` (of their first atoms if None); by
            formal charges if None.
        bonds: pairs of bonded atoms in all frames; by `interpmd.structures.chemistry` if None.

    Raises:
        StructureError: no frames, frames of different atoms, a crystal, charges that cannot be
            assigned or that change along the frames, a group with an unpaired electron.
        ArgumentError: groups that are no partition of the atoms or in pieces; that cut a ring, a
            multiple bond or a hydrogen off (the bond is named); another number of charges.
        MissingPackageError: RDKit is not installed.
    """
    frames = read_frames(frames)
    skeleton = skeleton_of(frames, bonds)
    fixed = uncut(skeleton)
    if groups is None:
        members, names, order = _by_rule(skeleton, fixed), None, None
    else:
        members, names, order = _given(groups, skeleton, fixed)
    of = {atom: k for k, inside in enumerate(members) for atom in inside}
    bonded = sorted((min(pair), max(pair)) for pair in skeleton.graph.edges)
    cuts = tuple((i, j) for i, j in bonded if of[i] != of[j])
    links = tuple((of[i], of[j]) for i, j in cuts)
    numbers = skeleton.numbers
    plain = tuple(str(Symbols([numbers[a] for a in inside])) for inside in members)
    found = _charges(skeleton, members, plain, _reordered(charges, order, len(members)))
    counts = [sum(k in link for link in links) for k in range(len(members))]
    _check_closed_shells(skeleton, members, plain, found, counts)
    if names is None:
        orders = {pair: skeleton.order(pair) for pair in bonded}
        names = [
            name_of(inside, numbers, orders, charge, count)
            for inside, charge, count in zip(members, found, counts, strict=True)
        ]
    graph = nx.Graph(links)
    graph.add_nodes_from(range(len(members)))
    return Grouping(
        numbers,
        members,
        numbered(names, members),
        found,
        cuts,
        links,
        tuple(sorted(tuple(sorted(found)) for found in nx.connected_components(graph))),
        tuple(bonded),
        frozenset(pair for pair in bonded if skeleton.graph.edges[pair]["loose"]),
    )


def placed(grouping: Grouping, atoms: Atoms) -> Float[np.ndarray, "atoms 3"]:
    """Positions in Å with every molecule in one piece, after checking that the groups fit.

    Raises:
        StructureError: other atoms, or a bond of the groups that is broken here.
    """
    if tuple(atoms.numbers.tolist()) != grouping.numbers:
        raise StructureError(
            f"the groups were made for {Symbols(grouping.numbers)}, not for {atoms.symbols} in "
            "this order; make them anew: groups_of(frames)"
        )
    if not grouping.bonds:
        return atoms.positions.copy()
    pairs = np.array(grouping.bonds)
    vectors = atoms.positions[pairs[:, 1]] - atoms.positions[pairs[:, 0]]
    lengths = np.linalg.norm(vectors, axis=1)
    if atoms.pbc.any():
        vectors, lengths = find_mic(vectors, atoms.cell, atoms.pbc)
    held = set(map(tuple, bonds_of(atoms).pairs.tolist()))
    broken = np.array([p not in held and p not in grouping.loose for p in grouping.bonds])
    worst = int((lengths * broken).argmax())
    if broken[worst]:
        raise StructureError(
            f"the bond {_bond(grouping.numbers, grouping.bonds[worst])} of the groups is broken "
            f"here ({lengths[worst]:.2f} Å); make the groups from all frames that are compared, so "
            "that a bond that breaks is not cut: groups_of(frames)"
        )
    return _in_one_piece(atoms, pairs, vectors) if atoms.pbc.any() else atoms.positions.copy()


def _in_one_piece(atoms: Atoms, pairs: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    steps = dict(zip(map(tuple, pairs.tolist()), vectors, strict=True))
    positions, graph = atoms.positions.copy(), nx.Graph(list(steps))
    for members in nx.connected_components(graph):
        for before, after in nx.bfs_edges(graph, min(members)):
            step = steps[before, after] if before < after else -steps[after, before]
            positions[after] = positions[before] + step
    gaps = np.abs(positions[pairs[:, 1]] - positions[pairs[:, 0]] - vectors).max(1)
    if gaps.max() > 1e-6:
        name = _bond(atoms.numbers.tolist(), pairs[int(gaps.argmax())].tolist())
        raise StructureError(
            f"the bond {name} joins a molecule to its own image: a crystal has no groups; use "
            "gauge 'atoms'"
        )
    return positions


def _by_rule(skeleton: Skeleton, fixed: Mapping[Pair, str]) -> Groups:
    whole = nx.Graph([*fixed, *functional(skeleton)])
    whole.add_nodes_from(skeleton.graph)
    return tuple(sorted(tuple(sorted(found)) for found in nx.connected_components(whole)))


def _given(
    groups: Mapping[str, Sequence[int]] | Sequence[Sequence[int]],
    skeleton: Skeleton,
    fixed: Mapping[Pair, str],
) -> tuple[Groups, list[str] | None, list[int]]:
    """The user's groups in order of their first atoms, their names, and that order."""
    try:
        lists = list(groups.values() if isinstance(groups, Mapping) else groups)
        members = [tuple(sorted(int(a) for a in inside)) for inside in lists]
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"groups are lists of atoms, or these by name, not {groups!r}"
        ) from error
    count = len(skeleton.numbers)
    seen: set[int] = set()
    for inside in members:
        if not inside:
            raise ArgumentError("a group without atoms; leave it out")
        for atom in inside:
            if not 0 <= atom < count:
                raise ArgumentError(f"there is no atom {atom}: atoms are 0 to {count - 1}")
            if atom in seen:
                raise ArgumentError(f"atom {_atom(skeleton.numbers, atom)} is in two groups")
            seen.add(atom)
    if left := sorted(set(range(count)) - seen):
        named = ", ".join(_atom(skeleton.numbers, a) for a in left[:5])
        raise ArgumentError(
            f"{len(left)} atoms are in no group ({named}{' ...' if len(left) > 5 else ''}); "
            "groups share out all atoms"
        )
    of = {atom: k for k, inside in enumerate(members) for atom in inside}
    for (i, j), reason in fixed.items():
        if of[i] != of[j]:
            raise ArgumentError(
                f"the groups cut {_bond(skeleton.numbers, (i, j))}, {reason}; put both atoms into "
                "one group"
            )
    for inside in members:
        pieces = list(nx.connected_components(skeleton.graph.subgraph(inside)))
        if len(pieces) > 1:
            one, other = (_atom(skeleton.numbers, min(piece)) for piece in pieces[:2])
            raise ArgumentError(
                f"the group of {one} and {other} is in {len(pieces)} pieces, no bonds join them; "
                "make them groups of their own"
            )
    order = sorted(range(len(members)), key=lambda k: members[k])
    names = list(groups) if isinstance(groups, Mapping) else None
    return (
        tuple(members[k] for k in order),
        None if names is None else [str(names[k]) for k in order],
        order,
    )


def _reordered(
    charges: Sequence[int] | None, order: list[int] | None, count: int
) -> list[int] | None:
    if charges is None:
        return None
    given = arguments.one_or_more(charges, "charges", arguments.finite)
    if len(given) != count:
        raise ArgumentError(f"{len(given)} charges for {count} groups; give one for each")
    if any(charge != int(charge) for charge in given):
        raise ArgumentError(f"charges of groups are whole numbers, in e, not {charges!r}")
    return [int(given[k]) for k in (order or range(count))]


def _charges(
    skeleton: Skeleton, members: Groups, plain: Sequence[str], given: list[int] | None
) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    sums = set()
    for formal in skeleton.charges:
        if formal is None:
            raise StructureError(
                "no Lewis structure with the total charge of info['charge'] was found, so that the "
                f"charges of the groups ({', '.join(plain)}) are unknown; correct info['charge'], "
                "or give charges=[...], one in e for each group"
            )
        sums.add(tuple(sum(formal[a] for a in inside) for inside in members))
    if len(sums) > 1:
        changed = [k for k in range(len(members)) if len({found[k] for found in sums}) > 1]
        raise StructureError(
            f"the charge of group {plain[changed[0]]} (atoms {list(members[changed[0]])}) changes "
            "along the frames; put the groups between which charge moves into one"
        )
    return sums.pop()


def _check_closed_shells(
    skeleton: Skeleton,
    members: Groups,
    plain: Sequence[str],
    charges: Sequence[int],
    counts: Sequence[int],
) -> None:
    """Raise StructureError for a group that has an unpaired electron when it is closed."""
    for inside, name, charge, count in zip(members, plain, charges, counts, strict=True):
        electrons = sum(skeleton.numbers[a] for a in inside) - charge + count
        if electrons % 2:
            raise StructureError(
                f"group {name} (atoms {list(inside)}) of charge {sign(charge) or '0'} has an "
                f"unpaired electron with its {count} cut bonds closed; groups are closed-shell: "
                "correct info['charge'], or give charges=[...], one in e for each group"
            )


def _atom(numbers: Sequence[int], atom: int) -> str:
    return f"{Symbols([numbers[atom]])}{atom}"


def _bond(numbers: Sequence[int], pair: Sequence[int]) -> str:
    return f"{_atom(numbers, pair[0])}-{_atom(numbers, pair[1])}"
