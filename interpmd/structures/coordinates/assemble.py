"""Tables, names and kinds of coordinates, from the places that they are made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from jaxtyping import Int

from interpmd.structures.coordinates.bodies import Bodies, BodyPairs, bodies_of, pairs_of
from interpmd.structures.coordinates.bonded import Bonded
from interpmd.structures.coordinates.coordinates import Coordinates, Members
from interpmd.structures.coordinates.graph import HERE, Graph, Place, added, link, put_together
from interpmd.structures.coordinates.nonbonded import Between
from interpmd.structures.images import image_sign

#: Kind and label of a row, and the atoms in it with their cells.
Row = tuple[str, str, tuple[Place, ...]]


def assembled(graph: Graph, inside: Bonded, around: Between) -> Coordinates:
    """Coordinates within and between molecules, in the order that `Coordinates` states."""
    names = Names(graph)
    links = [
        *(("bond", "–", b) for b in graph.bonds if b not in graph.shared),
        *(("shared proton", "–", b) for b in sorted(graph.shared)),
        *(("hydrogen bond", "···", b) for b in graph.hydrogen_bonds),
        *(("contact", "···", b) for b in around.contacts),
    ]
    stretches = [((i, HERE), (j, shift)) for _, _, (i, j, shift) in links]
    rows = [
        *(
            (kind, f"{kind} {names.chain(ends, mark)}", tuple(ends))
            for (kind, mark, _), ends in zip(links, stretches, strict=True)
        ),
        *(("angle", f"angle {names.chain(p)}", tuple(p)) for p in inside.angles),
        *(
            ("linear bend", f"linear bend {names.chain(p[:3])}", tuple(p[:3]))
            for p in (*inside.bends, *inside.lone_bends)
        ),
        *(("torsion", f"torsion about {names.chain(p)}", tuple(p)) for p, _ in inside.torsions),
        *(("out of plane", f"out of plane {names.of(p[0])}", tuple(p)) for p in inside.planes),
    ]
    components = np.repeat(np.arange(len(rows)), [1 + (r[0] == "linear bend") for r in rows])

    bodies = bodies_of(graph, around.molecules)
    pairs = pairs_of(bodies, around.pairs)
    of_pairs, of_components = _rows_of_pairs(around, pairs, names)
    components = np.concatenate([components, len(rows) + of_components])
    rows = [*rows, *of_pairs]
    counts = [len(dihedrals) for _, dihedrals in inside.torsions]
    return Coordinates(
        numbers=graph.numbers,
        positions=graph.frames[0],
        cell=graph.cells[0],
        stretches=_members(stretches, 2),
        angles=_members(inside.angles, 3),
        bends=_members(inside.bends, 4),
        lone_bends=_members(inside.lone_bends, 3),
        dihedrals=_members([d for _, dihedrals in inside.torsions for d in dihedrals], 4),
        torsion=np.repeat(np.arange(len(counts)), counts),
        planes=_members(inside.planes, 4),
        bodies=bodies,
        pairs=pairs,
        row=components,
        kinds=tuple(kind for kind, _, _ in rows),
        labels=tuple(label for _, label, _ in rows),
        atoms=tuple(tuple(a for a, _ in places) for _, _, places in rows),
        shifts=tuple(tuple(s for _, s in places) for _, _, places in rows),
        loose=np.array([kind == "contact" for kind, _, _ in links], dtype=bool),
        images=_images(graph, around, bodies),
    )


class Names:
    """What atoms and molecules are called; images of the cell are named."""

    def __init__(self, graph: Graph):
        self.symbols = Atoms(graph.numbers).get_chemical_symbols()

    def of(self, place: Place) -> str:
        """An atom, as "O4", or "O4 (0,0,+1)" in the next cell."""
        atom, shift = place
        return f"{self.symbols[atom]}{atom}{image_sign(shift)}"

    def chain(self, places: Sequence[Place], mark: str = "–") -> str:
        """Atoms one after the other."""
        return mark.join(self.of(p) for p in places)

    def molecule(self, places: Sequence[Place], shift: tuple = HERE) -> str:
        """A molecule by its formula and first atom, as "H2O(3)"."""
        atoms = [a for a, _ in places]
        if len(atoms) == 1:
            return self.of((atoms[0], added(places[0][1], shift)))
        formula = Atoms([self.symbols[a] for a in atoms]).get_chemical_formula()
        return f"{formula}({atoms[0]}){image_sign(shift)}"


def _rows_of_pairs(
    around: Between, pairs: BodyPairs, names: Names
) -> tuple[list[Row], Int[np.ndarray, " components"]]:
    """Rows of distances, tilts and turns, and to which of them their components belong."""
    rows: list[Row] = []
    ends = []
    for one, other, shift in around.pairs:
        first, second = around.molecules[one].places, around.molecules[other].places
        ends.append((names.molecule(first), names.molecule(second, shift)))
        places = (*first, *((a, added(s, shift)) for a, s in second))
        rows.append(("distance of molecules", "distance {}···{}".format(*ends[-1]), places))
    number: dict[tuple, int] = {}
    for p, side, _ in pairs.tilts.tolist():
        if (p, side) not in number:
            number[p, side] = len(rows)
            label = "tilt of {} towards {}".format(*ends[p][:: -1 if side else 1])
            rows.append(("tilt of molecules", label, rows[p][2]))
    for p, _, _ in pairs.turns.tolist():
        if (p,) not in number:
            number[p,] = len(rows)
            label = "turn of {} against {}".format(*ends[p])
            rows.append(("turn of molecules", label, rows[p][2]))
    components = [*range(len(ends))]
    components += [number[p, side] for p, side, _ in pairs.tilts.tolist()]
    components += [number[p,] for p, _, _ in pairs.turns.tolist()]
    return rows, np.array(components, dtype=int)


def _images(graph: Graph, around: Between, bodies: Bodies) -> Int[np.ndarray, "atoms 3"]:
    """Cells that put together all atoms that any coordinate links."""
    heads = [molecule.places[0] for molecule in around.molecules]
    links = {*graph.bonds, *graph.hydrogen_bonds, *around.contacts}
    for one, other, shift in around.pairs:
        (i, at_i), (j, at_j) = heads[one], heads[other]
        links.add(link(i, j, added(added(at_j, shift), at_i, -1)))
    return np.array(put_together(len(graph.numbers), links)[1], dtype=int)


def _image(shift: tuple) -> str:
    return "" if shift == HERE else "[{} {} {}]".format(*shift)


def _atoms(places: Sequence[Place]) -> tuple[int, ...]:
    return tuple(a for a, _ in places)


def _members(rows: Sequence[Sequence[Place]], width: int) -> Members:
    atoms = np.array([[a for a, _ in row] for row in rows], dtype=int).reshape(-1, width)
    shifts = np.array([[s for _, s in row] for row in rows], dtype=int).reshape(-1, width, 3)
    return Members(atoms, shifts)
