"""What every distilled term is: energies and forces that are linear in its coefficients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.structures.edges import edge_vectors, search_neighbours
from interpmd.structures.systems import Batch


@dataclass(frozen=True)
class Edges:
    """Ordered pairs of atoms within a cutoff, both directions, sorted by the first atom.

    Attributes:
        centre, neighbour: atoms of the block, shape (edges,).
        vectors: from centre to neighbour in Å, shape (edges, 3).
        lengths: Å, shape (edges,).
    """

    centre: Int[np.ndarray, " edges"]
    neighbour: Int[np.ndarray, " edges"]
    vectors: Float[np.ndarray, "edges 3"]
    lengths: Float[np.ndarray, " edges"]


@dataclass(frozen=True)
class Block:
    """Some frames side by side.

    Attributes:
        batch: the structures.
        numbers: atomic number of each atom.
        positions: Å, shape (atoms, 3).
        frame: frame that each atom belongs to.
        cells, pbc: of each frame, shapes (frames, 3, 3) and (frames, 3).
    """

    batch: Batch
    numbers: Int[np.ndarray, " atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    frame: Int[np.ndarray, " atoms"]
    cells: Float[np.ndarray, "frames 3 3"]
    pbc: np.ndarray

    @classmethod
    def of(cls, frames: Sequence[Atoms]) -> Block:
        """A block of structures.

        Raises:
            StructureError: see `Batch.from_ase`.
        """
        batch = Batch.from_ase(list(frames))
        return cls(
            batch,
            batch.numbers.numpy(),
            batch.positions.numpy(),
            batch.structure.numpy(),
            batch.cells.numpy(),
            batch.pbc.numpy(),
        )

    @property
    def n_frames(self) -> int:
        return len(self.cells)

    def edges(self, cutoff: float) -> Edges:
        """Neighbours within a cutoff in Å, periodic images included."""
        pairs = search_neighbours(self.batch, cutoff)
        vectors = edge_vectors(self.batch, pairs).numpy()
        lengths = np.sqrt((vectors**2).sum(1))
        return Edges(pairs.centre.numpy(), pairs.neighbour.numpy(), vectors, lengths)

    def per_frame(self) -> Float[np.ndarray, "frames atoms 3"]:
        """Positions where all frames have as many atoms."""
        return self.positions.reshape(self.n_frames, -1, 3)


@dataclass(frozen=True)
class Entries:
    """Derivatives of energies and of forces with respect to coefficients; entries add up.

    Attributes:
        frame, of_frame, energy: frame, coefficient, eV for a coefficient of one.
        row, of_row, force: three times the atom plus the component, coefficient, eV/Å.
    """

    frame: Int[np.ndarray, " n"]
    of_frame: Int[np.ndarray, " n"]
    energy: Float[np.ndarray, " n"]
    row: Int[np.ndarray, " m"]
    of_row: Int[np.ndarray, " m"]
    force: Float[np.ndarray, " m"]

    def forces_for(self, coefficients: np.ndarray, rows: int) -> Float[np.ndarray, " rows"]:
        """Forces in eV/Å."""
        return np.bincount(self.row, self.force * coefficients[self.of_row], rows)

    def energies_for(self, coefficients: np.ndarray, frames: int) -> Float[np.ndarray, " frames"]:
        """Energies in eV."""
        return np.bincount(self.frame, self.energy * coefficients[self.of_frame], frames)

    def design(self, rows: int, columns: int) -> Float[np.ndarray, "rows columns"]:
        """The matrix that makes forces of coefficients."""
        flat = np.bincount(self.row * columns + self.of_row, self.force, rows * columns)
        return flat.reshape(rows, columns)


@dataclass(frozen=True)
class CurveShape:
    """Where a curve stands among the coefficients, and how it is drawn.

    Attributes:
        label: "O–H", "angle C–O–H (2)".
        coordinate: what it depends on, with its unit.
        x: points over the range that the frames cover.
        matrix: energies in eV at these points, for coefficients of the term.
        count: how often the frames have such a value, shape (points,).
        names: of all coordinates that share the curve.
    """

    label: str
    coordinate: str
    x: Float[np.ndarray, " points"]
    matrix: Float[np.ndarray, "points size"]
    count: Int[np.ndarray, " points"]
    names: tuple[str, ...] = ()


class DistilTerm(ABC):
    """A sum of curves of one kind.

    Attributes:
        size: coefficients.
    """

    size: int

    @abstractmethod
    def entries(self, block: Block) -> Entries:
        """What energies and forces of some frames are for a coefficient of one."""

    @abstractmethod
    def penalty(self) -> Float[np.ndarray, "size size"] | Float[np.ndarray, " size"]:
        """Quadratic form of the coefficients that is small for likely curves; its diagonal where
        it has no other elements."""

    @abstractmethod
    def parts(self) -> Int[np.ndarray, " size"]:
        """Number of the curve, surface or product that each coefficient belongs to."""

    def check(self, atoms: Atoms) -> None:
        """Raise a StructureError where a structure does not have the term."""
        return None

    def shapes(self) -> list[CurveShape]:
        """Curves of one coordinate; none for terms of several."""
        return []


def joined(parts: Sequence[Entries], offsets: Sequence[int]) -> Entries:
    """Entries of several terms, whose coefficients stand one after the other."""

    def together(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    def moved(name: str) -> np.ndarray:
        pairs = zip(parts, offsets, strict=True)
        return np.concatenate([getattr(part, name) + offset for part, offset in pairs])

    return Entries(
        together("frame"),
        moved("of_frame"),
        together("energy"),
        together("row"),
        moved("of_row"),
        together("force"),
    )
