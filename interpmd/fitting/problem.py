"""The linear problem of a fit: rows, prior, posterior, and the choice of the ridge strength."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd.errors import SingularError
from interpmd.fitting import labels
from interpmd.fitting.apart import calibrate_apart
from interpmd.fitting.channels import first_channels
from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.device import equations_on
from interpmd.fitting.grade import calibrate_grade, spread_of
from interpmd.fitting.judges import Judged, Judges
from interpmd.fitting.kept import Sums, sums_before
from interpmd.fitting.least_rows import WEIGHTS, of_atoms, penalise
from interpmd.fitting.left_out import LeftOut
from interpmd.fitting.normal import STATE, NormalEquations, column_scales
from interpmd.fitting.posterior import MOST_FRAMES, calibrated, misfit_samples
from interpmd.fitting.progress import PARTS, FitProgress, Watch
from interpmd.fitting.report import Evaluation
from interpmd.fitting.settings import FitSettings
from interpmd.fitting.solution import Solution
from interpmd.fitting.solved import Solved
from interpmd.fitting.spec import Spec
from interpmd.fitting.strengths import (
    FIRST_RIDGE,
    OF_REFINED,
    RIDGES,
    TOLERANCE,
    first_of_the_good,
    scanned,
)
from interpmd.fitting.targets import Targets
from interpmd.fitting.turns import (
    Turn,
    error_of,
    evaluation_of,
    held_out,
    in_turns,
    judged,
    parts_of,
    turns_of,
)
from interpmd.fitting.zeros import Zero, free_zeros, with_zeros
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fingerprint import fingerprint
from interpmd.potentials.potential import Potential

#: Up to so many weights the ridge strength is chosen with all of them.
FEW_WEIGHTS = 6_000


@dataclass(frozen=True, eq=False)
class Problem:
    """The linear problem of one fit.

    Attributes:
        term: the expansion whose read-out is to be fitted.
        base: what is not learned; its energies and forces are taken from the labels.
        spec: the prior and the number of posterior samples.
        settings: how much each label counts, memory and seed.
    """

    term: ClusterExpansion
    base: Potential
    spec: Spec
    settings: FitSettings

    def targets(self, frames: Sequence[Atoms]) -> list[Targets]:
        """What the expansion has to reproduce, frame by frame."""
        return [self._target(atoms) for atoms in frames]

    def _target(self, atoms: Atoms) -> Targets:
        with_stress = labels.has_stress(atoms)
        known = self.base.predict_unwatched(atoms, stress=with_stress)
        factor = self.settings.factor(atoms)
        return Targets(
            energy=labels.energy_of(atoms) - float(known.energy),
            forces=labels.forces([atoms]) - known.forces.numpy(),
            stress=None
            if known.stress is None
            else labels.stress_of(atoms) - known.stress[0].numpy(),
            energy_weight=factor * self.settings.energy_weight / len(atoms) ** 0.5,
            force_weight=factor,
            virial_weight=factor * self.settings.virial_weight,
            soft_weight=self.settings.soft_weight,
        )

    def prior(
        self, equations: NormalEquations, ridge: float, more: int = 0
    ) -> Float[np.ndarray, " weights"]:
        """Diagonal precision of the prior of scaled columns, for the rows of equations and some
        more."""
        return ridge * (equations.rows + more) * self.prices(equations.scale)

    def prices(self, scale: Float[np.ndarray, " weights"]) -> Float[np.ndarray, " weights"]:
        """Precision of the prior of columns that are divided by a scale, but for its strength.

        It is inversely proportional to the force of a feature, relative to others of its order:
        dividing the columns by their forces has made rough features too dear already.
        """
        order = self.term.feature_order[self.term.columns % self.term.n_features]
        prices = self.spec.parsimony ** (order - 2.0)
        for each in np.unique(order):
            mine = order == each
            prices[mine] *= np.median(scale[mine]) / scale[mine]
        return prices

    def solve(
        self,
        frames: Sequence[Atoms],
        valid: Sequence[Atoms] | None = None,
        *,
        fraction: float = 0.0,
        ridge: float | None = None,
        out: str | Path | None = None,
        progress: bool = False,
        watch: Watch | None = None,
        samples: bool = True,
        keep: bool = False,
        refined: bool = False,
    ) -> Solved:
        """Posterior at the ridge strength that validates best.

        Args:
            frames: training frames.
            valid: frames that choose the ridge strength.
            fraction: of `frames`, held out for that where `valid` is None; they join the
                solution once it is chosen.
            ridge: the strength, where it is not to be chosen.
            out: output folder of the fit, beside which checkpoints are written.
            progress: whether to show progress bars.
            watch: called at every step.
            samples: whether error bars are wanted too.
            keep: whether to give the normal equations too, where a CPU has made them.
            refined: whether channels have been refined, all together and by frames that are not
                held out: few frames do not judge in turns then, nor half of the channels.
        """
        seed = self.settings.seed
        scale = column_scales(self.term, frames, seed)
        equations = equations_on(self.settings.device, self.term, scale, self.settings.memory)
        own = self.settings.mean_weight is not None
        rare = refined or own or bool(self.spec.least_rows) or of_atoms(frames)
        few = valid is None and fraction > 0 and not rare and in_turns(equations, len(frames))
        parts = parts_of(len(frames), seed) if few else [held_out(frames, valid, fraction, seed)]
        # shuffled, so that the first frames are a fair sample of all
        shuffled = np.random.default_rng(seed).permutation(len(frames))

        def others(held: np.ndarray) -> list[Atoms]:
            return [frames[i] for i in shuffled[~np.isin(shuffled, held)]]

        learned = others(parts[0])
        checkpoint = Checkpoint(out, "frames", self.key(learned)) if out is not None else None
        judging = [frames[i] for i in parts[0]] if valid is None else valid
        judges = Judges(equations.term, scale, judging, self.targets(judging), own)
        self._accumulate(equations, learned, judges, checkpoint, progress, watch)
        zeros = self._free_zeros(equations, learned)
        judged_by = [Turn(equations, judges)]
        if few:
            judged_by = turns_of(judged_by[0], frames, self.targets(frames), parts)
        scan, solution = self._scan(judged_by, ridge, refined, progress, watch)
        best = first_of_the_good(scan)
        scan.attrs |= {"ridge": float(best.ridge), "least_rows": 0.0}
        drawn: tuple = (np.zeros((len(scale), 0)), [], 1.0)
        if few:
            del judged_by  # their matrices
            solution = equations.solve(self.prior(equations, best.ridge))
            if samples:
                everything = others(np.zeros(0))
                some = everything[: judged(everything)]
                left_out = LeftOut.of(equations.term, scale, some, self.targets(some))
                count, seed = self.spec.samples, self.term.seed
                drawn = left_out.calibrated(solution, count, seed, progress)
            sums = (Sums(equations, parts[0][:0], solution),) if keep else ()
            return Solved(solution.mean, scale, float(best.ridge), *drawn, scan, sums)
        scan.attrs["least_rows"] = self._choose_least_rows(equations, learned, judges, best)
        if equations.penalty is not None:
            solution = None  # made without it
        with tqdm(total=2, desc="solution", unit="step", disable=not progress) as bar:
            if samples:
                if solution is None:
                    solution = equations.solve(self.prior(equations, best.ridge))
                drawn = self._samples(equations, learned, judges, solution, zeros)
            bar.update()
            seen = equations.rows
            if valid is None and judges:
                prior = self.prior(equations, best.ridge, len(judges.values))
                mean = equations.mean_with(judges.to_learn(), prior, solution)
            else:
                mean = (solution or equations.solve(self.prior(equations, best.ridge))).mean
            bar.update()
        sums = sums_before(equations, seen, parts[0], judges.to_learn()) if keep and not own else ()
        return Solved(mean, scale, float(best.ridge), *drawn, scan, sums)

    def _choose_least_rows(
        self,
        equations: NormalEquations,
        frames: Sequence[Atoms],
        judges: Judges,
        best: pd.Series,
    ) -> float:
        """Weight of the penalty on row forces, which the equations take."""
        wanted = self.spec.least_rows
        if wanted == 0 or (wanted is None and not (judges and of_atoms(frames))):
            return 0.0
        penalise(equations, frames, self.settings.seed)
        prior = self.prior(equations, best.ridge)
        without = equations.solve(prior).mean if wanted is None else None
        for weight in WEIGHTS if wanted is None else (wanted,):
            equations.penalty_weight = weight
            if without is None or judges.worse(equations.solve(prior).mean, without) <= TOLERANCE:
                return weight
        equations.penalty_weight = 0.0
        return 0.0

    def _free_zeros(self, equations: NormalEquations, learned: Sequence[Atoms]) -> dict[str, Zero]:
        """Take mean energies of molecules out of the equations, where they have their own zero."""
        weight = self.settings.mean_weight
        if weight is None:
            return {}
        return free_zeros(equations, self.term, learned, self.targets(learned), weight)

    def _samples(
        self,
        equations: NormalEquations,
        learned: Sequence[Atoms],
        judges: Judges,
        solution: Solution,
        zeros: dict[str, Zero],
    ) -> tuple[Float[np.ndarray, "weights samples"], list[Judged], float]:
        """Samples of the read-out, calibrated on frames that the equations have not seen."""
        kinds = self._kinds(equations, learned, solution, zeros)
        samples, size = calibrated(kinds, solution.mean, judges)
        held = list(judges.judged(solution.mean, samples)) if judges else []
        return samples, held, size

    def _kinds(
        self,
        equations: NormalEquations,
        learned: Sequence[Atoms],
        solution: Solution,
        zeros: dict[str, Zero] | None = None,
    ) -> tuple[Float[np.ndarray, "weights samples"], Float[np.ndarray, "weights samples"]]:
        """Samples of the posterior, and of the misfits of some frames in random order."""
        count, seed, some = self.spec.samples, self.term.seed, learned[:MOST_FRAMES]
        targets, mean_weight = self.targets(some), self.settings.mean_weight
        if mean_weight is not None:
            targets = with_zeros(some, targets, zeros or {}, solution.mean, mean_weight)
        misfits = misfit_samples(
            equations.term, some, targets, equations.scale, solution, count, seed
        )
        return solution.samples(count, seed), misfits

    def _accumulate(
        self,
        equations: NormalEquations,
        frames: Sequence[Atoms],
        judges: Judges,
        checkpoint: Checkpoint | None,
        progress: bool,
        watch: Watch | None,
    ) -> None:
        done, total = 0, len(frames)
        if checkpoint is not None and (stored := checkpoint.read(STATE)) is not None:
            done = equations.restore(stored)
        stops = [int(total * part) for part in PARTS] if watch is not None else [total]
        targets = self.targets(frames[done:])
        with tqdm(
            total=total, initial=done, desc="frames", unit="frame", disable=not progress
        ) as bar:

            def advance(count: int) -> None:
                nonlocal done
                done += count
                bar.update(count)
                if checkpoint is not None and checkpoint.due:
                    checkpoint.write(**equations.state(done))
                if watch is not None and done not in stops:
                    watch(FitProgress("frames", done, total))

            start = done
            try:
                for stop in sorted(s for s in set(stops) if s > start):
                    some = slice(done - start, stop - start)
                    equations.add(frames[start:][some], targets[some], advance)
                    if watch is not None:
                        watch(FitProgress("frames", done, total, **self._seen(equations, judges)))
            except KeyboardInterrupt:
                if checkpoint is not None:
                    checkpoint.write(**equations.state(done))
                raise

    def _seen(self, equations: NormalEquations, judges: Judges) -> dict[str, Any]:
        """How good the fit to the frames so far is."""
        if not judges:
            return {}
        try:
            mean = equations.solve(self.prior(equations, FIRST_RIDGE)).mean
        except SingularError:
            return {}
        return {
            "value": FIRST_RIDGE,
            "error": judges.error(mean),
            "evaluation": judges.evaluation(mean),
        }

    def _scan(
        self,
        turns: Sequence[Turn],
        ridge: float | None,
        refined: bool,
        progress: bool,
        watch: Watch | None,
    ) -> tuple[pd.DataFrame, Solution | None]:
        """Ridge strengths from strong to weak, until validation stops improving.

        Refined channels go upwards. Many others are judged by half of them, which want the same
        strength. With one that is given its solution comes too.
        """
        solution = None
        judges, size = turns[0].judges, len(turns[0].equations.scale)
        half = size > FEW_WEIGHTS / len(turns) and ridge is None and not refined
        columns = first_channels(self.term, 0.5 if half else 1.0)
        some = [t.equations.part(columns) if half else t.equations for t in turns]

        def judge(strength: float) -> tuple[float, Evaluation | None]:
            nonlocal solution
            means = np.zeros((len(turns), size))
            for mean, turn, part in zip(means, turns, some, strict=True):
                found = part.solve(self.prior(turn.equations, strength)[columns])
                mean[columns] = found.mean
                solution = found if ridge is not None else None
            if not judges:
                return np.nan, None
            seen = watch is not None
            return error_of(turns, means), evaluation_of(turns, means) if seen else None

        strengths = OF_REFINED if refined else RIDGES[::-1]
        if ridge is not None or not judges:
            strengths = (ridge or FIRST_RIDGE,)
        until = TOLERANCE if len(turns) > 1 else 1 / TOLERANCE
        return scanned(judge, strengths, progress, watch, until), solution

    def set_readout(self, solved: Solved) -> None:
        """Take the mean of the posterior as read-out."""
        self.term.readout.copy_(self.term.in_readout(solved.mean / solved.scale))

    def set_samples(self, solved: Solved) -> None:
        """Take the samples of the posterior."""
        samples = solved.samples / solved.scale[:, None]
        self.term.samples = self.term.in_readout(samples).float()

    def finish(self, solved: Solved, frames: Sequence[Atoms]) -> Potential:
        """The potential: baseline and expansion, with posterior and extrapolation grade."""
        self.set_readout(solved)
        return self.with_error_bars(solved, frames)

    def with_error_bars(self, solved: Solved, frames: Sequence[Atoms]) -> Potential:
        """Baseline and expansion with posterior and extrapolation grade; the read-out is kept."""
        self.set_samples(solved)
        potential = Potential(
            {**self.base.terms, "expansion": self.term}, elements=self.base.elements
        )
        # frames of low weight are fitted badly: their uncertainty is no measure for others
        whole = [atoms for atoms in frames if self.settings.factor(atoms) >= 1.0]
        calibrate_apart(potential, self.term, whole or frames)
        held = [
            spread_of(
                self.term,
                frame.numbers,
                float(np.nan_to_num(frame.energy_std)),
                np.linalg.norm(np.nan_to_num(frame.forces_std), axis=1),
            )
            for frame in solved.held
        ]
        calibrate_grade(potential, self.term, whole or frames, held)
        return potential

    def key(self, frames: Sequence[Atoms]) -> str:
        """A hash of this fit and its frames, for checkpoints."""
        digest = hashlib.sha256(f"{self.spec!r} {self.settings.key}".encode())
        digest.update(fingerprint(self.base.terms).encode())
        for tensor in [*self.term.radial.state_dict().values(), self.term.mixing]:
            digest.update(tensor.numpy().tobytes())
        for atoms in frames:
            digest.update(atoms.positions.tobytes() + atoms.numbers.tobytes())
            digest.update(np.float64(labels.energy_of(atoms)).tobytes())
            digest.update(labels.forces([atoms]).tobytes())
        return digest.hexdigest()
