"""Curves of bonds, angles, torsions and out-of-plane motions, and of pairs that no bond joins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float, Int

from interpmd.fitting.distil.base import Block, CurveShape, DistilTerm, Edges, Entries
from interpmd.fitting.distil.pairs import POINTS, TO_ZERO, Pairs
from interpmd.fitting.distil.splines import Spline
from interpmd.fitting.distil.topology import Topology, alike
from interpmd.structures.coordinates import formulas
from interpmd.structures.seen import SeenDistances

#: Positions of the members of coordinates to values and their derivatives.
Formula = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

#: Multiples of a dihedral whose cosines make up its curve.
MULTIPLES = 6

#: Values that are so near, in parts of the range, count as the same in pictures.
NEAR = 0.03

#: What the range of a curve gains beyond the values that frames have, at each end.
MARGIN = 0.05


@dataclass(frozen=True)
class Form:
    """A kind of coordinate.

    Attributes:
        name: before the atoms, as "angle".
        axis: what it is, with its unit, for pictures.
        formula: values and derivatives.
        displayed: factor of the values in pictures.
        periodic: whether curves are cosines of multiples.
    """

    name: str
    axis: str
    formula: Formula
    displayed: float = 1.0
    periodic: bool = False


def _cosine(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of angles: smooth where three atoms lie on a line."""
    value, derivative = formulas.angle(x)
    return np.cos(value), -np.sin(value)[:, None, None] * derivative


def _square(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares of pyramidalities: the same for both sides of a plane."""
    value, derivative = formulas.out_of_plane(x)
    return value**2, 2 * value[:, None, None] * derivative


FORMS = {
    "stretches": Form("", "distance (Å)", formulas.stretch),
    "angles": Form("angle", "angle (°)", formulas.angle, 180 / np.pi),
    "bends": Form("bend", "cosine of the angle", _cosine),
    "dihedrals": Form("torsion", "dihedral angle (°)", formulas.torsion, 180 / np.pi, True),
    "planes": Form("out of plane", "square of the pyramidality", _square),
}


@dataclass(frozen=True, eq=False)
class Valence(DistilTerm):
    """E = sum over coordinates of one form of V(kind, value).

    Attributes:
        topo: the molecule.
        what: one of `FORMS`, and of the coordinates of the topology.
        atoms: of each coordinate, shape (n, members).
        curve: which curve each has, shape (n,).
        heads: the first coordinate of each curve.
        start, end: range of each curve.
        values: those that frames have, of each curve.
        spline: of curves that are no cosines.
    """

    topo: Topology
    what: str
    atoms: Int[np.ndarray, "n members"]
    curve: Int[np.ndarray, " n"]
    heads: list[int]
    start: Float[np.ndarray, " curves"]
    end: Float[np.ndarray, " curves"]
    values: list[np.ndarray] = field(repr=False)
    spline: Spline

    @classmethod
    def of(cls, topo: Topology, what: str, block: Block, intervals: int) -> Valence | None:
        """The curves of a form, over the range that some frames cover; None where there are no
        coordinates."""
        atoms = getattr(topo, what)
        if not len(atoms):
            return None
        curve, heads = alike(topo, atoms)
        value = evaluated(FORMS[what].formula, block, atoms)[0]
        values = [np.sort(value[:, curve == c].ravel()) for c in range(len(heads))]
        low = np.array([v[0] for v in values])
        high = np.array([v[-1] for v in values])
        margin = MARGIN * (high - low) + 1e-6
        if what == "planes":
            low, margin = 0 * low, margin * 1.0
            start = low
        else:
            start = low - margin
        return cls(topo, what, atoms, curve, heads, start, high + margin, values, Spline(intervals))

    @property
    def form(self) -> Form:
        return FORMS[self.what]

    @property
    def each(self) -> int:
        """Coefficients of one curve."""
        return MULTIPLES if self.form.periodic else self.spline.size

    @property
    def size(self) -> int:
        return self.each * len(self.heads)

    def entries(self, block: Block) -> Entries:
        value, derivative = evaluated(self.form.formula, block, self.atoms)
        columns, values, slopes = self._basis(value.ravel(), np.tile(self.curve, len(value)))
        return chained(block, self.atoms, columns, values, slopes, derivative)

    def check(self, atoms: Atoms) -> None:
        self.topo.check(atoms)

    def penalty(self) -> Float[np.ndarray, "size size"]:
        if self.form.periodic:
            one = np.diag(np.arange(1.0, MULTIPLES + 1) ** 2)
        else:
            one = self.spline.roughness() + TO_ZERO * np.eye(self.spline.size)
        return np.kron(np.eye(len(self.heads)), one)

    def parts(self) -> Int[np.ndarray, " size"]:
        return np.repeat(np.arange(len(self.heads)), self.each)

    def shapes(self) -> list[CurveShape]:
        return [self._shape(number) for number in range(len(self.heads))]

    def _basis(
        self, value: np.ndarray, curve: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self.form.periodic:
            n = np.arange(1, MULTIPLES + 1)
            turned = value[:, None] * n
            columns = np.broadcast_to(n - 1, turned.shape)
            values, slopes = np.cos(turned), -n * np.sin(turned)
        else:
            columns, values, slopes = self.spline.basis(value, self.start[curve], self.end[curve])
        return columns + (curve * self.each)[:, None], values, slopes

    def _shape(self, number: int) -> CurveShape:
        if self.form.periodic:
            x = np.linspace(-np.pi, np.pi, POINTS)
        else:
            x = np.linspace(self.start[number], self.end[number], POINTS)
        columns, values, _ = self._basis(x, np.full(POINTS, number))
        matrix = np.zeros((POINTS, self.size))
        np.add.at(matrix, (np.arange(POINTS)[:, None], columns), values)
        known, half = self.values[number], NEAR * (x[-1] - x[0])
        count = np.searchsorted(known, x + half) - np.searchsorted(known, x - half)
        names = tuple(
            f"{self.form.name} {self.topo.named(atoms)}".strip()
            for atoms in self.atoms[self.curve == number]
        )
        label = names[0] + (f" (×{len(names)})" if len(names) > 1 else "")
        return CurveShape(label, self.form.axis, x * self.form.displayed, matrix, count, names)


class Nonbonded(Pairs):
    """Pair curves of atoms that at least three bonds, or none at all, lie between.

    Args:
        topo: the molecules.
        block: some frames, for pictures.
        elements, cutoff, spacing: as of `Pairs`.
    """

    def __init__(
        self,
        topo: Topology,
        block: Block,
        elements: Sequence[int],
        cutoff: float,
        spacing: float,
    ) -> None:
        self.topo, self._near = topo, topo.steps < 3
        edges = self._kept(block, cutoff)
        once = edges.centre < edges.neighbour
        numbers = np.stack([block.numbers[edges.centre], block.numbers[edges.neighbour]])[:, once]
        low, high = numbers.min(0), numbers.max(0)
        distances = {
            (a, b): np.sort(edges.lengths[once][(low == a) & (high == b)])
            for a, b in set(zip(low.tolist(), high.tolist(), strict=True))
        }
        super().__init__(elements, cutoff, spacing, SeenDistances(distances, cutoff))

    def check(self, atoms: Atoms) -> None:
        self.topo.check(atoms)

    def entries(self, block: Block) -> Entries:
        return self.of_edges(block, self._kept(block, self.cutoff))

    def shapes(self) -> list[CurveShape]:
        return [replace(shape, label=f"nonbonded {shape.label}") for shape in super().shapes()]

    def _kept(self, block: Block, cutoff: float) -> Edges:
        """Neighbours that the curves are of."""
        edges, count = block.edges(cutoff), len(self._near)
        far = ~self._near[edges.centre % count, edges.neighbour % count]
        return Edges(*(part[far] for part in vars(edges).values()))

    def excluded(self) -> list[tuple[int, int]]:
        """Pairs of atoms that the curves leave out."""
        first, second = np.nonzero(np.triu(self._near, 1))
        return list(zip(first.tolist(), second.tolist(), strict=True))


def evaluated(
    formula: Formula, block: Block, atoms: Int[np.ndarray, "n members"]
) -> tuple[Float[np.ndarray, "frames n"], Float[np.ndarray, "frames n members 3"]]:
    """Values and derivatives of coordinates in all frames, nearest images along the bonds."""
    x = block.per_frame()[:, atoms]
    if block.pbc.any():
        x = _whole(x, block.cells, block.pbc)
    frames, n, members, _ = x.shape
    value, derivative = formula(x.reshape(-1, members, 3))
    return value.reshape(frames, n), derivative.reshape(frames, n, members, 3)


def _whole(
    x: Float[np.ndarray, "frames n members 3"],
    cells: Float[np.ndarray, "frames 3 3"],
    pbc: Bool[np.ndarray, "frames 3"],
) -> Float[np.ndarray, "frames n members 3"]:
    """Members brought to the image nearest to the first one, by way of the shortest vectors."""
    x = x.copy()
    for frame, (cell, periodic) in enumerate(zip(cells, pbc, strict=True)):
        if not periodic.any():
            continue
        full = np.where(periodic[:, None], cell, 0) + np.diag((~periodic).astype(float))
        inverse = np.linalg.inv(full)
        for member in range(1, x.shape[2]):
            away = x[frame, :, member] - x[frame, :, member - 1]
            x[frame, :, member] -= (np.round(away @ inverse) * periodic) @ full
    return x


def chained(
    block: Block,
    atoms: Int[np.ndarray, "n members"],
    columns: Int[np.ndarray, "points k"],
    values: Float[np.ndarray, "points k"],
    slopes: Float[np.ndarray, "points k"],
    derivative: Float[np.ndarray, "frames n members 3"],
) -> Entries:
    """Entries of functions of coordinates, by the chain rule.

    Args:
        block: the frames.
        atoms: members of each coordinate.
        columns, values, slopes: coefficient, value and derivative of each function of each
            coordinate of each frame.
        derivative: of the coordinates with respect to the positions of their members.
    """
    frames, n, members = derivative.shape[:3]
    k, count = columns.shape[1], len(block.numbers) // block.n_frames
    rows = rows_of(frames, count, atoms).reshape(-1, members * 3)
    force = -slopes[:, None, :] * derivative.reshape(-1, members * 3, 1)
    return Entries(
        frame=np.repeat(np.arange(frames), n * k),
        of_frame=columns.ravel(),
        energy=values.ravel(),
        row=np.repeat(rows.ravel(), k),
        of_row=np.repeat(columns[:, None, :], members * 3, axis=1).ravel(),
        force=force.ravel(),
    )


def rows_of(
    frames: int, count: int, atoms: Int[np.ndarray, "n members"]
) -> Int[np.ndarray, "frames n members 3"]:
    """Rows of the components of the forces on the members."""
    numbers = np.arange(frames)[:, None, None] * count + atoms
    return 3 * numbers[..., None] + np.arange(3)
