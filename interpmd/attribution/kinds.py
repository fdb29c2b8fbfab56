"""Chemical names of clusters: every cluster of atoms gets exactly one kind and one label.

| kind | when |
|---|---|
| atom | one atom |
| bond stretch | two bonded atoms |
| angle | three atoms held together by bonds |
| torsion | four atoms in a chain of bonds |
| out-of-plane | four atoms, one bonded to the other three |
| ring or chain | more atoms (or rings of four) held together by bonds |
| shared proton | a hydrogen and an atom that it leaves or joins along a trajectory |
| hydrogen bond | held together by bonds and at least one hydrogen bond |
| between fragments | atoms of several molecules (or images of one), not held together |
| 1-3 pair | two atoms, not bonded, that share a bonded neighbour |
| nonbonded pair, nonbonded | two, or more, atoms of one molecule, not held together |
| fragment | all atoms of one fragment, where fragments are the players |
| remainder | what rows above the chosen order, or of no finite order, leave at a site |

What is a bond, a hydrogen bond and a molecule is the rule of `interpmd.structures.chemistry`. A
proton at its jump is bonded to both of its neighbours: both pairs are bond stretches, and the
three atoms an angle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from ase import Atoms

from interpmd.decomposition.clusters import Clusters
from interpmd.structures.chemistry import (
    Bonds,
    Molecules,
    bonds,
    both_ways,
    hydrogen_bonds,
    put_together,
)
from interpmd.structures.fragments import Fragments
from interpmd.structures.images import image_sign

#: All kinds, in the order of the table above.
KINDS = (
    "atom",
    "group",
    "two groups",
    "three groups",
    "larger groups",
    "bond stretch",
    "bond",
    "shared proton",
    "angle",
    "linear bend",
    "torsion",
    "out-of-plane",
    "out of plane",
    "ring or chain",
    "hydrogen bond",
    "contact",
    "distance of molecules",
    "tilt of molecules",
    "turn of molecules",
    "between fragments",
    "1-3 pair",
    "nonbonded pair",
    "nonbonded",
    "fragment",
    "remainder",
)

#: Places of the kinds in that order.
ORDER_OF_KINDS = {kind: place for place, kind in enumerate(KINDS)}

#: What some atoms are called that are no molecule.
COUNTED = {2: "pair", 3: "triplet", 4: "quadruplet"}

Place = tuple[int, tuple[int, int, int]]
Pair = tuple[int, int, tuple[int, int, int]]


@dataclass(frozen=True)
class Chemistry:
    """Who is bonded to whom.

    Attributes:
        bonds: ordered pairs (i, j, image of j relative to i).
        hydrogen_bonds: the same for H...A and A...H.
        across: the same for atoms that share a bonded neighbour.
        molecules: which molecule each atom belongs to.
        shared: pairs of a proton and an atom that it leaves or joins, where several frames have
            one chemistry.
    """

    bonds: frozenset[Pair]
    hydrogen_bonds: frozenset[Pair]
    across: frozenset[Pair]
    molecules: Molecules
    shared: frozenset[Pair] = frozenset()

    def alone(self, place: Place) -> bool:
        """Whether an atom is a molecule by itself."""
        number = self.molecules.number
        return int((number == number[place[0]]).sum()) == 1

    def molecule(self, place: Place) -> tuple[int, tuple[int, int, int]]:
        """Which molecule an atom belongs to; images of a molecule are other molecules."""
        atom, image = place
        number = int(self.molecules.number[atom])
        if number in self.molecules.endless:
            return number, (0, 0, 0)
        home = self.molecules.images[atom]
        x, y, z = (int(s - m) for s, m in zip(image, home, strict=True))
        return number, (x, y, z)


def chemistry(atoms: Atoms) -> Chemistry:
    """Bonds, hydrogen bonds and molecules of a structure.

    Raises:
        StructureError: dummies, and elements without a covalent radius.
    """
    known, held = bonds(atoms), hydrogen_bonds(atoms)
    ordered = frozenset(_triples(*both_ways(known)))
    bonded: list[list[Place]] = [[] for _ in atoms]
    for first, second, image in sorted(ordered):
        bonded[first].append((second, image))
    across = frozenset(
        _triple(first, second, np.subtract(there, here))
        for around in bonded
        for (first, here), (second, there) in permutations(around, 2)
    )
    pairs = np.column_stack([held.hydrogen, held.acceptor])
    taken = Bonds(pairs, held.acceptor_shifts, held.distances)
    return Chemistry(
        ordered,
        frozenset(_triples(*both_ways(taken))),
        across,
        put_together(known, len(atoms)),
    )


def frozen_chemistry(frames: Sequence[Atoms]) -> Chemistry:
    """One chemistry for all frames of a trajectory, so that names do not jump.

    Who is bonded in one frame counts as bonded in all. A hydrogen that changes its partner is a
    shared proton throughout, between each of them.
    """
    each = [chemistry(atoms) for atoms in frames]
    bonds_of_all = frozenset().union(*(known.bonds for known in each))
    always = frozenset.intersection(*(known.bonds for known in each))
    passing = {
        atom for i, j, _ in bonds_of_all - always for atom in (i, j) if frames[0].numbers[atom] == 1
    }
    shared = frozenset(pair for pair in bonds_of_all if {pair[0], pair[1]} & passing)
    across = frozenset().union(*(known.across for known in each))
    held = frozenset().union(*(known.hydrogen_bonds for known in each)) - bonds_of_all
    ends = sorted(pair for pair in bonds_of_all if pair[:2] <= pair[1::-1])
    joined = Bonds(
        np.array([pair[:2] for pair in ends], dtype=int).reshape(-1, 2),
        np.array([pair[2] for pair in ends], dtype=int).reshape(-1, 3),
        np.zeros(len(ends)),
    )
    molecules = put_together(joined, len(frames[0]))
    return Chemistry(bonds_of_all, held, across, molecules, shared)


def describe(
    atoms: Atoms, table: Clusters, known: Chemistry | None = None
) -> tuple[list[str], list[str], list[tuple[int, ...]]]:
    """Label, kind and atoms of every row; labels name the atoms, as "O4-H8 bond stretch".

    Args:
        atoms: the structure.
        table: its rows.
        known: who is bonded to whom; by the rule for this structure if None.
    """
    known = chemistry(atoms) if known is None else known
    labels, kinds, members = [], [], []
    for row in range(len(table.order)):
        first, last = table.first[row], table.first[row + 1]
        inside = tuple(int(a) for a in table.member_atoms[first:last])
        if table.remainder[row]:
            inside = inside[:1]
            kinds.append("remainder")
            labels.append(f"rest at {_name(atoms, inside[0])} ({table.terms[table.term[row]]})")
        else:
            images = [tuple(int(s) for s in image) for image in table.member_shifts[first:last]]
            places = list(zip(inside, images, strict=True))
            kinds.append(kind_of(places, known))
            labels.append(_label(atoms, places, known, kinds[-1]))
        members.append(inside)
    return labels, kinds, members


def name_fragments(
    atoms: Atoms, clusters: Clusters, fragments: Fragments
) -> tuple[list[str], list[str]]:
    """Label and kind of clusters of whole fragments; a fragment is named by its formula and
    first atom, as "H2O(3)". A remainder of several is called by its term."""
    number = {a: f for f, members in enumerate(fragments) for a in members}
    names = fragment_names(atoms, fragments)
    labels, kinds = [], []
    for members, term, rest in zip(
        clusters.tuples(), clusters.term, clusters.remainder, strict=True
    ):
        inside = sorted({number[a] for a in members})
        several = rest and len(inside) > 1
        label = clusters.terms[term] if several else "···".join(names[f] for f in inside)
        labels.append(f"rest at {label}" if rest and not several else label)
        kinds.append(
            "remainder" if rest else "fragment" if len(inside) == 1 else "between fragments"
        )
    return labels, kinds


def fragment_names(atoms: Atoms, fragments: Fragments) -> list[str]:
    """Formula and first atom of each fragment, as "H2O(3)"."""
    return [f"{atoms.symbols[list(m)].get_chemical_formula()}({m[0]})" for m in fragments]


def player_name(atoms: Atoms, members: Sequence[int]) -> str:
    """Symbol and index of an atom, as "H8", else the name of a fragment."""
    [name] = fragment_names(atoms, (tuple(members),))
    return f"{atoms.symbols[members[0]]}{members[0]}" if len(members) == 1 else name


def path_name(atoms: Atoms, path: Sequence[int]) -> str:
    """Atoms along a path, as "O0–H8···O4": a dash between bonded ones, dots between others."""
    linked = {(i, j) for i, j in both_ways(bonds(atoms))[0].tolist()}
    text = _name(atoms, path[0])
    for before, after in zip(path, path[1:], strict=False):
        text += ("–" if (before, after) in linked else "···") + _name(atoms, after)
    return text


def kind_of(places: list[Place], known: Chemistry) -> str:
    """The kind of a cluster of atoms, each with its periodic image."""
    size = len(places)
    if size == 1:
        return "atom"
    bonded = _links(places, known.bonds)
    if size == 2 and _links(places, known.shared)[0, 1]:
        return "shared proton"
    if _connected(bonded):
        degrees = sorted(bonded.sum(1))
        if size == 2:
            return "bond stretch"
        if size == 3:
            return "angle"
        if size == 4 and degrees == [1, 1, 2, 2]:
            return "torsion"
        if size == 4 and degrees == [1, 1, 1, 3]:
            return "out-of-plane"
        return "ring or chain"
    if _connected(bonded | _links(places, known.hydrogen_bonds)):
        return "hydrogen bond"
    if len({known.molecule(place) for place in places}) > 1:
        return "between fragments"
    if size == 2 and _links(places, known.across)[0, 1]:
        return "1-3 pair"
    return "nonbonded pair" if size == 2 else "nonbonded"


def _label(atoms: Atoms, places: list[Place], known: Chemistry, kind: str) -> str:
    order = _walk(_links(places, known.bonds))
    places = [places[i] for i in order]
    home = places[0][1]
    text = _name(atoms, places[0][0])
    for before, after in zip(places, places[1:], strict=False):
        pair = _links([before, after], known.bonds)[0, 1]
        shift = [int(s - h) for s, h in zip(after[1], home, strict=True)]
        text += ("–" if pair else "···") + _name(atoms, after[0]) + image_sign(shift)
    if kind == "between fragments" and all(known.alone(place) for place in places):
        kind = COUNTED.get(len(places), kind)
    return f"{text} {kind}"


def _walk(links: np.ndarray) -> list[int]:
    """Members along the bonds, from an end of the chain."""
    left, order = set(range(len(links))), []
    while left:
        nexts = [m for m in sorted(left) if order and links[order[-1], m]]
        loose = min(left, key=lambda m: (links[m, sorted(left)].sum() or 9, m))
        chosen = nexts[0] if nexts else loose
        order.append(chosen)
        left.remove(chosen)
    return order


def _links(places: list[Place], pairs: frozenset) -> np.ndarray:
    size = len(places)
    links = np.zeros((size, size), dtype=bool)
    for a, (i, first) in enumerate(places):
        for b, (j, second) in enumerate(places):
            image = tuple(int(s - f) for f, s in zip(first, second, strict=True))
            links[a, b] = (i, j, image) in pairs
    return links


def _connected(links: np.ndarray) -> bool:
    reached = np.arange(len(links)) == 0
    for _ in range(len(links) - 1):
        reached = reached | links[reached].any(0)
    return bool(reached.all())


def _triples(pairs: np.ndarray, shifts: np.ndarray) -> list[Pair]:
    return [_triple(i, j, shift) for (i, j), shift in zip(pairs, shifts, strict=True)]


def _triple(i: int, j: int, image: Sequence[int]) -> Pair:
    x, y, z = (int(s) for s in image)
    return int(i), int(j), (x, y, z)


def _name(atoms: Atoms, atom: int) -> str:
    return f"{atoms.symbols[atom]}{atom}"
