"""Refinement of the radial network, the read-out solved again after every round.

Variable projection (Golub and Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)): at the best read-out
the derivative of the error by the network's weights is the partial one, so that gradient descent
with the read-out held fixed descends on the error that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from ase import Atoms
from tqdm.auto import tqdm

from interpmd.fitting.normal import Targets
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.systems import Batch, environments, neighbours

if TYPE_CHECKING:
    from interpmd.fitting.problem import Problem

#: Frames that the refinement works on, learning rate, and ridge strength while it lasts.
MOST, RATE, RIDGE = 200, 2e-3, 1e-7


def refine_radial(
    problem: Problem,
    frames: Sequence[Atoms],
    rounds: int,
    progress: bool,
    watch: Watch | None = None,
) -> list[float]:
    """Change the radial network of the problem's term so that held-out forces improve.

    Args:
        problem: the linear problem; its term is changed in place.
        frames: training frames.
        rounds: number of rounds, each one pass over up to `MOST` frames.
        progress: whether to show a progress bar.
        watch: called after every round.

    Returns:
        Root mean square error on held-out forces before and after each round in eV/A; the best
        network is kept.
    """
    rng = np.random.default_rng(problem.seed)
    chosen = [frames[i] for i in rng.permutation(len(frames))[:MOST]]
    judges, learners = chosen[: len(chosen) // 4], chosen[len(chosen) // 4 :]
    weights = list(problem.term.radial.parameters())
    optimiser = torch.optim.Adam(weights, lr=RATE)
    best, history = [w.detach().clone() for w in weights], []
    judge_targets, learner_targets = problem.targets(judges), problem.targets(learners)
    threads = torch.get_num_threads()
    for index in tqdm(range(rounds + 1), desc="refine", unit="round", disable=not progress):
        solution, _ = problem.solve(list(learners), list(judges), 0.0, RIDGE, None, False)
        problem.set_readout(solution)
        torch.set_num_threads(1)
        pairs = zip(judges, judge_targets, strict=True)
        errors = [float(_loss(problem, a, t, graph=False)) for a, t in pairs]
        history.append(float(np.sqrt(np.mean(errors))))
        if watch is not None:
            watch(FitProgress("refinement", index, rounds, error=history[-1]))
        if history[-1] == min(history):
            best = [w.detach().clone() for w in weights]
        if index < rounds:
            for w in weights:
                w.requires_grad_(True)
            for i in rng.permutation(len(learners)):
                optimiser.zero_grad()
                _loss(problem, learners[i], learner_targets[i], graph=True).backward()
                optimiser.step()
            for w in weights:
                w.requires_grad_(False)
        torch.set_num_threads(threads)
    with torch.no_grad():
        for w, value in zip(weights, best, strict=True):
            w.copy_(value)
    return history


def _loss(problem: Problem, atoms: Atoms, target: Targets, graph: bool) -> torch.Tensor:
    """Mean square error of the forces of one frame."""
    batch = Batch.from_ase(atoms)
    pairs = neighbours(batch, problem.term.cutoff)
    positions = batch.positions.requires_grad_(True)
    energy = problem.term(environments(batch.with_positions(positions), pairs)).sum()
    (gradient,) = torch.autograd.grad(energy, positions, create_graph=graph)
    return (gradient + torch.as_tensor(target.forces)).pow(2).mean()
