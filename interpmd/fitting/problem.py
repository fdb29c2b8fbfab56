"""The linear problem of a fit: rows, prior, posterior, and the choice of the ridge strength."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from tqdm.auto import tqdm

from interpmd.errors import SingularError
from interpmd.fitting import labels
from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.judges import Judges
from interpmd.fitting.normal import NormalEquations, Solution, Targets, column_scales
from interpmd.fitting.progress import PARTS, FitProgress, Watch
from interpmd.potentials.fingerprint import fingerprint
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.threads import one_thread

#: Ridge strengths that are tried, per row (columns have unit root mean square in force rows).
RIDGES = (1e-9, 1e-8, 1e-7, 1e-6)

#: Ridge strength of what a watched fit shows before it has chosen one.
FIRST_RIDGE = 1e-7

#: A stronger ridge is preferred as long as its validation error is within this factor.
TOLERANCE = 1.03


class Problem:
    """The linear problem of one fit: rows, prior, posterior."""

    def __init__(self, term, base, spec, energy_weight, virial_weight, weights, memory, seed):
        self.term, self.base, self.spec, self.seed = term, base, spec, seed
        self.energy_weight, self.virial_weight = energy_weight, virial_weight
        self.weights, self.memory = weights, memory

    def targets(self, frames: Sequence[Atoms]) -> list[Targets]:
        """What is left for the expansion, frame by frame."""
        found = []
        for atoms in frames:
            with_stress = labels.has_stress(atoms)
            known = self.base.predict(atoms, stress=with_stress)
            factor = self.weights.get(labels.subset_of(atoms), 1.0)
            stress = None
            if with_stress:
                stress = atoms.get_stress(voigt=False) - known.stress[0].numpy()
            found.append(
                Targets(
                    energy=float(atoms.calc.results["energy"]) - float(known.energy),
                    forces=labels.forces([atoms]) - known.forces.numpy(),
                    stress=stress,
                    energy_weight=factor * self.energy_weight / len(atoms) ** 0.5,
                    force_weight=factor,
                    virial_weight=factor * self.virial_weight,
                )
            )
        return found

    def prior(self, equations: NormalEquations, ridge: float) -> np.ndarray:
        """Diagonal precision of the prior."""
        order = np.tile(self.term.feature_order, len(self.term.elements))
        return ridge * equations.rows * self.spec.parsimony ** (order - 2.0)

    def solve(
        self,
        frames: list[Atoms],
        valid: list[Atoms] | None,
        fraction: float,
        ridge: float | None,
        out: str | Path | None,
        progress: bool,
        watch: Watch | None = None,
    ) -> tuple[Solution, pd.DataFrame]:
        """Posterior at the ridge strength that validates best, and the table of those tried."""
        self.scale, self.calibration = column_scales(self.term, frames, self.seed), 1.0
        equations = NormalEquations(self.term, self.scale, self.memory)
        self.single = equations.term
        inner, held = labels.split(len(frames), fraction, self.seed)
        if valid is not None or not len(held):
            inner, held = np.arange(len(frames)), np.arange(0)
        held = held[:100]
        # shuffled, so that the first frames are a fair sample of all
        inner = np.random.default_rng(self.seed).permutation(len(frames))
        inner = inner[~np.isin(inner, held)]
        learned = [frames[i] for i in inner]
        checkpoint = Checkpoint(out, "frames", self.key(learned)) if out is not None else None
        judging = valid if valid is not None else [frames[i] for i in held]
        judges = Judges(self.single, self.scale, judging, self.targets(judging))
        self._accumulate(equations, learned, judges, checkpoint, progress, watch)
        best, scan = self._scan(equations, judges, ridge, watch)
        if valid is None and judges:
            equations.add_rows(judges.rows)
        solution = equations.solve(self.prior(equations, best))
        scan.attrs["ridge"] = best
        return solution, scan

    def _accumulate(self, equations, frames, judges, checkpoint, progress, watch) -> None:
        done, total = 0, len(frames)
        if checkpoint is not None and (stored := checkpoint.read()) is not None:
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

    def _seen(self, equations: NormalEquations, judges: Judges) -> dict:
        """What the frames so far have taught."""
        if not judges:
            return {}
        try:
            mean = equations.solve(self.prior(equations, FIRST_RIDGE)).mean
        except SingularError:
            return {}
        error = float(np.sqrt((judges.misfit(mean) ** 2).mean()))
        return {"value": FIRST_RIDGE, "error": error, "evaluation": judges.evaluation(mean)}

    def _scan(
        self,
        equations: NormalEquations,
        judges: Judges,
        ridge: float | None,
        watch: Watch | None,
    ) -> tuple[float, pd.DataFrame]:
        """Ridge strengths from strong to weak, until validation stops improving."""
        tried = []
        strengths = [ridge] if ridge is not None else sorted(RIDGES, reverse=True)
        for strength in strengths:
            if not judges and ridge is None:
                strength = FIRST_RIDGE
            try:
                solution = equations.solve(self.prior(equations, strength))
            except SingularError:
                if not tried:
                    raise
                break
            error, calibration = np.nan, 1.0
            if judges:
                error = float(np.sqrt((judges.misfit(solution.mean) ** 2).mean()))
                calibration = error / judges.spread(solution.samples(16, self.seed))
            tried.append({"ridge": strength, "validation_error": error, "calibration": calibration})
            if not judges:
                break
            if watch is not None:
                found = judges.evaluation(solution.mean)
                watch(FitProgress("ridge", len(tried), len(strengths), strength, error, found))
            errors = [t["validation_error"] for t in tried]
            if len(errors) > 1 and errors[-1] * TOLERANCE > min(errors[:-1]):
                break
        scan = pd.DataFrame(tried)
        least = scan.validation_error.min()
        good = scan[scan.validation_error <= least * TOLERANCE] if judges else scan
        chosen = good.loc[good.ridge.idxmax()]
        self.calibration = float(chosen.calibration)
        return float(chosen.ridge), scan

    def set_readout(self, solution: Solution) -> None:
        """Take the mean of the posterior as read-out."""
        mean = torch.from_numpy(solution.mean / self.scale)
        self.term.readout.copy_(mean.view(self.term.readout.shape))

    def finish(self, solution: Solution, frames: Sequence[Atoms], base: Potential) -> Potential:
        """The potential: baseline and expansion, with posterior and extrapolation grade."""
        shape = (len(self.term.elements), self.term.n_features)
        scale = torch.from_numpy(self.scale)
        self.set_readout(solution)
        samples = self.calibration * solution.samples(self.spec.samples, self.seed)
        samples = (torch.from_numpy(samples) / scale[:, None]).view(*shape, -1)
        self.term.samples = samples.float()
        potential = Potential({**base.terms, "expansion": self.term}, elements=base.elements)
        # frames of little weight are known badly: they vouch for no others
        whole = [a for a in frames if self.weights.get(labels.subset_of(a), 1.0) >= 1.0]
        self.term.grade_scale.copy_(grade_scales(potential, whole or frames))
        return potential

    def key(self, frames: Sequence[Atoms]) -> str:
        """What tells this fit to these frames from any other."""
        digest = hashlib.sha256(repr((self.spec, self.seed, self.energy_weight)).encode())
        digest.update(repr((self.virial_weight, sorted(self.weights.items()))).encode())
        digest.update(fingerprint(self.base.terms).encode())
        for tensor in self.term.radial.state_dict().values():
            digest.update(tensor.numpy().tobytes())
        for atoms in frames:
            digest.update(atoms.positions.tobytes() + atoms.numbers.tobytes())
            digest.update(np.float64(atoms.calc.results["energy"]).tobytes())
            digest.update(labels.forces([atoms]).tobytes())
        return digest.hexdigest()


def grade_scales(potential: Potential, frames: Sequence[Atoms], keep: int = 20) -> torch.Tensor:
    """Largest standard deviation of a force in the training frames, by element, in eV/A.

    Four draws of the posterior find the `keep` least certain frames of each element, all draws
    say how uncertain those are.
    """
    with one_thread():
        rough = torch.stack([_largest_spread(potential, atoms, draws=4) for atoms in frames])
        chosen = rough.topk(min(keep, len(frames)), dim=0).indices.unique().tolist()
        exact = torch.stack([_largest_spread(potential, frames[i]) for i in chosen])
    return exact.amax(0).clamp_min(1e-12)


def _largest_spread(potential: Potential, atoms: Atoms, draws: int | None = None) -> torch.Tensor:
    """Largest standard deviation of a force on an atom of each element, in eV/A."""
    term = potential.terms["expansion"]
    batch = potential.batch(atoms)
    spread = uncertainty(potential, batch, draws=draws).forces_std.norm(dim=1)
    largest = spread.new_zeros(len(term.elements))
    return largest.scatter_reduce_(0, term.species[batch.numbers], spread, "amax")
