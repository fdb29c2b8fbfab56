"""Pair curves: one spline of the distance for each pair of elements.

The two-body part of UF3: Xie, Rupp and Hennig, npj Comput. Mater. 9, 162 (2023), equation 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float, Int

from interpmd.fitting.distil.base import Block, CurveShape, DistilTerm, Edges, Entries
from interpmd.fitting.distil.splines import Spline
from interpmd.structures.seen import SeenDistances

#: Å; where the knots begin. Not 0, where nothing has a direction.
FIRST_KNOT = 0.001

#: Part of the curvature's penalty that pulls coefficients to zero, where nothing is known of them.
TO_ZERO = 1e-4

#: Points at which curves are shown.
POINTS = 150


class Pairs(DistilTerm):
    """E = sum over pairs of atoms of V(elements, distance), zero from the cutoff on.

    Args:
        elements: atomic numbers.
        cutoff: Å.
        spacing: of the knots in Å, about.
        seen: distances in some frames, for pictures.
    """

    def __init__(
        self, elements: Sequence[int], cutoff: float, spacing: float, seen: SeenDistances
    ) -> None:
        self.elements, self.cutoff, self.seen = tuple(sorted(elements)), cutoff, seen
        self.pairs = tuple(combinations_with_replacement(self.elements, 2))
        self.spline = Spline(max(4, round(cutoff / spacing)), "natural", "zero")
        self.size = len(self.pairs) * self.spline.size
        self._number = np.full((120, 120), -1)
        for number, (a, b) in enumerate(self.pairs):
            self._number[a, b] = self._number[b, a] = number

    def entries(self, block: Block) -> Entries:
        return self.of_edges(block, block.edges(self.cutoff))

    def of_edges(self, block: Block, edges: Edges) -> Entries:
        """Entries of some edges, of which both directions are given."""
        pair = self._number[block.numbers[edges.centre], block.numbers[edges.neighbour]]
        columns, values, slopes = self.spline.basis(edges.lengths, FIRST_KNOT, self.cutoff)
        columns = columns + (pair * self.spline.size)[:, None]
        units = edges.vectors / edges.lengths[:, None]
        # each direction pushes its centre and has half of the energy
        rows = 3 * edges.centre[:, None] + np.arange(3)
        forces = slopes[:, None, :] * units[:, :, None]
        return Entries(
            frame=np.repeat(block.frame[edges.centre], 4),
            of_frame=columns.ravel(),
            energy=0.5 * values.ravel(),
            row=np.repeat(rows.ravel(), 4),
            of_row=np.repeat(columns[:, None, :], 3, axis=1).ravel(),
            force=forces.ravel(),
        )

    def penalty(self) -> Float[np.ndarray, "size size"]:
        one = self.spline.roughness() + TO_ZERO * np.eye(self.spline.size)
        return np.kron(np.eye(len(self.pairs)), one)

    def parts(self) -> Int[np.ndarray, " size"]:
        return np.repeat(np.arange(len(self.pairs)), self.spline.size)

    def shapes(self) -> list[CurveShape]:
        return [self._shape(number, *pair) for number, pair in enumerate(self.pairs)]

    def raw(self, coefficients: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
        """Coefficients of all B-splines, by pair of elements."""
        parts = np.split(coefficients, len(self.pairs))
        found = zip(self.pairs, parts, strict=True)
        return {pair: self.spline.raw_coefficients(part) for pair, part in found}

    def _shape(self, number: int, a: int, b: int) -> CurveShape:
        known = self.seen.between(a, b)
        nearest = float(known.min(initial=self.cutoff - 1.0))
        x = np.linspace(max(0.95 * nearest, FIRST_KNOT), self.cutoff, POINTS)
        matrix = np.zeros((len(x), self.size))
        first = number * self.spline.size
        part = slice(first, first + self.spline.size)
        matrix[:, part] = self.spline.matrix(x, FIRST_KNOT, self.cutoff)
        label = f"{chemical_symbols[a]}–{chemical_symbols[b]}"
        return CurveShape(label, "distance (Å)", x, matrix, self.seen.count(a, b, x))


def elements_of(frames: Sequence[Atoms]) -> tuple[int, ...]:
    """Atomic numbers that occur."""
    found: Int[np.ndarray, " elements"] = np.unique(np.concatenate([a.numbers for a in frames]))
    return tuple(found.tolist())
