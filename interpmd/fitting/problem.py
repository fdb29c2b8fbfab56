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

from interpmd.fitting import labels
from interpmd.fitting.checkpoint import Checkpoint
from interpmd.fitting.normal import (
    NormalEquations,
    SingularError,
    Solution,
    Targets,
    column_scales,
    weighted_rows,
)
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty

#: Ridge strengths that are tried, per row (columns have unit root mean square in force rows).
RIDGES = (1e-9, 1e-8, 1e-7, 1e-6)

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
        periodic = [a for a in frames if a.pbc.any()]
        stresses = bool(periodic) and all(
            a.pbc.all() and "stress" in a.calc.results for a in periodic
        )
        found = []
        for atoms in frames:
            with_stress = stresses and bool(atoms.pbc.any())
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
    ) -> tuple[Solution, pd.DataFrame]:
        """Posterior at the ridge strength that validates best, and the table of those tried."""
        scale = column_scales(self.term, frames, self.seed)
        self.scale, self.calibration = scale, 1.0
        equations = NormalEquations(self.term, scale, self.memory)
        inner, held = labels.split(len(frames), fraction, self.seed)
        if valid is not None or not len(held):
            inner, held = np.arange(len(frames)), np.arange(0)
        held = held[:100]
        inner = np.setdiff1d(np.arange(len(frames)), held)
        checkpoint = Checkpoint(out) if out is not None else None
        self._accumulate(equations, [frames[i] for i in inner], checkpoint, progress)
        judges = valid if valid is not None else [frames[i] for i in held]
        rows = [
            weighted_rows(equations.term, a, t, scale)
            for a, t in zip(judges, self.targets(judges), strict=True)
        ]
        best, scan = self._scan(equations, rows, ridge, progress)
        if valid is None and rows:
            equations.add_rows(rows)
        solution = equations.solve(self.prior(equations, best))
        scan.attrs["ridge"] = best
        return solution, scan

    def _accumulate(self, equations, frames, checkpoint, progress) -> None:
        key = None
        start = 0
        if checkpoint is not None:
            key = self._key(frames)
            start = checkpoint.restore(equations, key)
        targets = self.targets(frames[start:])
        with tqdm(
            total=len(frames), initial=start, desc="frames", unit="frame", disable=not progress
        ) as bar:
            done = start

            def advance(count: int) -> None:
                nonlocal done
                done += count
                bar.update(count)

            try:
                equations.add(frames[start:], targets, advance)
            except KeyboardInterrupt:
                if checkpoint is not None:
                    checkpoint.write(equations, key, done)
                raise

    def _scan(self, equations, rows, ridge, progress) -> tuple[float, pd.DataFrame]:
        """Ridge strengths from strong to weak, until validation stops improving."""
        tried = []
        if rows:
            stacked = np.concatenate([x for x, _ in rows])
            values = np.concatenate([y for _, y in rows])
        for strength in [ridge] if ridge is not None else sorted(RIDGES, reverse=True):
            if not rows and ridge is None:
                strength = 1e-7
            try:
                solution = equations.solve(self.prior(equations, strength))
            except SingularError:
                if not tried:
                    raise
                break
            error = np.nan
            if rows:
                misfit = stacked @ solution.mean.astype(np.float32) - values
                error = float(np.sqrt((misfit**2).mean()))
                spread = stacked @ solution.samples(16, self.seed).astype(np.float32)
                calibration = error / float(np.sqrt((spread**2).mean()))
            else:
                calibration = 1.0
            tried.append({"ridge": strength, "validation_error": error, "calibration": calibration})
            if not rows:
                break
            errors = [t["validation_error"] for t in tried]
            if len(errors) > 1 and errors[-1] * TOLERANCE > min(errors[:-1]):
                break
        scan = pd.DataFrame(tried)
        least = scan.validation_error.min()
        good = scan[scan.validation_error <= least * TOLERANCE] if rows else scan
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
        self.term.grade_scale.copy_(grade_scales(potential, frames))
        return potential

    def _key(self, frames: Sequence[Atoms]) -> str:
        digest = hashlib.sha256(repr((self.spec, self.seed, self.energy_weight)).encode())
        digest.update(repr((self.virial_weight, sorted(self.weights.items()))).encode())
        for atoms in frames:
            digest.update(atoms.positions.tobytes() + atoms.numbers.tobytes())
            digest.update(np.float64(atoms.calc.results["energy"]).tobytes())
        return digest.hexdigest()


def grade_scales(potential: Potential, frames: Sequence[Atoms], most: int = 60) -> torch.Tensor:
    """Largest standard deviation of a force in the training frames, by element, in eV/A."""
    term = potential.terms["expansion"]
    largest = torch.full((len(term.elements),), 1e-12, dtype=torch.float64)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # small tensors: more threads are slower
    try:
        for atoms in frames[:: max(1, len(frames) // most)]:
            batch = potential.batch(atoms)
            spread = uncertainty(potential, batch).forces_std.norm(dim=1)
            largest.scatter_reduce_(0, term.species[batch.numbers], spread, "amax")
    finally:
        torch.set_num_threads(threads)
    return largest
