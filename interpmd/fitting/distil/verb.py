"""`distil`: what a model says when it must be short."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms

from interpmd import arguments
from interpmd.dynamics import Trajectory
from interpmd.errors import LabelError
from interpmd.fitting.checks.finding import settle
from interpmd.fitting.checks.sets import check_overlap
from interpmd.fitting.distil.base import Block
from interpmd.fitting.distil.build import built, chosen_terms, options_of
from interpmd.fitting.distil.equations import LinearModel, groups_of, solve, split
from interpmd.fitting.distil.result import Distilled
from interpmd.fitting.distil.teacher import name_of, taught
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.systems import check_structure
from interpmd.structures.threads import one_thread

#: Multiplications of the normal equations, and entries, that a fit may take: about 20 s each.
WORK, MOST_ENTRIES = 3e11, 1.2e8


def distil(
    model: Any,
    trajectory: Trajectory | Structures,
    terms: str | Sequence[str] | None = None,
    *,
    most: int = 1000,
    memory: float = 4.0,
    progress: bool = True,
    **resolution: Any,
) -> Distilled:
    """The best curves of pairs, triplets, bonds, angles, ... for the forces of any model.

    Each order is fitted together with those before it, in closed form, and what it adds to the
    share of the variance of the forces is shown on frames that the fit does not see. What is left
    over is what needs more atoms at a time, or other forms.

    Args:
        model: what is distilled: a potential, an ASE calculator, the name of a level of theory
            ("gfn2-xtb"), a `TorchModel`; None, or "labels", for the labels of the frames.
        trajectory: frames, or files of them (see `read_frames`).
        terms: in the order in which they are fitted, out of

            - "pairs": a curve of the distance for each pair of elements
            - "triplets": a surface of three distances for each three elements
            - "bonds", "angles", "torsions" (with out-of-plane motions): a curve for each kind of
              coordinate; those that a permutation of equal atoms turns into each other share one
            - "nonbonded": pair curves of atoms with at least three bonds between them
            - "cross": products of neighbouring coordinates

            "simple" is the first two and "valence" the others; of one molecule that is what None
            means, of all else "simple".
        most: frames that are used, evenly taken; fewer where a minute would not suffice.
        memory: limit in GiB.
        progress: whether to show a bar while the model is evaluated.
        resolution: `cutoff` (6 Å), `triplet_cutoff` (3.5 Å, of the sides at the centre), `spacing`
            and `triplet_spacing` of knots (0.25 and 0.5 Å), `intervals` of curves of bonds and
            angles (10).

    Returns:
        Shares, curves with bands, and what runs them elsewhere: `calculator()`, `write_uf3()` for
        LAMMPS, `to_openmm()`.

    Raises:
        ArgumentError: unknown terms or options, or values that make no sense.
        StructureError: structures that cannot be used, or that do not have such terms.
        LabelError: no frames; labels are asked for, and a frame has none.
        MemoryLimitError: there are more coefficients than `memory` allows.
        SingularError: the equations have no solution.
        ModelError, UnknownLevelError, CalculationError: the model cannot be evaluated.

    Warns:
        LabelWarning: frames of the test are copies of those of the fit, so that the shares are not
            of new frames.
    """
    arguments.count(1, most=most)
    arguments.positive(memory=memory)
    fineness = options_of(resolution)
    model = None if isinstance(model, str) and model == "labels" else model
    frames = read_frames(trajectory)
    frames = [a for a in frames if len(a) > 1 or a.pbc.any()]
    if not frames:
        raise LabelError("there are no frames with more than one atom to distil from")
    for number, atoms in enumerate(frames):
        check_structure(atoms, f"frame {number}")
    names = chosen_terms(terms, frames)
    with one_thread():
        began = time.perf_counter()
        lean = built(names, frames, fineness, memory)
        frames = [frames[k] for k in _affordable(lean, frames, most)]
        _check_test(frames)
        prepared = time.perf_counter() - began
        energies, forces = taught(model, frames, progress)
        began = time.perf_counter()
        solution = solve(lean, frames, forces)
        offset = _offset(lean, solution.stages[-1].coefficients, frames, energies)
        seconds = prepared + time.perf_counter() - began
    return Distilled(
        teacher=name_of(model),
        model=lean,
        solution=solution,
        offset=offset,
        frames=len(frames),
        seconds=seconds,
        resolution=fineness,
        example=frames[0].copy(),
    )


def _affordable(model: LinearModel, frames: Sequence[Atoms], most: int) -> list[int]:
    """Frames evenly taken, as many as a minute allows."""
    middle = frames[len(frames) // 2]
    entries = len(model.entries(Block.of([middle])).row)
    rows = 3 * float(np.mean([len(a) for a in frames]))
    by_work = WORK / (rows * model.size**2)
    count = int(max(5, min(most, by_work, MOST_ENTRIES / max(entries, 1))))
    return np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int)).tolist()


def _check_test(frames: Sequence[Atoms]) -> None:
    """Warn of frames of the test that the fit sees as well."""
    groups = groups_of(len(frames))
    fitted, choice, judges = (
        [frames[k] for g in part for k in groups[g]] for part in split(groups)
    )
    settle(check_overlap([*fitted, *choice], {"test": judges}, "copies of those of the fit"), 4)


def _offset(
    model: LinearModel, coefficients: np.ndarray, frames: Sequence[Atoms], energies: np.ndarray
) -> dict[int, float]:
    """Energy of each element in eV that makes up for what forces do not tell."""
    numbers = sorted({int(z) for a in frames for z in a.numbers})
    counts = np.array([[(a.numbers == z).sum() for z in numbers] for a in frames], dtype=float)
    known = np.isfinite(energies)
    if not known.any():
        return dict.fromkeys(numbers, 0.0)
    padded = model.padded(coefficients)
    own = [
        float(model.entries(Block.of([a])).energies_for(padded, 1)[0])
        for a, k in zip(frames, known, strict=True)
        if k
    ]
    solved = np.linalg.lstsq(counts[known], energies[known] - np.array(own), rcond=None)[0]
    return dict(zip(numbers, solved.tolist(), strict=True))
