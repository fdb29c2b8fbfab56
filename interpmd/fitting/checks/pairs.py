"""Energy differences of similar frames beside the work of their forces and stresses.

Between two frames i and j of the same atoms, along a straight line,

    E_j - E_i = -(F_i + F_j) . d / 2 + V (s_i : e_i + s_j : e_j) / 2

up to third derivatives of the energy: exactly in a harmonic potential, and needing no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from interpmd.fitting.checks.data import energies, forces, stresses

#: Neighbours of a frame that it is compared with, and the most frames of one group.
PARTNERS, MOST = 4, 200


@dataclass(frozen=True)
class Pairs:
    """Pairs of similar frames.

    Attributes:
        first, second: indices of frames, shape (pairs,).
        energy: difference, eV.
        force_work: work of the forces, eV. stress_work: of the stresses, not a number where one
            of the frames has none.
        strained: whether the cells differ.
        distance: root mean square displacement of the atoms, Å.
    """

    first: np.ndarray
    second: np.ndarray
    energy: np.ndarray
    force_work: np.ndarray
    stress_work: np.ndarray
    strained: np.ndarray
    distance: np.ndarray

    @property
    def independent(self) -> int:
        """Number of frames that have a partner."""
        return len(np.unique(np.concatenate([self.first, self.second])))


def similar(frames: Sequence[Atoms], seed: int = 0) -> Pairs:
    """Pairs of frames of the same atoms in the same order, each with its nearest ones."""
    groups: dict[tuple, list[int]] = {}
    for index, atoms in enumerate(frames):
        if len(atoms) > 1 or atoms.pbc.any():
            groups.setdefault((atoms.numbers.tobytes(), atoms.pbc.tobytes()), []).append(index)
    rng = np.random.default_rng(seed)
    rows: list[tuple] = []
    e, f, s = energies(frames), forces(frames), stresses(frames)
    for members in groups.values():
        if len(members) > MOST:
            members = sorted(rng.permutation(members)[:MOST].tolist())
        if len(members) > 1:
            rows += _of_group(frames, members, e, f, s)
    columns = list(zip(*rows, strict=True)) if rows else [[]] * 7
    first, second, energy, work, strain, strained, distance = (np.array(c) for c in columns)
    return Pairs(
        first.astype(int), second.astype(int), energy.astype(float), work.astype(float),
        strain.astype(float), strained.astype(bool), distance.astype(float),
    )  # fmt: skip


def _of_group(frames, members, e, f, s) -> list[tuple]:
    periodic = bool(frames[members[0]].pbc.any())
    shapes = _scaled(frames, members) if periodic else _turned(frames, members)
    flat = shapes.reshape(len(members), -1)
    square = (flat**2).sum(1)
    far = square[:, None] + square[None, :] - 2 * flat @ flat.T
    np.fill_diagonal(far, np.inf)
    if periodic:  # cells that differ are far from each other, too
        cells = np.array([frames[i].cell.array.ravel() for i in members])
        far += len(frames[members[0]]) * ((cells[:, None] - cells[None]) ** 2).sum(-1) / 9
    rows, done = [], set()
    for a in range(len(members)):
        for b in np.argsort(far[a])[:PARTNERS]:
            if a == b or (key := (min(a, b), max(a, b))) in done:
                continue
            done.add(key)
            i, j = members[key[0]], members[key[1]]
            make = _periodic if periodic else _molecular
            works = make(frames[i], frames[j], f[i], f[j], s[i], s[j])
            rows.append((i, j, e[j] - e[i], *works))
    return rows


def _scaled(frames, members) -> np.ndarray:
    """Positions in a common cell, images nearest to those of the first frame."""
    start = frames[members[0]].get_scaled_positions(wrap=False)
    pbc = frames[members[0]].pbc
    cell = np.mean([frames[i].cell.complete().array for i in members], axis=0)
    shapes = []
    for i in members:
        moved = _positions_in(frames[i]) - _positions_in(frames[members[0]])
        moved = np.where(pbc, moved - np.round(moved), moved)
        moved -= moved.mean(0)
        shapes.append((start + moved) @ cell)
    return np.array(shapes)


def _positions_in(atoms: Atoms) -> np.ndarray:
    """Positions in units of the cell vectors, completed where there are none."""
    return np.linalg.solve(atoms.cell.complete().array.T, atoms.positions.T).T


def _turned(frames, members) -> np.ndarray:
    """Centred positions, turned onto those of the first frame."""
    first = frames[members[0]].positions
    first = first - first.mean(0)
    return np.array([_onto(frames[i].positions, first)[0] for i in members])


def _onto(positions: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions centred and turned onto a centred target, and the turn (Kabsch 1976)."""
    centred = positions - positions.mean(0)
    left, _, right = np.linalg.svd(centred.T @ target)
    sign = np.sign(np.linalg.det(left @ right))
    turn = left @ np.diag([1, 1, sign]) @ right
    return centred @ turn, turn


def _molecular(a, b, fa, fb, sa, sb) -> tuple:
    target = a.positions - a.positions.mean(0)
    there, turn = _onto(b.positions, target)
    moved = there - target
    work = -0.5 * ((fa + fb @ turn) * moved).sum()
    return work, 0.0, False, np.sqrt((moved**2).sum(1).mean())


def _periodic(a, b, fa, fb, sa, sb) -> tuple:
    ha, hb = a.cell.complete().array, b.cell.complete().array
    moved = _positions_in(b) - _positions_in(a)
    moved = np.where(a.pbc, moved - np.round(moved), moved)
    moved -= moved.mean(0)
    work = -0.5 * ((fa * (moved @ ha)).sum() + (fb * (moved @ hb)).sum())
    change = hb - ha
    strained = bool(np.abs(change).max() > 1e-6)
    strain = 0.0
    if strained:
        strain = 0.5 * sum(
            abs(np.linalg.det(h)) * (stress * np.linalg.solve(h, change)).sum()
            for h, stress in ((ha, sa), (hb, sb))
        )
    distance = np.sqrt(((moved @ (0.5 * (ha + hb))) ** 2).sum(1).mean())
    return work, strain, strained, distance
