"""Learning a potential from quantum labels, in closed form."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ase import Atoms
from tqdm.auto import tqdm

from interpmd.errors import LabelError
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
from interpmd.fitting.report import FitReport, evaluate
from interpmd.potentials.base import TERMS
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.potential import Card, Potential
from interpmd.potentials.uncertainty import uncertainty

#: Ridge strengths that are tried, per row (columns have unit root mean square in force rows).
RIDGES = (1e-9, 1e-8, 1e-7, 1e-6)

#: Numbers of Bessel functions that are tried.
BASES = (5, 8, 12)

#: A stronger ridge is preferred as long as its validation error is within this factor.
TOLERANCE = 1.03


@dataclass(frozen=True)
class Spec:
    """What kind of potential to fit, and with which prior.

    Attributes:
        cutoff: angstrom.
        lmax: largest degree l of the spherical harmonics.
        channels: for body orders 2, 3, ...; scaled down so that the read-out has at most
            `weights` weights.
        weights: most weights of the read-out, over all elements.
        basis: number of Bessel functions of the radial network, the smoothness prior: few of
            them vary slowly. If None, one of `BASES` is chosen by the validation error of small
            trial fits.
        functions, gain: of the radial network.
        terms: physics terms beside the expansion, by kind, with their arguments.
        parsimony: factor on the ridge per body order above two: among fits of equal quality,
            that of lower body order.
        samples: of the posterior that are kept.
    """

    cutoff: float = 5.0
    lmax: int = 4
    channels: tuple[int, ...] = (128, 128, 128, 48)
    weights: int = 15_000
    basis: int | None = None
    functions: int = 32
    gain: float = 1.0
    terms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parsimony: float = 3.0
    samples: int = 32

    def expansion(self, elements: Iterable[int], seed: int) -> ClusterExpansion:
        """The expansion for some elements, its channels scaled to the number of weights."""
        arguments = {
            "elements": sorted(elements),
            "cutoff": self.cutoff,
            "lmax": self.lmax,
            "basis": self.basis,
            "functions": self.functions,
            "gain": self.gain,
            "seed": seed,
        }
        term = ClusterExpansion(channels=self.channels, **arguments)
        count = len(term.elements) * term.n_features
        if count <= self.weights:
            return term
        channels = [max(1, int(k * self.weights / count)) for k in self.channels]
        return ClusterExpansion(channels=channels, **arguments)


def fit(
    train: str | Path | Iterable[Atoms],
    valid: str | Path | Iterable[Atoms] | None = None,
    test: str | Path | Iterable[Atoms] | None = None,
    spec: Spec | Mapping[str, Any] | None = None,
    *,
    isolated_energies: Mapping[int | str, float] | None = None,
    energy_weight: float = 80.0,
    virial_weight: float = 1.0,
    weights: Mapping[str, float] | None = None,
    ridge: float | None = None,
    validation: float = 0.1,
    refine: int = 0,
    memory: float = 5.0,
    level: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> FitReport:
    """Fit a potential to energies and forces (and stresses where all periodic frames have them).

    The read-out of the expansion is the mean of its Bayesian posterior, in closed form; the
    posterior is kept as samples, calibrated on the frames held out.

    Args:
        train: frames with energies (eV) and forces (eV/A): a list of ase.Atoms or any file that
            ASE reads. Single atoms give the isolated-atom energies.
        valid: frames that choose the ridge strength; a part of `train` if None, which then
            joins the final solution.
        test: frames for the report.
        spec: what to fit, a `Spec` or its fields as a mapping.
        isolated_energies: eV by element, where `train` has no single atoms.
        energy_weight: weight of an energy relative to a force component, times the square root
            of the number of atoms, in 1/A.
        virial_weight: weight of a virial component relative to a force component, in 1/A.
        weights: factors by subset (info "subset" or "config_type"), for instance
            ``{"dimer": 5.0}``.
        ridge: strength per row of the linear problem; by validation if None.
        validation: fraction of `train` held out if `valid` is None.
        refine: rounds of gradient descent on the radial network, the read-out re-solved.
        memory: limit in GiB for the normal equations.
        level: level of theory, for the card; read from info "level" if None.
        out: folder for the potential and its report. An interrupted fit leaves a checkpoint
            there, and the same call goes on from it.
        seed: of the random radial network, the split and the samples.
        progress: whether to show progress bars.

    Raises:
        LabelError: labels missing, not finite, inconsistent, or a file that cannot be read.
        StructureError: structures that cannot be used.
        UnknownElementError: `valid` or `test` hold elements that `train` lacks.
        MemoryLimitError: the problem does not fit into `memory`.
    """
    started = time.perf_counter()
    spec = spec if isinstance(spec, Spec) else Spec(**(spec or {}))
    frames = labels.read_frames(train)
    labels.check_labels(frames)
    isolated = labels.isolated_energies(frames, isolated_energies)
    slope = labels.check_consistency(frames, seed)
    others = {}
    for name, source in (("valid", valid), ("test", test)):
        if source is not None:
            others[name] = labels.read_frames(source)
            labels.check_labels(others[name], f"{name} data")
            labels.check_elements_of(others[name], isolated, f"{name} data")
    used = [a for a in frames if not labels.is_isolated(a)]
    if not used:
        raise LabelError("the training data hold single atoms only; there is nothing to learn")

    base = baseline(isolated, spec.terms)
    options = (energy_weight, virial_weight, weights or {}, memory, seed)
    if spec.basis is None:
        spec = replace(spec, basis=choose_basis(used, base, spec, options, progress))
    term = spec.expansion(isolated, seed)
    problem = Problem(term, base, spec, *options)
    history = []
    if refine:
        from interpmd.fitting.refine import refine_radial

        history = refine_radial(problem, used, refine, progress)
    solution, scan = problem.solve(used, others.get("valid"), validation, ridge, out, progress)
    potential = problem.finish(solution, used, base)
    provenance = {
        "interpmd": package_version(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "seed": seed,
        "spec": asdict(spec) | {"terms": {k: dict(v) for k, v in spec.terms.items()}},
        "train": str(train) if isinstance(train, str | Path) else f"{len(frames)} frames",
        "frames": len(frames),
        "weights": int(np.prod(term.readout.shape)),
        "ridge": scan.attrs["ridge"],
        "energy_weight": energy_weight,
        "force_slope": slope,
        "refinement": history,
    }
    level = level or next((str(a.info["level"]) for a in frames if "level" in a.info), None)
    potential.card = Card(level=level, provenance=provenance)
    fitted = time.perf_counter() - started
    sets = {"train": used[:: max(1, len(used) // 100)]} | others
    errors = {name: evaluate(potential, many, progress=progress) for name, many in sets.items()}
    potential.card = replace(
        potential.card, errors={name: e.summary() for name, e in errors.items()}
    )
    sample = others.get("test", used)
    report = FitReport(potential, scan, errors, fitted, sample[:: max(1, len(sample) // 100)])
    if out is not None:
        report.save(out)
        Checkpoint(out).remove()
    return report


def choose_basis(
    frames: Sequence[Atoms],
    base: Potential,
    spec: Spec,
    options: tuple,
    progress: bool,
    most: int = 200,
) -> int:
    """Number of Bessel functions whose small trial fit validates best."""
    *_, seed = options
    chosen = np.random.default_rng(seed).permutation(len(frames))[:most]
    sample = [frames[i] for i in chosen]
    channels = tuple(max(2, k // 5) for k in spec.channels)
    errors = {}
    for basis in tqdm(BASES, desc="smoothness", unit="trial", disable=not progress):
        trial = replace(spec, basis=basis, channels=channels, weights=spec.weights // 4)
        problem = Problem(trial.expansion(base.elements, seed), base, trial, *options)
        _, scan = problem.solve(sample, None, 0.25, None, None, progress=False)
        errors[basis] = scan.validation_error.min()
    return min(errors, key=errors.get)


def baseline(isolated: Mapping[int, float], terms: Mapping[str, Mapping[str, Any]]) -> Potential:
    """Isolated atoms and physics terms: what is not learned."""
    from interpmd.potentials import Isolated

    parts = {"isolated": Isolated(isolated)}
    for kind, arguments in terms.items():
        if kind not in TERMS:
            raise ValueError(f"no term is called {kind!r}; known: {', '.join(sorted(TERMS))}")
        parts[kind] = TERMS[kind](**arguments)
    return Potential(parts, elements=sorted(isolated))


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


def package_version() -> str:
    """Version of interpmd."""
    try:
        return version("interpmd")
    except PackageNotFoundError:
        return "0+unknown"
