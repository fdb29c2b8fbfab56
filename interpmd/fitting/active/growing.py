"""A fit that grows: labels are added by updating the normal equations, not by solving them anew.

With new rows A and targets b (`interpmd.fitting.solution` for Y) the mean moves by
H^-1 A^T (1 + Y^T Y)^-1 (b - A m), and samples s of the posterior become samples of the new one by
Matheron's rule, s - H^-1 A^T (1 + Y^T Y)^-1 (A s + noise)
(Journel and Huijbregts, Mining Geostatistics (1978), page 495). The prior stays what it was.

Each of several fits whose mean is the potential (`interpmd.fitting.members`) grows by itself; what
is asked of the solution is asked of the first.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from ase import Atoms
from jaxtyping import Float

from interpmd import arguments
from interpmd.errors import LabelError
from interpmd.fitting import labels
from interpmd.fitting.active.origin import origin_of, spec_of
from interpmd.fitting.channels import joined
from interpmd.fitting.checkpoint import uninterrupted
from interpmd.fitting.delta import differences, with_baseline
from interpmd.fitting.design import Design
from interpmd.fitting.grade import LEAST, Spread, spread_of, usual_spread
from interpmd.fitting.kept import KeptEquations, Sums
from interpmd.fitting.least_rows import penalise
from interpmd.fitting.motions import without_rigid_motions
from interpmd.fitting.normal import (
    NormalEquations,
    column_scales,
    rows_of,
    weighted,
    weighted_rows,
)
from interpmd.fitting.posterior import MOST_FRAMES, misfit_samples
from interpmd.fitting.problem import Problem
from interpmd.fitting.soft import softened
from interpmd.fitting.solution import Extended, Solution, of_lower
from interpmd.fitting.targets import Targets
from interpmd.potentials.base import LearnedTerm
from interpmd.potentials.baseline import baselines, without_baseline
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.potential import Potential
from interpmd.potentials.surroundings import nearest_distances
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.threads import one_thread

#: Rows added since the last factorisation, over the number of weights, beyond which it is made
#: anew: solving with them would cost as much.
MOST_ADDED = 0.25

#: Difference of weighted predictions, relative to labels, that rounding makes.
SAME = 2e-3

#: Difference of sketches of frames, of which some went through a file of text: eight decimals.
ROUNDED = 1e-6

OTHERS = (
    "the potential was not fitted to these frames with these weights: pass those of its fit, in "
    "their order and without those that it left out, and its subset_weights"
)


@dataclass(frozen=True, eq=False)
class Added:
    """What frames say that were added and are not factorised yet.

    Attributes:
        rows: without those that say nothing, shape (rows, weights). values: their targets.
        count: how many labels they stand for. square: sum of the squares of these.
    """

    rows: Float[np.ndarray, "rows weights"]
    values: Float[np.ndarray, " rows"]
    count: int
    square: float


@dataclass(frozen=True, eq=False)
class Step:
    """What one fit knows with some more frames.

    Attributes:
        designs: one for each of the frames. added: what they say.
        more: solution with all rows that were added. mean, deviations: of the posterior then.
    """

    designs: Sequence[Design]
    added: Added
    more: Extended
    mean: Float[np.ndarray, " weights"]
    deviations: Float[np.ndarray, "weights samples"]


class GrowingFit:
    """A fitted potential with the normal equations that it came from, to which labels are added.

    Args:
        potential: from `im.fit`; it is not changed.
        train: the frames that it was fitted to.
        subset_weights: as in that fit; needed only where its card does not name them, as those of
            earlier versions.
        memory: limit in GiB for the normal equations.
        equations: those of the fit, where its report keeps them (`keep_equations` of `im.fit`); it
            begins with them instead of making them anew, and changes them.

    Attributes:
        frames: what it has learned from.
        potential: the fit to all of them.
        solution: posterior of the read-out at the last factorisation, in scaled columns.
        mean: of the posterior now, in scaled columns, shape (weights,).

    Raises:
        LabelError: the potential does not say how it was fitted, or not to these frames or with
            these weights of subsets, or the weights of several fits (`members` of `im.fit`) were
            solved together.
    """

    def __init__(
        self,
        potential: Potential,
        train: Structures,
        subset_weights: Mapping[str, float] | None = None,
        memory: float = 5.0,
        equations: KeptEquations | None = None,
    ) -> None:
        arguments.of_class(Potential, potential=potential)
        origin = origin_of(potential)
        self._baseline = next(iter(baselines(potential)), None)
        self._card, self._elements = potential.card, potential.elements
        given, memory = origin.given, memory / len(origin.members)
        self.term = origin.members[0]
        base = Potential(origin.rest, elements=potential.elements)
        subset_weights = origin.subset_weights(subset_weights)
        settings = origin.settings(subset_weights, memory)
        self.problem = Problem(self.term, base, spec_of(given["spec"]), settings)
        self.frames = [a for a in read_frames(train) if not labels.is_isolated(a)]
        kept = equations or KeptEquations()
        sums = kept.take(self.frames, subset_weights)
        some = kept.frames if sums is not None else self.own(self.frames)
        exactly = given.get("data", labels.digest_of(some)) == labels.digest_of(some)
        if not exactly and not np.allclose(
            given.get("data_sketch", np.nan), labels.sketch_of(some), rtol=0, atol=ROUNDED
        ):
            raise LabelError(OTHERS)
        if sums is None:
            self.scale = column_scales(self.term, some, settings.seed)
            sums = Sums(NormalEquations(self.term, self.scale, memory), np.arange(len(some)))
        self.equations, self.scale = sums.equations, sums.equations.scale
        left = [some[k] for k in sums.left]
        with one_thread():
            self.equations.add(left, self.problem.targets(left))
        self._prior = self.problem.prior(self.equations, float(given["ridge"]))
        self._rows, self._least_rows = self.equations.rows, float(given.get("least_rows", 0.0))
        if self._least_rows:
            penalise(self.equations, some, settings.seed)
        self._added: list[Added] = []
        self._factorise(sums.solution)
        self._check(some)
        self._deviations = self._scaled_samples()
        self._noise = self._noise_of_samples(some)
        self._misfits: np.ndarray | None = None
        card = replace(potential.card, provenance=dict(given) | {"members": 1})
        others = [
            Potential({**origin.rest, "expansion": term}, self._elements, card)
            for term in origin.members[1:]
        ]
        self._others = [GrowingFit(other, some, subset_weights, memory, kept) for other in others]
        self.potential = self._potential()

    @property
    def _members(self) -> list[GrowingFit]:
        return [self, *self._others]

    def own(self, frames: Sequence[Atoms]) -> list[Atoms]:
        """Frames with what the correction is to reproduce."""
        if self._baseline is None:
            return list(frames)
        return differences(self._baseline, frames, "labels to add")

    def _factorise(self, solution: Solution | None = None) -> None:
        """Solve for all rows, those that were added too, unless the solution is known."""
        with uninterrupted():
            for each in self._added:
                self.equations.add_rows([(each.rows, each.values)])
                self.equations.rows += each.count - len(each.values)
                self.equations.square += each.square - float(each.values @ each.values)
            self._added = []
        self.equations.penalty_weight = self._least_rows * self._rows / self.equations.rows
        solution = solution or self.equations.solve(self._prior)
        # what a factorisation leaves where the labels say little and rounding counts much
        left = self.equations.vector - self._product(solution.mean.astype(np.longdouble))
        mean = solution.mean + solution.solve(left.astype(float))
        self.solution = replace(solution, mean=mean)
        self.mean, self._more = mean, Extended(self.solution)

    def _product(self, vector: np.ndarray) -> np.ndarray:
        """The precision of the rows that were factorised times a vector, in its type."""
        product = self._prior * vector + of_lower(self.equations.matrix, vector)
        if self.equations.penalty is not None and self._least_rows:
            weight = self._least_rows * self._rows
            product += weight * of_lower(self.equations.penalty.T, vector)
        return product

    def _check(self, frames: Sequence[Atoms]) -> None:
        """That these are the frames of the fit: its predictions for them come out again.

        The fit keeps rows of the frames that it held out in single precision, so that weights that
        the labels hardly determine differ.
        """
        stored = self.term.readout.detach().numpy().ravel()[self.term.columns] * self.scale
        some = frames[:: max(1, len(frames) // 10)]
        pairs = zip(some, self.problem.targets(some), strict=True)
        rows = [weighted_rows(self.equations.term, a, t, self.scale) for a, t in pairs]
        off = max(float(np.abs(x @ (self.mean - stored)).max()) for x, _ in rows)
        size = float(np.sqrt(np.mean(np.concatenate([y for _, y in rows]) ** 2)))
        if off > SAME * size:
            raise LabelError(f"{OTHERS}; predictions differ by {off / size:.1%} of a label")

    def add(self, frames: Structures) -> Potential:
        """Learn from more labelled frames.

        Args:
            frames: with energies and forces of the same level; isolated atoms are left out.

        Returns:
            The potential of all labels, as `potential`.

        Raises:
            LabelError, StructureError: see `im.fit`; nothing is changed.
            UnknownElementError: an element that the fit does not have.
        """
        more = [a for a in read_frames(frames) if not labels.is_isolated(a)]
        if not more:
            return self.potential
        labels.check_labels(more, "labels to add")
        labels.check_elements_of(more, self._elements or (), "the labels to add")
        own = self.own(more)
        steps = [each._step(own) for each in self._members]
        with uninterrupted():
            for each, step in zip(self._members, steps, strict=True):
                each._added = [*each._added, step.added]
                each._more, each.mean, each._deviations = step.more, step.mean, step.deviations
                each.frames += more if each is self else own
        for each in self._members:
            if len(each._more) > MOST_ADDED * len(each.scale):
                each._factorise()
        self._misfits = None
        self._widen(own)
        self.potential = self._potential()
        self._vouch(own, [step.designs for step in steps])
        return self.potential

    def _step(self, frames: Sequence[Atoms]) -> Step:
        """What is known once frames are learned, of which nothing is kept yet."""
        targets = self.problem.targets(frames)
        pairs = zip(frames, targets, strict=True)
        designs = [rows_of(self.equations.term, a, t.stress is not None) for a, t in pairs]
        added = self._rows_of(frames, targets, designs)
        extended = self._more.extended(added.rows)
        return Step(designs, added, extended, *self._updated(extended, added))

    def _rows_of(
        self, frames: Sequence[Atoms], targets: Sequence[Targets], designs: Sequence[Design]
    ) -> Added:
        found, count, square = [], 0, 0.0
        for atoms, target, design in zip(frames, targets, designs, strict=True):
            made = weighted(design, atoms, target, self.scale)
            rows, values = softened(atoms, target, *made)
            found.append(without_rigid_motions(atoms, target.forces, rows, values))
            count += len(values)
            square += float(values @ values)
        rows, values = (np.concatenate(each) for each in zip(*found, strict=True))
        return Added(rows.astype(float, copy=False), values, count, square)

    def _updated(
        self, extended: Extended, added: Added
    ) -> tuple[Float[np.ndarray, " weights"], Float[np.ndarray, "weights samples"]]:
        """Mean and deviations that know the last rows; these become narrower by Matheron's rule."""
        before = self.solution.mean
        targets = np.concatenate([each.values for each in (*self._added, added)])
        missed = targets - extended.of(before)
        noise = np.random.default_rng([self.problem.settings.seed, len(self.frames)])
        new = added.rows @ self._deviations
        new += self._noise * noise.normal(size=new.shape)
        # of rows that the deviations have learned already nothing is missed
        known = np.zeros((len(self._more), new.shape[1]))
        gains = extended.gain(np.column_stack([missed, np.concatenate([known, new])]))
        return before + gains[:, 0], self._deviations - gains[:, 1:]

    def halves(self, rows: Float[np.ndarray, "rows weights"]) -> Float[np.ndarray, "weights rows"]:
        """As of the last factorisation; see `Solution.halves`."""
        return self.solution.halves(rows)

    def settle(self) -> None:
        """Factorise anew if rows were added, so that `halves` are those of all labels."""
        if len(self._more):
            self._factorise()

    def misfits(self, count: int = 64) -> Float[np.ndarray, "weights count"]:
        """Samples of how wrong the form is; see `interpmd.fitting.posterior`."""
        if self._misfits is None:
            self.settle()
            some = self.own(self.frames[-MOST_FRAMES:])
            self._misfits = misfit_samples(
                self.equations.term, some, self.problem.targets(some), self.scale, self.solution,
                count, self.problem.settings.seed,
            )  # fmt: skip
        return self._misfits

    def _scaled_samples(self) -> Float[np.ndarray, "weights samples"]:
        samples = self.term.samples.flatten(0, 1)[self.term.columns].double().numpy()
        return samples * self.scale[:, None]

    def _noise_of_samples(self, frames: Sequence[Atoms]) -> float:
        """Standard deviation of weighted labels that fits the size of the deviations."""
        count = self._deviations.shape[1]
        bare = np.sqrt(self.solution.variance)
        if not count:
            return float(bare)
        drawn = self.solution.samples(count, self.problem.settings.seed)
        some = frames[:: max(1, len(frames) // 20)][:20]
        ours = theirs = 0.0
        for atoms, target in zip(some, self.problem.targets(some), strict=True):
            rows, _ = weighted_rows(self.equations.term, atoms, target, self.scale)
            ours += float(((rows @ self._deviations) ** 2).sum())
            theirs += float(((rows @ drawn) ** 2).sum())
        return float(bare * np.sqrt(ours / theirs)) if theirs else float(bare)

    def _widen(self, frames: Sequence[Atoms]) -> None:
        """Distances to neighbours that the new frames show are known from now on."""
        whole = Potential({"expansion": self.term}, elements=self._elements)
        for atoms in frames:
            batch = whole.batch(atoms)
            found = nearest_distances(self.term, batch, whole.neighbours(batch))
            place = self.term.species[batch.numbers][:, None, None].expand_as(found)
            known = self.term.nearest
            for end, how, margin in ((0, "amin", -LEAST), (1, "amax", LEAST)):
                known[..., end] = known[..., end].scatter_reduce(0, place, found + margin, how)

    def _vouch(self, frames: Sequence[Atoms], designs: Sequence[Sequence[Design]]) -> None:
        """Error bars of frames that were learned are usual from now on: they count as training
        data, whose least certain frame is the unit of the grade."""
        learned = without_baseline(self.potential)
        term = learned.terms["expansion"]
        assert isinstance(term, LearnedTerm)
        if float(term.charge_scale):  # parts of a frame add to its error bars
            usual = usual_spread(learned, term, frames)
        else:
            usual = self._usual(frames, designs)
        for each in (self.term, term):
            each.grade_scale.copy_(torch.maximum(each.grade_scale, usual.force))
            each.energy_scale.clamp_min_(usual.energy)

    def _usual(self, frames: Sequence[Atoms], designs: Sequence[Sequence[Design]]) -> Spread:
        """The largest standard deviations in some frames; see `usual_spread`."""
        found, members = [], self._members
        parts = [each._deviations / each.scale[:, None] for each in members]
        for atoms, *own in zip(frames, *designs, strict=True):
            drawn = np.zeros((1 + 3 * len(atoms), parts[0].shape[1]))
            for design, deviations in zip(own, parts, strict=True):
                rows = [design.energy.numpy(), design.forces.flatten(0, 1).numpy()]
                drawn += np.concatenate(rows) @ deviations / len(members) ** 0.5
            size = (drawn**2).mean(1) ** 0.5
            sizes = np.linalg.norm(size[1:].reshape(-1, 3), axis=1)
            found.append(spread_of(self.term, atoms.numbers, float(size[0]), sizes))
        force = torch.stack([spread.force for spread in found]).amax(0)
        return Spread(force, max(spread.energy for spread in found))

    def _grown(self) -> ClusterExpansion:
        """A term of its own with the present read-out and samples."""
        term = copy.deepcopy(self.term)
        with torch.no_grad():
            term.readout.copy_(term.in_readout(self.mean / self.scale))
            term.samples = term.in_readout(self._deviations / self.scale[:, None]).float()
        return term

    def _potential(self) -> Potential:
        """A potential of its own with the present read-out and samples."""
        parts = [each._grown() for each in self._members]
        term = joined(parts) if len(parts) > 1 else parts[0]
        terms = {**self.problem.base.terms, "expansion": term}
        provenance = self._card.provenance | {"frames": len(self.frames)}
        card = replace(self._card, provenance=provenance, errors={}, certificate=[])
        grown = Potential(terms, self._elements, card)
        return grown if self._baseline is None else with_baseline(grown, self._baseline)
