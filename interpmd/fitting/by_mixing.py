"""Weighted labels of some frames as functions of the read-out and of the mixing.

J is the derivative of the weighted energies and forces by the mixing W. It is never made: J dW is
a difference of energies and forces at two mixings, and J^T u one of dE/dW at two sets of positions,
for the forces are slopes of the energy (`interpmd.potentials.fast.mixing`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interpmd.fitting.motions import turned
from interpmd.fitting.normal import weighted_rows, weighted_values
from interpmd.fitting.targets import Targets
from interpmd.fitting.threads import one_thread_each
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.mixing import MixingSlopes
from interpmd.potentials.fast.neighbours import Edges, Sites, given_edges
from interpmd.structures.edges import neighbours
from interpmd.structures.systems import Batch

#: Å by which atoms are moved, and relative change of the mixing, to both sides and to one, for
#: differences.
PUSH, STEP, ONE_SIDED = 1e-3, 1e-4, 1e-6

#: Atoms of the frames that a thread takes at once.
ATOMS = 200

Mixing = Float[np.ndarray, "degrees inputs channels"]
Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some frames.

    Attributes:
        frames: their numbers. rows: where their labels stand.
        edges: who is near whom, a little beyond the cutoff. numbers: of atoms.
        structure: of each atom.
    """

    frames: range
    rows: slice
    edges: Edges
    numbers: Int[np.ndarray, " atoms"]
    structure: Int[np.ndarray, " atoms"]

    @property
    def sites(self) -> Sites:
        return self.edges.sites(self.numbers)

    def ordered(self, energies: np.ndarray, forces: np.ndarray) -> Float[np.ndarray, " rows"]:
        """Numbers of structures and of atoms, frame after frame."""
        parts, atom = [], 0
        for k, size in enumerate(np.bincount(self.structure).tolist()):
            parts += [energies[k : k + 1], forces[atom : atom + size].ravel()]
            atom += size
        return np.concatenate(parts)

    def apart(self, rows: Float[np.ndarray, " rows"]) -> tuple[np.ndarray, np.ndarray]:
        """The reverse of `ordered`."""
        sizes = 1 + 3 * np.bincount(self.structure)
        energies = np.cumsum(sizes) - sizes
        return rows[energies], np.delete(rows, energies).reshape(-1, 3)


class ByMixing:
    """Energies and forces of some frames, weighted; what is not labelled counts nothing.

    Args:
        term: of which the cutoff is taken.
        frames: labelled.
        targets: what is left of their labels for the term.

    Attributes:
        values: targets of rows, energy and forces frame after frame, shape (rows,).
        weights: of these rows.
    """

    def __init__(
        self, term: ClusterExpansion, frames: Sequence[Atoms], targets: Sequence[Targets]
    ) -> None:
        self.frames, self.cutoff = frames, term.cutoff
        self.targets = [replace(target, stress=None) for target in targets]
        self._ends = np.cumsum([0, *(1 + 3 * len(atoms) for atoms in frames)])
        self.weights, self.values = np.zeros(self._ends[-1]), np.zeros(self._ends[-1])
        for atoms, target, start in zip(frames, self.targets, self._ends[:-1], strict=True):
            values = weighted_values(atoms, target)
            known = np.flatnonzero(np.isfinite(values))
            weights = np.full(len(values), target.force_weight)
            weights[0] = target.energy_weight
            self.values[start + known], self.weights[start + known] = values[known], weights[known]

    @cached_property
    def _forces(self) -> Bool[np.ndarray, " rows"]:
        """Which rows are labelled forces."""
        known = self.weights > 0
        known[self._ends[:-1]] = False
        return known

    @property
    def count(self) -> int:
        """How many labels there are."""
        return int((self.weights > 0).sum())

    @cached_property
    def pieces(self) -> list[_Piece]:
        """The frames, some at a time."""
        found, first = [], 0
        sizes = np.cumsum([len(atoms) for atoms in self.frames])
        while first < len(self.frames):
            before = sizes[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(sizes, before + ATOMS, "right")))
            batch = Batch.from_ase(self.frames[first:last])
            edges = given_edges(batch, neighbours(batch, self.cutoff + 4 * PUSH))
            rows = slice(self._ends[first], self._ends[last])
            own = batch.numbers.numpy(), batch.structure.numpy()
            found.append(_Piece(range(first, last), rows, edges, *own))
            first = last
        return found

    @cached_property
    def _turns(self) -> list[Float[np.ndarray, "directions components"] | None]:
        """What turns the forces of each frame to directions free of rigid motions."""
        of = zip(self.frames, self.targets, self._ends[:-1], self._ends[1:], strict=True)
        found = []
        for atoms, target, start, stop in of:
            whole = (self.weights[start + 1 : stop] > 0).all()
            found.append(turned(atoms, target.forces) if whole else None)
        return found

    @cached_property
    def _fewer_ends(self) -> np.ndarray:
        sizes = np.diff(self._ends)
        for k, turn in enumerate(self._turns):
            if turn is not None:
                sizes[k] = 1 + len(turn)
        return np.cumsum([0, *sizes])

    def fewer(self, rows: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " fewer"]:
        """Numbers for rows without what a free molecule cannot do: push or turn itself."""
        found = np.zeros(self._fewer_ends[-1])
        for k, turn in enumerate(self._turns):
            own = rows[self._ends[k] : self._ends[k + 1]]
            self._turn(turn, own, found[self._fewer_ends[k] : self._fewer_ends[k + 1]])
        return found

    @staticmethod
    def _turn(turn: np.ndarray | None, rows: np.ndarray, into: np.ndarray) -> None:
        if turn is None:
            into[...] = rows
        else:
            into[0], into[1:] = rows[0], turn @ rows[1:]

    def whole(self, fewer: Float[np.ndarray, " fewer"]) -> Float[np.ndarray, " rows"]:
        """The reverse of `fewer`, for what neither pushes nor turns a free molecule."""
        found = np.zeros(len(self.values))
        for k, turn in enumerate(self._turns):
            own = fewer[self._fewer_ends[k] : self._fewer_ends[k + 1]]
            into = found[self._ends[k] : self._ends[k + 1]]
            if turn is None:
                into[...] = own
            else:
                into[0], into[1:] = own[0], own[1:] @ turn
        return found

    def design(
        self, term: ClusterExpansion, scale: Float[np.ndarray, " weights"]
    ) -> Float[np.ndarray, "fewer weights"]:
        """X: weighted rows without rigid motions, columns divided by a scale."""
        found = np.zeros((self._fewer_ends[-1], len(scale)))

        def make(frame: int) -> None:
            start, atoms, target = self._ends[frame], self.frames[frame], self.targets[frame]
            made, _ = weighted_rows(term, atoms, target, scale)
            rows = np.zeros((self._ends[frame + 1] - start, len(scale)))
            known = np.isfinite(weighted_values(atoms, target))
            rows[: len(known)][known] = made
            place = slice(self._fewer_ends[frame], self._fewer_ends[frame + 1])
            self._turn(self._turns[frame], rows, found[place])

        make(0)  # what threads share is made
        side_by_side(make, range(1, len(self.frames)))
        return found

    def predicted(self, slopes: MixingSlopes, mixing: Mixing) -> Float[np.ndarray, " rows"]:
        """Weighted energies and forces with some mixing."""

        other, species = slopes.with_mixing(mixing), slopes.tables.recipe.species

        def of(piece: _Piece) -> np.ndarray:
            sites, count = piece.sites, len(piece.frames)
            energies, by_edge = (
                np.zeros((1, len(sites.centre))),
                np.zeros((1, len(sites.vectors), 3)),
            )
            around = species[sites.centre], species[sites.other]
            other.add_many(sites, *around, energies, by_edge)
            total = np.bincount(piece.structure, energies[0], count)
            return piece.ordered(total, piece.edges.forces(piece.structure, by_edge[0], count)[0])

        return self.weights * np.concatenate(side_by_side(of, self.pieces))

    def force_error(self, slopes: MixingSlopes) -> float:
        """Root mean square error of the forces in eV/Å, those of frames that count more more."""
        missed = self.predicted(slopes, slopes.mixing) - self.values
        known = self._forces
        total = np.square(self.weights[known]).sum()
        return float(np.sqrt(np.square(missed[known]).sum() / max(total, 1e-300)))

    def edges(
        self, term: ClusterExpansion
    ) -> tuple[Float[Tensor, " edges"], Int[Tensor, " edges"]]:
        """Distances within the cutoff in Å, and which of the elements is there, in random order."""
        vectors = np.concatenate([piece.edges.vectors for piece in self.pieces])
        others = np.concatenate([piece.sites.other for piece in self.pieces])
        order = np.random.default_rng(0).permutation(len(vectors))
        distances = np.linalg.norm(vectors[order], axis=1)
        near = distances < self.cutoff
        species = term.species[torch.from_numpy(others[order][near])]
        return torch.from_numpy(distances[near]), species

    def forward(
        self,
        slopes: MixingSlopes,
        mixing: Mixing,
        change: Mixing,
        here: Float[np.ndarray, " rows"] | None = None,
    ) -> Float[np.ndarray, " rows"]:
        """J times a change of the mixing.

        Args:
            slopes, mixing, change: of the term, W and dW.
            here: what is predicted with W, where it is known: half as dear, and less exact.
        """
        size = np.linalg.norm(change)
        if not size:
            return np.zeros(len(self.values))
        if here is not None:
            step = ONE_SIDED * np.linalg.norm(mixing) / size
            return (self.predicted(slopes, mixing + step * change) - here) / step
        step = STEP * np.linalg.norm(mixing) / size
        more, less = (self.predicted(slopes, mixing + s * step * change) for s in (1, -1))
        return (more - less) / (2 * step)

    def back(self, slopes: MixingSlopes, rows: Float[np.ndarray, " rows"]) -> Mixing:
        """J^T times a number for each row."""
        weighted = self.weights * rows

        def of(piece: _Piece) -> Mixing:
            energies, forces = piece.apart(weighted[piece.rows])
            largest = np.zeros(len(piece.frames))
            np.maximum.at(largest, piece.structure, np.abs(forces).max(1))
            step = PUSH / np.where(largest > 0, largest, 1.0)
            moved = -step[piece.structure, None] * forces
            first = piece.edges.first
            centre = np.repeat(np.arange(len(moved)), np.diff(first))
            shift = moved[piece.edges.neighbour] - moved[centre]
            found = np.zeros(slopes.mixing.shape)
            for sign in (1, -1):
                pushed = replace(piece.edges, vectors=piece.edges.vectors + sign * shift)
                factors = sign / (2 * step) + energies / 2
                sites = pushed.sites(piece.numbers)
                found = found + slopes.by_mixing(sites, factors[piece.structure])
            return found

        return np.sum(side_by_side(of, self.pieces), axis=0)


def side_by_side(make: Callable[[object], Made], what: Sequence) -> list[Made]:
    """Results of a function, made by as many threads as torch has."""
    with one_thread_each(), ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(make, what))
