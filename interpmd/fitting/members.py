"""More weights than one matrix of normal equations holds: the channels of several fits in one.

Where their rows, or the matrix of these, fit into memory all weights of random channels are solved
together (`interpmd.fitting.schur`, `interpmd.fitting.joint`). Elsewhere each member, whose channels
are other random mixings, is refined and solved by itself, in the memory of one; members share the
radial network and the frames held out. Their mean

    E = 1/K sum_m sum_p w_mp B_mp

is an expansion of the same form, with the channels of all and each weight divided by K. Of members
whose errors have the size e and the correlation r, it errs by e sqrt((1 + (K - 1) r) / K) (means of
predictors: Breiman, Machine Learning 24, 123 (1996)).

Refined channels have two members unless it is said otherwise: as many weights as random channels
have, in two halves that err differently. Corrections of a baseline by few labels have four: the fit
takes seconds, and a call of the baseline itself longer than that of the correction.

Samples of a mean are those of all members, which are drawn independently, added and divided by
sqrt(K): were all members alike, their size would stay. One factor then makes the bars about the
mean hold 95 % of the errors of the frames held out, as of a single fit
(`interpmd.fitting.posterior`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms

from interpmd.fitting.channels import joined, member
from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.joint import Joint
from interpmd.fitting.judges import Judged
from interpmd.fitting.normal import GIB
from interpmd.fitting.posterior import factor_of
from interpmd.fitting.problem import Problem
from interpmd.fitting.progress import Watch
from interpmd.fitting.schur import Schur
from interpmd.fitting.solved import Solved
from interpmd.fitting.turns import FEW_WEIGHTS, MOST
from interpmd.potentials.expansion import ClusterExpansion

#: Arrays of a member that its checkpoint holds in any case.
KEPT = (
    *("mean", "scale", "ridge", "samples", "calibration", "least_rows", "tried", "sizes"),
    *("mixing", "history"),
)

#: Members of channels that are refined, and of a correction that few labels determine.
OF_REFINED, OF_CORRECTIONS = 2, 4


def usual_members(corrects: bool, frames: int, weights: int, halved: bool = False) -> int:
    """How many members a fit has if it is not said.

    Args:
        corrects: whether it corrects a baseline.
        frames: learned from. weights: of one member.
        halved: whether they are half as many as usual, for channels are refined.
    """
    if halved:
        return OF_REFINED
    few = frames <= MOST and weights <= FEW_WEIGHTS
    return OF_CORRECTIONS if corrects and few else 1


def solve_members(
    problem: Problem,
    members: int,
    frames: Sequence[Atoms],
    valid: Sequence[Atoms] | None = None,
    *,
    fraction: float = 0.0,
    ridge: float | None = None,
    out: str | Path | None = None,
    progress: bool = False,
    watch: Watch | None = None,
    keep: bool = False,
    rounds: int = 0,
) -> tuple[Problem, Solved, list[list[float]]]:
    """The problem of the joined expansion, its solution, and errors before each round of refinement
    in eV/Å, member by member; of one member it is the problem that is given.

    Args:
        problem: of the first member, which chooses the ridge strength of all.
        members: how many.
        frames, valid, fraction, ridge, out, progress, watch: see `Problem.solve`; a member that is
            solved stays beside `out` until the fit is done.
        keep: whether to give the normal equations too, where those of all members fit into memory
            and were not solved together.
        rounds: in which the channels of each member are refined.
    """
    size = 8.0 * members * len(problem.term.columns) ** 2
    keep = keep and size <= problem.settings.memory * GIB
    options = {"fraction": fraction, "progress": progress, "watch": watch, "out": out}

    def refined(own: Problem) -> list[float]:
        if not rounds:
            return []
        from interpmd.fitting.refinement import refine_mixing  # needs numba

        return refine_mixing(own, frames, valid, rounds, **options)

    def solution(own: Problem, strength: float | None) -> Solved:
        how = {"ridge": strength, "keep": keep, "refined": rounds > 0}
        return own.solve(frames, valid, **how, **options)

    if members == 1:
        histories = [refined(problem)] if rounds else []
        return problem, solution(problem, ridge), histories
    if not rounds:
        whole = replace(problem, term=joined([member(problem.term, k) for k in range(members)]))
        for together in (Schur, Joint):
            all_weights = together(whole, members, frames, valid, fraction)
            if all_weights.fits():
                found = all_weights.solve(ridge=ridge, out=out, progress=progress, watch=watch)
                return whole, found, []
    problems = [replace(problem, term=member(problem.term, k)) for k in range(members)]
    solved: list[Solved] = []
    histories = []
    for number, own in enumerate(problems):
        kept = None
        if out is not None:
            key = own.key([*frames, *(valid or ())])
            kept = Checkpoint(out, f"member{number}", f"{key} {fraction} {ridge} {rounds}")
        stored = kept.read(KEPT) if kept is not None else None
        if stored is not None:
            own.term.mixing.copy_(torch.from_numpy(stored["mixing"]))
            histories.append(stored["history"].tolist())
            solved.append(_restored(stored))
            continue
        histories.append(refined(own))
        solved.append(solution(own, solved[0].ridge if solved else ridge))
        if kept is not None:
            refinement = {"mixing": own.term.mixing.numpy(), "history": np.array(histories[-1])}
            kept.write(**_arrays(solved[-1]), **refinement)
    whole = replace(problem, term=_joined_terms(problems, solved))
    held = [_mean(each) for each in zip(*(s.held for s in solved), strict=True)]
    factor = factor_of(held) if held else 1.0
    term = whole.term
    samples = term.samples.flatten(0, 1)[term.columns].double().numpy()
    first = solved[0]
    first.scan.attrs["apart"] = True
    found = Solved(
        mean=term.readout.flatten().numpy()[term.columns],
        scale=np.ones(len(samples)),
        ridge=first.ridge,
        samples=factor * samples,
        held=[frame.wider(factor) for frame in held],
        calibration=factor * first.calibration,
        scan=first.scan,
        # of members that a checkpoint knew there are none
        sums=tuple(s for m in solved for s in m.sums) if all(m.sums for m in solved) else (),
    )
    return whole, found, histories if rounds else []


def _joined_terms(problems: Sequence[Problem], solved: Sequence[Solved]) -> ClusterExpansion:
    for own, each in zip(problems, solved, strict=True):
        own.set_readout(each)
        own.set_samples(each)
    return joined([own.term for own in problems])


def _mean(members: Sequence[Judged]) -> Judged:
    """Errors of the mean on one held-out frame, and its deviations."""
    count = len(members)
    return Judged(
        members[0].numbers,
        float(np.mean([m.energy for m in members])),
        np.sum([m.energy_draws for m in members], axis=0) / count**0.5,
        np.mean([m.forces for m in members], axis=0),
        np.sum([m.forces_draws for m in members], axis=0) / count**0.5,
    )


def _arrays(solved: Solved) -> dict[str, np.ndarray | float]:
    """What a checkpoint keeps of a member."""
    held, scan = solved.held, solved.scan
    arrays: dict[str, np.ndarray | float] = {
        "mean": solved.mean,
        "scale": solved.scale,
        "ridge": solved.ridge,
        "samples": solved.samples,
        "calibration": solved.calibration,
        "least_rows": scan.attrs["least_rows"],
        "tried": scan[["ridge", "validation_error"]].to_numpy(),
        "sizes": np.array([len(frame.numbers) for frame in held], dtype=int),
    }
    if held:
        arrays |= {
            "numbers": np.concatenate([frame.numbers for frame in held]),
            "energies": np.array([frame.energy for frame in held]),
            "energy_draws": np.array([frame.energy_draws for frame in held]),
            "forces": np.concatenate([frame.forces for frame in held]),
            "forces_draws": np.concatenate([frame.forces_draws for frame in held], axis=1),
        }
    return arrays


def _restored(stored: dict[str, np.ndarray]) -> Solved:
    ends, held = np.cumsum(stored["sizes"]), []
    for k, last in enumerate(ends):
        some = slice(last - stored["sizes"][k], last)
        held.append(
            Judged(
                stored["numbers"][some],
                float(stored["energies"][k]),
                stored["energy_draws"][k],
                stored["forces"][some],
                stored["forces_draws"][:, some],
            )
        )
    scan = pd.DataFrame(stored["tried"], columns=["ridge", "validation_error"])
    scan.attrs |= {name: float(stored[name]) for name in ("ridge", "least_rows")}
    return Solved(
        mean=stored["mean"],
        scale=stored["scale"],
        ridge=float(stored["ridge"]),
        samples=stored["samples"],
        held=held,
        calibration=float(stored["calibration"]),
        scan=scan,
    )
