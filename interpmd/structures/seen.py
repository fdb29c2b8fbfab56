"""Which distances between atoms occur in some structures, and how often."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.structures.bonding import longest_bond

#: Distances this close in Å count as the same.
WIDTH = 0.05


@dataclass(frozen=True)
class SeenDistances:
    """Distances of pairs of elements in some structures.

    Attributes:
        distances: Å, ascending, each pair of atoms once, by pair of atomic numbers.
        cutoff: Å; longer ones were not looked at.
    """

    distances: dict[tuple[int, int], Float[np.ndarray, " pairs"]]
    cutoff: float

    @classmethod
    def of(cls, frames: Iterable[Atoms], cutoff: float) -> SeenDistances:
        """Look at structures, periodic or not."""
        # here, because vesin loads torch, which processes that only label do without
        from vesin import ase_neighbor_list

        parts: dict[tuple[int, int], list[np.ndarray]] = {}
        for atoms in frames:
            first, second, distances = ase_neighbor_list("ijd", atoms, cutoff + WIDTH)
            ends = np.sort(np.column_stack([atoms.numbers[first], atoms.numbers[second]]), axis=1)
            for a, b in np.unique(ends, axis=0).tolist():
                # the list holds both directions
                between = np.sort(distances[(ends == (a, b)).all(1)])[::2]
                parts.setdefault((a, b), []).append(between)
        joined = {pair: np.sort(np.concatenate(many)) for pair, many in parts.items()}
        return cls(joined, cutoff)

    def between(self, first: int, second: int) -> Float[np.ndarray, " pairs"]:
        """Distances of two elements, by atomic number."""
        return self.distances.get((min(first, second), max(first, second)), np.zeros(0))

    def count(
        self, first: int, second: int, distances: Float[np.ndarray, " geometries"]
    ) -> Int[np.ndarray, " geometries"]:
        """How many pairs lie within `WIDTH` of each distance."""
        known = self.between(first, second)
        low, high = (np.searchsorted(known, distances + edge) for edge in (-WIDTH, WIDTH))
        return high - low

    def bonds(self) -> dict[tuple[int, int], int]:
        """How many bonds there are between each pair of elements, by atomic numbers, the most
        frequent first."""
        counts = {
            pair: int((known < longest_bond(*pair)).sum()) for pair, known in self.distances.items()
        }
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def to_json(self) -> dict[str, list[int]]:
        """How many distances lie in each interval of width `WIDTH` from 0 on, by pair ("1-8"), for
        the card of a potential."""
        edges = np.arange(0.0, self.cutoff + 2 * WIDTH, WIDTH)
        return {
            f"{a}-{b}": np.histogram(known, edges)[0].tolist()
            for (a, b), known in self.distances.items()
        }

    @classmethod
    def from_json(cls, counts: dict[str, list[int]], cutoff: float) -> SeenDistances:
        """The inverse of `to_json`, every distance in the middle of its interval."""
        distances = {}
        for pair, many in counts.items():
            a, b = map(int, pair.split("-"))
            distances[a, b] = np.repeat((np.arange(len(many)) + 0.5) * WIDTH, many)
        return cls(distances, cutoff)

    def rarest(
        self,
        numbers: Int[np.ndarray, "geometries 3"],
        sides: Float[np.ndarray, "geometries 3"],
    ) -> Int[np.ndarray, " geometries"]:
        """Count of the rarest side of each dimer and trimer; a trimer's within the cutoff.

        Args:
            numbers: atomic numbers, 0 in the third place of dimers.
            sides: distances in Å between atoms 0–1, 0–2 and 1–2; NaN where there is none.
        """
        most = np.iinfo(np.int64).max
        counts = np.full(sides.shape, most)
        for column, ends in enumerate(((0, 1), (0, 2), (1, 2))):
            pairs = numbers[:, ends]
            for a, b in np.unique(pairs, axis=0).tolist():
                chosen = (pairs == (a, b)).all(1) & ~np.isnan(sides[:, column])
                counts[chosen, column] = self.count(a, b, sides[chosen, column])
        counts[(sides > self.cutoff) & (numbers[:, 2:] != 0)] = most
        return counts.min(1)
