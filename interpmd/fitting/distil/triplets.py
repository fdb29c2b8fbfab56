"""Triplet surfaces: products of three splines, of the two sides at a centre and the third.

The three-body part of UF3: Xie, Rupp and Hennig, npj Comput. Mater. 9, 162 (2023), equation 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Bool, Float, Int

from interpmd.fitting.distil.base import Block, DistilTerm, Edges, Entries
from interpmd.fitting.distil.pairs import FIRST_KNOT
from interpmd.fitting.distil.splines import Spline


class Triplets(DistilTerm):
    """E = sum over centres i and pairs j < k of its neighbours of V(elements, r_ij, r_ik, r_jk).

    V vanishes smoothly where r_ij or r_ik reaches the cutoff; r_jk is at most twice as long.

    Args:
        elements: atomic numbers.
        cutoff: of r_ij and r_ik in Å.
        spacing: of the knots in Å, about.
    """

    def __init__(self, elements: Sequence[int], cutoff: float, spacing: float) -> None:
        self.elements, self.cutoff = tuple(sorted(elements)), cutoff
        ends = tuple(combinations_with_replacement(self.elements, 2))
        self.kinds = tuple((centre, *pair) for centre in self.elements for pair in ends)
        intervals = max(4, round(cutoff / spacing))
        self.side = Spline(intervals, "natural", "zero")
        self.third = Spline(2 * intervals, "natural", "zero")
        self._number = np.full((120, 120, 120), -1, dtype=np.int16)
        for number, (c, a, b) in enumerate(self.kinds):
            self._number[c, a, b] = number
        # the two sides of equal elements are alike: one coefficient for both orders
        n = self.side.size
        low, high = np.triu_indices(n)
        alike = np.zeros((n, n), dtype=int)
        alike[low, high] = alike[high, low] = np.arange(len(low))
        self._sides = np.stack([np.arange(n * n).reshape(n, n), alike])
        sizes = [(len(low) if a == b else n * n) * self.third.size for _, a, b in self.kinds]
        self._first = np.concatenate([[0], np.cumsum(sizes)])
        self.size = int(self._first[-1])

    def entries(self, block: Block) -> Entries:
        edges = block.edges(self.cutoff)
        kind, one, other = self._triplets(block, edges)
        u, v = edges.vectors[one], edges.vectors[other]
        w = v - u
        lengths = edges.lengths[one], edges.lengths[other], np.sqrt((w**2).sum(1))
        columns, value, slopes = self._products(kind, lengths)
        # along each side, from its first atom to its second
        pull = [
            slope[:, None, :] * (side / length[:, None])[:, :, None]
            for slope, side, length in zip(slopes, (u, v, w), lengths, strict=True)
        ]
        forces = np.stack([pull[0] + pull[1], pull[2] - pull[0], -pull[1] - pull[2]], axis=1)
        atoms = np.stack([edges.centre[one], edges.neighbour[one], edges.neighbour[other]], axis=1)
        rows = (3 * atoms[:, :, None] + np.arange(3)).reshape(len(kind), 9)
        return Entries(
            frame=np.repeat(block.frame[edges.centre[one]], 64),
            of_frame=columns.ravel(),
            energy=value.ravel(),
            row=np.repeat(rows.ravel(), 64),
            of_row=np.repeat(columns[:, None, :], 9, axis=1).ravel(),
            force=forces.ravel(),
        )

    def touched(self, block: Block) -> Bool[np.ndarray, " size"]:
        """Which coefficients some frames say anything about."""
        edges = block.edges(self.cutoff)
        kind, one, other = self._triplets(block, edges)
        third = np.linalg.norm(edges.vectors[other] - edges.vectors[one], axis=1)
        lengths = edges.lengths[one], edges.lengths[other], third
        columns, value, _ = self._products(kind, lengths)
        found = np.zeros(self.size, dtype=bool)
        found[columns[np.abs(value) > 0]] = True
        return found

    def penalty(self) -> Float[np.ndarray, " size"]:
        return np.ones(self.size)

    def parts(self) -> Int[np.ndarray, " size"]:
        return np.repeat(np.arange(len(self.kinds)), np.diff(self._first))

    def raw(self, coefficients: np.ndarray) -> dict[tuple[int, int, int], np.ndarray]:
        """Coefficients of all products of B-splines, by centre and the two others."""
        found = {}
        for number, (c, a, b) in enumerate(self.kinds):
            part = coefficients[self._first[number] : self._first[number + 1]]
            cube = part.reshape(-1, self.third.size)[self._sides[int(a == b)]]
            for axis, spline in enumerate((self.side, self.side, self.third)):
                moved = np.moveaxis(cube, axis, 0).reshape(spline.size, -1)
                raised = np.stack([spline.raw_coefficients(column) for column in moved.T], axis=1)
                shape = np.moveaxis(cube, axis, 0).shape[1:]
                cube = np.moveaxis(raised.reshape(spline.raw, *shape), 0, axis)
            found[c, a, b] = cube
        return found

    def _triplets(
        self, block: Block, edges: Edges
    ) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Kind, and the two edges, of every pair of neighbours of every atom."""
        count = len(edges.centre)
        ends = np.searchsorted(edges.centre, edges.centre, side="right")
        later = ends - np.arange(count) - 1
        one = np.repeat(np.arange(count), later)
        start = np.repeat(np.cumsum(later) - later, later)
        other = one + 1 + np.arange(len(one)) - start
        number = block.numbers[edges.neighbour]
        turned = number[one] > number[other]
        one, other = np.where(turned, other, one), np.where(turned, one, other)
        return (
            self._number[block.numbers[edges.centre[one]], number[one], number[other]],
            one,
            other,
        )

    def _products(
        self, kind: Int[np.ndarray, " n"], lengths: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """Coefficients, values, and slopes along the three sides, of 64 products each."""
        ends = (self.cutoff, self.cutoff, 2 * self.cutoff)
        splines = (self.side, self.side, self.third)
        (i, f, df), (j, g, dg), (k, h, dh) = (
            spline.basis(length, FIRST_KNOT, end)
            for spline, length, end in zip(splines, lengths, ends, strict=True)
        )
        kinds = np.array(self.kinds)[kind]
        same = (kinds[:, 1] == kinds[:, 2]).astype(int)
        sides = self._sides[same[:, None, None], i[:, :, None], j[:, None, :]]
        columns = sides[..., None] * self.third.size + k[:, None, None, :]
        columns = columns.reshape(-1, 64) + self._first[kind][:, None]

        def product(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
            both = a[:, :, None] * b[:, None, :]
            return (both[..., None] * c[:, None, None, :]).reshape(-1, 64)

        return columns, product(f, g, h), [product(df, g, h), product(f, dg, h), product(f, g, dh)]
