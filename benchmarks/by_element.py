"""Channels by the number of bonds of an element, at equal numbers of weights.

python benchmarks/by_element.py [FOLDER]

One matrix of normal equations holds the weights of all; each division takes its columns, scaled to
the same number of them, and the ridge that suits equal channels. Test frames are evenly spaced
ones; each draw takes other training frames and random channels. FOLDER is that of
`acetylacetone.py`, which is left out without it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from results import ROOT, record

import interpmd as im
from interpmd.fitting.by_element import POWER, by_bonds
from interpmd.fitting.closed_form import unlearned
from interpmd.fitting.labels import is_isolated, isolated_energies
from interpmd.fitting.normal import NormalEquations, column_scales, weighted_rows
from interpmd.fitting.problem import Problem
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.strengths import RIDGES
from interpmd.structures.files import read_frames

#: Powers of the number of bonds that are compared; 0 gives equal channels.
POWERS = (0.0, 1.0, POWER, 2.0)

#: Shipped data: training frames, atoms of a frame if not all, and weights of the whole matrix.
SHIPPED = {
    "alanine_dipeptide": (500, 22, 14_000),
    "malonaldehyde": (400, None, 9_000),
    "water": (600, None, 6_000),
}

#: Test frames of each set, and draws.
TESTED, SEEDS = 120, (0, 1, 2)

GIB = 8.0


def every(frames: Sequence[Atoms], count: int) -> list[Atoms]:
    """So many frames, evenly spaced."""
    return [frames[k] for k in np.linspace(0, len(frames) - 1, count).round().astype(int)]


def compared(
    train: Sequence[Atoms], tests: Sequence[Sequence[Atoms]], weights: int, seed: int
) -> tuple[np.ndarray, list[int]]:
    """Force errors in meV/Å, shape (powers, tests), and the numbers of weights."""
    usual = "average" if not any(map(is_isolated, train)) else None
    isolated = isolated_energies(train, usual)
    frames = [a for a in train if not is_isolated(a)]
    spec = im.Spec(weights=weights)
    term = spec.expansion(isolated, seed=seed)
    problem = Problem(term, unlearned(isolated, {}), spec, FitSettings(memory=GIB))
    scale = column_scales(term, frames, seed=0)
    equations = NormalEquations(term, scale, GIB)
    equations.add(frames, problem.targets(frames))
    rows = [_force_rows(equations, problem, test) for test in tests]
    parts = by_bonds(frames)
    bonds = np.array([parts.get(chemical_symbols[z], 1.0) for z in term.elements]) ** (1 / POWER)
    total = float((bonds ** max(POWERS)).sum())
    found, ridge, counts = [], None, []
    for power in POWERS:
        own = bonds**power
        columns = _first(term, own * total / own.sum())
        part = equations.part(columns)
        errors = {}
        for strength in RIDGES if ridge is None else (ridge,):
            mean = part.solve(problem.prior(equations, strength)[columns]).mean
            errors[strength] = [
                1e3 * float(np.sqrt(np.mean((x[:, columns] @ mean - y) ** 2))) for x, y in rows
            ]
        ridge = min(errors, key=lambda strength: errors[strength][0])
        found.append(errors[ridge])
        counts.append(len(columns))
    return np.array(found), counts


def said(draws: Sequence[tuple[np.ndarray, list[int]]]) -> str:
    """Means over the draws, and their ranges."""
    errors, words = np.array([found for found, _ in draws]), []
    for power, of_power in zip(POWERS, errors.transpose(1, 2, 0), strict=True):
        each = [f"{e.mean():.1f} ({e.min():.1f} to {e.max():.1f})" for e in of_power]
        words.append(f"{'equal' if not power else f'power {power:g}'} {' / '.join(each)}")
    counts = [count for _, some in draws for count in some]
    return f"{'; '.join(words)} meV/Å; {min(counts):,} to {max(counts):,} weights"


def _first(term: im.potentials.ClusterExpansion, parts: np.ndarray) -> np.ndarray:
    """Columns of the first channels of each body order, by element."""
    places = []
    for s, part in enumerate(parts):
        start = s * term.n_features
        for channels, invariants in zip(term.channels, term.n_invariants, strict=True):
            count = min(channels, max(1, round(part * channels)))
            places.append(start + np.arange(count * invariants))
            start += channels * invariants
    return np.concatenate(places)


def _force_rows(
    equations: NormalEquations, problem: Problem, frames: Sequence[Atoms]
) -> tuple[np.ndarray, np.ndarray]:
    rows, values = [], []
    for atoms, target in zip(frames, problem.targets(frames), strict=True):
        x, y = weighted_rows(equations.term, atoms, target, equations.scale)
        rows.append(x[-3 * len(atoms) :])
        values.append(y[-3 * len(atoms) :])
    return np.concatenate(rows), np.concatenate(values)


def main(folder: Path | None) -> None:
    for name, (count, size, weights) in SHIPPED.items():
        train, test = (
            read_frames(ROOT / "data" / name / f"{part}.extxyz.gz") for part in ("train", "test")
        )
        many = [a for a in train if not is_isolated(a) and size in (None, len(a))]
        single, draws = [a for a in train if is_isolated(a)], []
        for seed in SEEDS:
            some = [many[k] for k in np.random.default_rng(seed).permutation(len(many))[:count]]
            draws.append(compared([*some, *single], [every(test, TESTED)], weights, seed))
        title = f"channels by element, {name.replace('_', ' ')}, {count} frames"
        record({title: said(draws)}, "python benchmarks/by_element.py")
    if folder is not None:
        train = read_frames(folder / "train_300K.xyz")
        tests = [
            every(read_frames(next(folder.glob(f"test*_{kelvin}K.xyz"))), TESTED // 2)
            for kelvin in (300, 600)
        ]
        draws = [compared(train, tests, 13_500, seed) for seed in SEEDS]
        title = "channels by element, acetylacetone, 500 frames, 300 / 600 K"
        record({title: said(draws)}, "python benchmarks/by_element.py FOLDER")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
