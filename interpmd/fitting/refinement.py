"""Refinement of the radial network, the read-out solved again after every round.

Variable projection (Golub and Pereyra, SIAM J. Numer. Anal. 10, 413 (1973)): at the best read-out
the derivative of the error by the network's weights is the partial one, so that gradient descent
with the read-out held fixed descends on the error that counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from torch import Tensor
from tqdm.auto import tqdm

from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.problem import Problem
from interpmd.fitting.progress import FitProgress, Watch
from interpmd.fitting.targets import Targets
from interpmd.structures.edges import environments, neighbours
from interpmd.structures.systems import Batch
from interpmd.structures.threads import one_thread

#: Frames that the refinement works on, learning rate, and ridge strength while it lasts.
MOST, RATE, RIDGE = 200, 2e-3, 1e-7


def refine_radial(
    problem: Problem,
    frames: Sequence[Atoms],
    rounds: int,
    progress: bool,
    watch: Watch | None = None,
    out: str | Path | None = None,
) -> list[float]:
    """Change the radial network of the problem's term to improve held-out forces.

    Args:
        problem: the linear problem; its term is changed in place.
        frames: training frames.
        rounds: number of rounds, each one pass over up to `MOST` frames.
        progress: whether to show a progress bar.
        watch: called after every round.
        out: output folder of the fit, beside which every round leaves a checkpoint.

    Returns:
        Root mean square error on held-out forces before and after each round in eV/Å; the best
        network is kept.
    """
    seed = problem.settings.seed
    order = np.random.default_rng(seed).permutation(len(frames))[:MOST]
    chosen = [frames[i] for i in order]
    judges, learners = chosen[: len(chosen) // 4], chosen[len(chosen) // 4 :]
    weights = list(problem.term.radial.parameters())
    optimiser = torch.optim.Adam(weights, lr=RATE)
    best, history = [w.detach().clone() for w in weights], []
    checkpoint = Checkpoint(out, "refinement", problem.key(chosen)) if out is not None else None
    needed = ["history", *(f"{name}{k}" for name in ("weight", "best") for k in range(len(best)))]
    if checkpoint is not None and (stored := checkpoint.read(needed)) is not None:
        best, history = _restore(stored, weights, optimiser)
    judge_targets, learner_targets = problem.targets(judges), problem.targets(learners)
    left = range(len(history), rounds + 1)
    for index in tqdm(left, desc="refine", unit="round", disable=not progress):
        problem.set_readout(problem.solve(learners, judges, ridge=RIDGE, samples=False))
        with one_thread():
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
                for i in np.random.default_rng([seed, index]).permutation(len(learners)):
                    optimiser.zero_grad()
                    _loss(problem, learners[i], learner_targets[i], graph=True).backward()
                    optimiser.step()
                for w in weights:
                    w.requires_grad_(False)
            if checkpoint is not None:
                checkpoint.write(**_state(weights, optimiser, best, history))
    with torch.no_grad():
        for w, value in zip(weights, best, strict=True):
            w.copy_(value)
    return history


def _state(
    weights: Sequence[Tensor],
    optimiser: torch.optim.Adam,
    best: Sequence[Tensor],
    history: Sequence[float],
) -> dict[str, np.ndarray]:
    """The refinement after a round, as arrays."""
    state = {"history": np.array(history)}
    for index, (w, b) in enumerate(zip(weights, best, strict=True)):
        state |= {f"weight{index}": w.detach().numpy(), f"best{index}": b.numpy()}
        for name, value in optimiser.state[w].items():
            state[f"{name}{index}"] = value.numpy()
    return state


def _restore(
    stored: Mapping[str, np.ndarray], weights: Sequence[Tensor], optimiser: torch.optim.Adam
) -> tuple[list[Tensor], list[float]]:
    """Fill weights and optimiser; the best weights so far, and the history."""
    best = []
    for index, w in enumerate(weights):
        best.append(torch.from_numpy(stored[f"best{index}"]))
        with torch.no_grad():
            w.copy_(torch.from_numpy(stored[f"weight{index}"]))
        for name in ("step", "exp_avg", "exp_avg_sq"):
            if f"{name}{index}" in stored:
                optimiser.state[w][name] = torch.from_numpy(stored[f"{name}{index}"])
    return best, stored["history"].tolist()


def _loss(problem: Problem, atoms: Atoms, target: Targets, graph: bool) -> Tensor:
    """Mean square error of the forces of one frame; zero where none is labelled."""
    batch = Batch.from_ase(atoms)
    pairs = neighbours(batch, problem.term.cutoff)
    positions = batch.positions.requires_grad_(True)
    energy = problem.term(environments(batch.with_positions(positions), pairs)).sum()
    (gradient,) = torch.autograd.grad(energy, positions, create_graph=graph)
    wrong = gradient + torch.as_tensor(target.forces)
    known = torch.isfinite(wrong)
    return torch.where(known, wrong, 0.0).pow(2).sum() / known.sum().clamp_min(1)
