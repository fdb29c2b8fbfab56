"""A fixed set of internal coordinates, evaluated on any frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from interpmd.errors import CoordinateError
from interpmd.structures.coordinates import formulas
from interpmd.structures.coordinates.bodies import Bodies, BodyPairs, between

#: All kinds of rows.
KINDS = (
    "bond",
    "shared proton",
    "hydrogen bond",
    "contact",
    "angle",
    "linear bend",
    "torsion",
    "out of plane",
    "distance of molecules",
    "tilt of molecules",
    "turn of molecules",
)


@dataclass(frozen=True)
class Members:
    """The atoms that the coordinates of one form are made of.

    Attributes:
        atoms: shape (n, members).
        shifts: cell in which each of them lies, shape (n, members, 3).
    """

    atoms: Int[np.ndarray, "n members"]
    shifts: Int[np.ndarray, "n members 3"]

    def __len__(self) -> int:
        return len(self.atoms)


@dataclass(frozen=True)
class Coordinates:
    """Internal coordinates of a structure: names, and what is needed to evaluate them.

    A *component* is one function of the positions, with one stiffness and one tension. A *row* is
    what has a name: one component, or the few that make up one motion (both bends of three atoms
    on a line, the cosines of a tilt or of a turn).

    Components stand in this order: stretches, angles, linear bends (two each), torsions, out of
    plane, distances, tilts and turns of molecules.

    Attributes:
        numbers: atomic numbers, shape (atoms,).
        positions: Å, of the frame that they were made from, shape (atoms, 3).
        cell: row vectors in Å, of that frame, shape (3, 3).
        stretches: bonds, shared protons, hydrogen bonds, contacts: two atoms each.
        angles: three atoms each, the second at the vertex.
        bends: three atoms near a line and one off it, that their plane is defined by.
        lone_bends: three atoms near a line of a molecule that is a line and alone.
        dihedrals: four atoms each, averaged over all around one axis.
        torsion: axis that each dihedral turns about, ascending, shape (dihedrals,).
        planes: a centre and its three neighbours.
        bodies: molecules that have coordinates against others.
        pairs: those coordinates.
        row: row of each component, ascending, shape (components,).
        kinds: one of `KINDS` for each row.
        labels: "bond C1–H5", for each row.
        atoms: atoms of each row, as many as have a name in its label.
        shifts: the cell of each of these.
        loose: whether each stretch is a contact, shape (stretches,).
        images: cells that put all that is linked together, shape (atoms, 3).
    """

    numbers: Int[np.ndarray, " atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    cell: Float[np.ndarray, "3 3"]
    stretches: Members
    angles: Members
    bends: Members
    lone_bends: Members
    dihedrals: Members
    torsion: Int[np.ndarray, " dihedrals"]
    planes: Members
    bodies: Bodies
    pairs: BodyPairs
    row: Int[np.ndarray, " components"]
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    atoms: tuple[tuple[int, ...], ...]
    shifts: tuple[tuple[tuple[int, int, int], ...], ...]
    loose: Bool[np.ndarray, " stretches"]
    images: Int[np.ndarray, "atoms 3"]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def torsions(self) -> int:
        """How many axes dihedrals turn about."""
        return int(self.torsion[-1]) + 1 if len(self.torsion) else 0

    def values(
        self, positions: Float[np.ndarray, "atoms 3"], cell: np.ndarray | None = None
    ) -> Float[np.ndarray, " components"]:
        """Values of the components: Å, radian, or cosines (tilts and turns).

        Torsions are means over their dihedrals, which are counted from those of the frame that
        the coordinates were made from; see `change` for differences.
        """
        reference = self.evaluate(self.positions, self.cell)[0]
        change = self.evaluate(positions, cell)[0] - reference
        return self.averaged(reference + _wrapped(change, self.dihedrals_at()))

    def derivatives(
        self, positions: Float[np.ndarray, "atoms 3"], cell: np.ndarray | None = None
    ) -> Float[np.ndarray, "components atoms 3"]:
        """Wilson's B matrix: derivatives of the components with respect to the positions.

        Raises:
            CoordinateError: see `evaluate`.
        """
        return self.evaluate(positions, cell)[1]

    def change(
        self,
        before: Float[np.ndarray, "atoms 3"],
        after: Float[np.ndarray, "atoms 3"],
        cell_before: np.ndarray | None = None,
        cell_after: np.ndarray | None = None,
    ) -> Float[np.ndarray, " components"]:
        """What the components change by from one frame to the next, dihedrals the short way round.

        Both frames must be unwrapped: no atom may have been put back into the cell in between.
        """
        raw = self.evaluate(after, cell_after)[0] - self.evaluate(before, cell_before)[0]
        return self.averaged(_wrapped(raw, self.dihedrals_at()))

    def put_together(
        self, positions: Float[np.ndarray, "atoms 3"], cell: np.ndarray | None = None
    ) -> Float[np.ndarray, "atoms 3"]:
        """Positions in Å with all that is linked on one side of the periodic boundaries."""
        return positions + self.images @ (self.cell if cell is None else np.asarray(cell))

    def evaluate(
        self, positions: np.ndarray, cell: np.ndarray | None = None
    ) -> tuple[Float[np.ndarray, " raw"], Float[np.ndarray, "components atoms 3"]]:
        """Raw values, with every dihedral for itself, and derivatives of the components.

        Raises:
            CoordinateError: positions of another number of atoms, not finite, or two on one place.
        """
        positions = np.asarray(positions, dtype=float)
        if np.shape(positions) != self.positions.shape:
            raise CoordinateError(
                f"coordinates of {len(self.positions)} atoms were given positions of shape "
                f"{np.shape(positions)}"
            )
        cell = self.cell if cell is None else np.asarray(cell)
        values, entries, first = [], [], 0
        with np.errstate(divide="ignore", invalid="ignore"):
            for members, formula, width in self.forms():
                value, derivative = formula(positions[members.atoms] + members.shifts @ cell)
                numbers = np.arange(width * len(members))
                if members is self.dihedrals:
                    numbers, derivative = self.torsion, derivative * self.share()[:, None, None]
                values.append(value.ravel())
                entries.append(_flat(first + numbers, members.atoms, derivative, width))
                first += len(np.unique(numbers))
            value, (numbers, atoms, derivative) = between(self.bodies, self.pairs, positions, cell)
        values.append(value)
        entries.append((first + numbers, atoms, derivative))
        numbers, atoms, derivative = (np.concatenate(e) for e in zip(*entries, strict=True))
        places = ((numbers * len(positions) + atoms)[:, None] * 3 + np.arange(3)).ravel()
        size = len(self.row) * len(positions) * 3
        matrix = np.bincount(places, derivative.ravel(), size).reshape(-1, len(positions), 3)
        if not np.isfinite(matrix).all():
            where = self.row[np.flatnonzero(~np.isfinite(matrix).all((1, 2)))[0]]
            raise CoordinateError(
                f"'{self.labels[where]}' has no derivative: atoms of it lie on top of each other, "
                "or their positions are not finite"
            )
        return np.concatenate(values), matrix

    def forms(self) -> Iterator[tuple[Members, Callable, int]]:
        """Members, formula, and how many components each of them has."""
        forms = (
            (self.stretches, formulas.stretch, 1),
            (self.angles, formulas.angle, 1),
            (self.bends, formulas.linear_bend, 2),
            (self.lone_bends, formulas.lone_bend, 2),
            (self.dihedrals, formulas.torsion, 1),
            (self.planes, formulas.out_of_plane, 1),
        )
        return (form for form in forms if len(form[0]))

    def dihedrals_at(self) -> slice:
        """Where the dihedrals stand among the raw values."""
        bends = len(self.bends) + len(self.lone_bends)
        first = len(self.stretches) + len(self.angles) + 2 * bends
        return slice(first, first + len(self.dihedrals))

    def share(self) -> np.ndarray:
        """Of each dihedral in the mean of its torsion."""
        return 1.0 / np.bincount(self.torsion)[self.torsion]

    def averaged(self, raw: np.ndarray) -> np.ndarray:
        """Components from raw values: dihedrals about one axis become their mean."""
        where = self.dihedrals_at()
        if where.start == where.stop:
            return raw.copy()
        means = np.bincount(self.torsion, raw[where] * self.share())
        return np.concatenate([raw[: where.start], means, raw[where.stop :]])


def _wrapped(change: np.ndarray, dihedrals: slice) -> np.ndarray:
    """Changes of raw values, those of dihedrals between -pi and pi."""
    change = change.copy()
    change[dihedrals] -= 2 * np.pi * np.round(change[dihedrals] / (2 * np.pi))
    return change


def _flat(numbers, atoms, derivative, width):
    """Numbers of components, atoms and derivatives as entries that add up."""
    members = atoms.shape[1]
    return (
        np.repeat(numbers, members),
        np.repeat(atoms, width, axis=0).ravel(),
        derivative.reshape(-1, 3),
    )
