"""Cubic splines on even knots, as functions that are linear in their coefficients.

Cubic B-splines by the recursion of Cox and de Boor (de Boor, A Practical Guide to Splines, 1978,
chapter X). Knots are even, and the first and the last of them stand four times, so that the first
and the last coefficient are the values at the ends. There a curve is

- *natural*: its second derivative is zero, and beyond the end it goes on as a straight line
- *zero*: it falls to zero with its first two derivatives, and stays there

Both are what other programs know: even knots with zero at the cutoff are LAMMPS' `pair_style uf3`,
and a natural curve is OpenMM's `Continuous1DFunction` through its values at the knots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

End = Literal["natural", "zero"]


@dataclass(frozen=True)
class Spline:
    """One family of curves: the same number of intervals, each curve with its own range.

    Attributes:
        intervals: between the knots.
        first, last: what the curves do at the two ends.
    """

    intervals: int
    first: End = "natural"
    last: End = "natural"

    @property
    def size(self) -> int:
        """Coefficients of one curve."""
        return self.raw - (1 if self.first == "natural" else 3) - (
            1 if self.last == "natural" else 3
        )  # fmt: skip

    @property
    def raw(self) -> int:
        """B-splines, before the conditions at the ends."""
        return self.intervals + 3

    def basis(
        self, x: Float[np.ndarray, " n"], start: np.ndarray | float, end: np.ndarray | float
    ) -> tuple[Int[np.ndarray, "n 4"], Float[np.ndarray, "n 4"], Float[np.ndarray, "n 4"]]:
        """The four functions that are not zero at each point.

        Args:
            x: points.
            start, end: of the curve that each point belongs to, or of all.

        Returns:
            Numbers of their coefficients, values, and first derivatives.
        """
        step = (np.asarray(end) - start) / self.intervals
        u = (x - start) / step
        inside = np.clip(u, 0.0, self.intervals)
        where = np.minimum(inside.astype(int), self.intervals - 1)
        values, slopes = self._functions(inside, where)
        values = values + (u - inside)[:, None] * slopes  # a straight line beyond the ends
        if self.last == "zero":
            beyond = u >= self.intervals
            values[beyond], slopes[beyond] = 0.0, 0.0
        if self.first == "zero":
            before = u <= 0
            values[before], slopes[before] = 0.0, 0.0
        columns = where[:, None] + np.arange(4)
        for functions in (values, slopes):
            self._fold(functions, where)
        columns, skipped = columns - self._skipped, self._dropped(where)
        values[skipped], slopes[skipped] = 0.0, 0.0
        return np.clip(columns, 0, self.size - 1), values, slopes / np.reshape(step, (-1, 1))

    def matrix(
        self, x: Float[np.ndarray, " n"], start: float, end: float, slope: bool = False
    ) -> Float[np.ndarray, "n size"]:
        """All functions of one curve at some points, or their first derivatives."""
        columns, values, slopes = self.basis(x, start, end)
        dense = np.zeros((len(x), self.size))
        np.add.at(dense, (np.arange(len(x))[:, None], columns), slopes if slope else values)
        return dense

    def raw_coefficients(self, given: Float[np.ndarray, " size"]) -> Float[np.ndarray, " raw"]:
        """Coefficients of all B-splines, from those that the ends leave free."""
        return self._expansion() @ given

    def knots(self, start: float, end: float) -> Float[np.ndarray, " knots"]:
        """All knots, those at the ends four times."""
        even = start + (end - start) * np.arange(self.intervals + 1) / self.intervals
        return np.concatenate([[start] * 3, even, [end] * 3])

    def roughness(self) -> Float[np.ndarray, "size size"]:
        """Quadratic form of the coefficients: the mean square of the second derivative over the
        knots, in units of the distance of knots."""
        t = np.clip(np.arange(self.raw + 4) - 3, 0, self.intervals)
        first = 3 * np.diff(np.eye(self.raw), axis=0) / (t[4:-1] - t[1:-4])[:, None]
        second = 2 * np.diff(first, axis=0) / (t[4:-2] - t[2:-4])[:, None]
        curved = second @ self._expansion()
        return curved.T @ curved / len(curved)

    @property
    def _skipped(self) -> int:
        """How many of the first B-splines have no coefficient of their own."""
        return 1 if self.first == "natural" else 3

    def _expansion(self) -> Float[np.ndarray, "raw size"]:
        full = np.zeros((self.raw, self.size))
        full[self._skipped : self._skipped + self.size] = np.eye(self.size)
        if self.first == "natural":
            full[0] = 1.5 * full[1] - 0.5 * full[2]
        if self.last == "natural":
            full[-1] = 1.5 * full[-2] - 0.5 * full[-3]
        return full

    def _fold(self, functions: Float[np.ndarray, "n 4"], where: Int[np.ndarray, " n"]) -> None:
        """Hand the outermost function of a natural end to its two neighbours."""
        if self.first == "natural":
            at = np.flatnonzero(where == 0)
            functions[at, 1] += 1.5 * functions[at, 0]
            functions[at, 2] -= 0.5 * functions[at, 0]
        if self.last == "natural":
            at = np.flatnonzero(where == self.intervals - 1)
            functions[at, 2] += 1.5 * functions[at, 3]
            functions[at, 1] -= 0.5 * functions[at, 3]

    def _dropped(self, where: Int[np.ndarray, " n"]) -> np.ndarray:
        """Which functions have no coefficient of their own."""
        number = where[:, None] + np.arange(4)
        return (number < self._skipped) | (number >= self._skipped + self.size)

    def _functions(
        self, u: Float[np.ndarray, " n"], where: Int[np.ndarray, " n"]
    ) -> tuple[Float[np.ndarray, "n 4"], Float[np.ndarray, "n 4"]]:
        """The four B-splines on an interval, and their derivatives, knots at whole numbers."""

        def knot(number: np.ndarray) -> np.ndarray:
            return np.clip(number, 0, self.intervals).astype(float)

        left = [u - knot(where + 1 - j) for j in range(4)]
        right = [knot(where + j) - u for j in range(4)]
        functions, quadratic = [np.ones_like(u)], []
        for degree in (1, 2, 3):
            saved, raised = np.zeros_like(u), []
            for r in range(degree):
                part = functions[r] / (right[r + 1] + left[degree - r])
                raised.append(saved + right[r + 1] * part)
                saved = left[degree - r] * part
            functions = [*raised, saved]
            quadratic = functions if degree == 2 else quadratic
        slopes = []
        for r in range(4):
            rise = quadratic[r - 1] / (knot(where + r) - knot(where + r - 3)) if r else 0.0
            fall = quadratic[r] / (knot(where + r + 1) - knot(where + r - 2)) if r < 3 else 0.0
            slopes.append(3 * (rise - fall))
        return np.stack(functions, axis=1), np.stack(slopes, axis=1)
