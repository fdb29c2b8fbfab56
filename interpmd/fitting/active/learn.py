"""``learn``: label what tells most, fit, and go on until it is good enough."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.errors import ArgumentError, LabelError, LabelWarning
from interpmd.fitting import labels
from interpmd.fitting.active.acquisition import Goal, choose
from interpmd.fitting.active.branch import Branch, check_start, errors_of, judge_of, measured
from interpmd.fitting.active.record import Record, key_of
from interpmd.fitting.checks.finding import settle
from interpmd.fitting.checks.sets import check_overlap
from interpmd.fitting.closed_form import fit
from interpmd.fitting.report import Evaluation, FitReport
from interpmd.fitting.spec import Spec, as_spec
from interpmd.levels import resolve
from interpmd.markup import table
from interpmd.plots.learning import label_race
from interpmd.potentials.potential import Potential
from interpmd.reference.labelling import label
from interpmd.reference.workers import workers_with
from interpmd.structures.files import Structures, read_frames

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORCES = "force_rmse_meV/A"


@dataclass(frozen=True)
class LearnProgress:
    """How far a run of learning is.

    Attributes:
        labels, budget: learned from, and at most.
        history: errors by number of labels; see `LearnReport`.
        decisions: what was chosen and why.
        doing: in words.
        done: whether it has ended.
    """

    labels: int
    budget: int
    history: pd.DataFrame
    decisions: pd.DataFrame
    doing: str
    done: bool = False


@dataclass(frozen=True, repr=False)
class LearnReport:
    """What was learned from few labels, and how it was chosen.

    Attributes:
        fit: the last fit, with the potential.
        history: one line per number of labels and way of choosing ("active", "random"): labels,
            how, fit ("anew" or "updated"), seconds, and, with a test set, energy_rmse_meV,
            force_rmse_meV/A and worst_force_meV/A (mean of the worst 5 % of atoms); of fits of one
            member each, where the last fit may have more.
        decisions: one line per chosen candidate: how, round, candidate, sampling, gain (part of the
            goal's variance that its label takes), goal_std (before, in units of the goal's rows),
            misfit (its share that is not Bayes's), error_before (force RMSE on it before it was
            learned, meV/Å).
        frames: all labels of the active way, in order.
        stopped: why it ended.
        spent: labels by way of choosing that are not of the start.
    """

    fit: FitReport
    history: pd.DataFrame
    decisions: pd.DataFrame
    frames: Sequence[Atoms]
    stopped: str
    spent: dict[str, int] = field(default_factory=dict)

    @property
    def potential(self) -> Potential:
        """What was learned."""
        return self.fit.potential

    def plot(self, column: str = "force_rmse_meV/A", ax: Axes | None = None) -> Axes:
        """Errors by number of labels, the active way beside the random one."""
        return label_race(self.history, column, ax=ax)

    def __repr__(self) -> str:
        test = self.fit.evaluations.get("test")
        errors = [f"{name} {value:.1f}" for name, value in errors_of(test).items()] if test else []
        return f"{len(self.frames)} labels: {', '.join(errors) or 'no test set'}; {self.stopped}"

    def _repr_html_(self) -> str:
        return table(self.history.round(2))


def learn(
    start: Structures,
    candidates: Structures,
    level: str | Calculator | None = None,
    *,
    goal: Goal | None = None,
    test: Structures | None = None,
    baseline: str | Calculator | None = None,
    batch: int = 10,
    budget: int = 100,
    error: float | None = None,
    misfit: float = 1.0,
    compare: bool = True,
    spec: Spec | Mapping[str, Any] | None = None,
    members: int | None = None,
    out: str | Path | None = None,
    workers: int | None = 1,
    client: Any = None,
    seed: int = 0,
    progress: bool = True,
    watch: Callable[[LearnProgress], object] | None = None,
    **options: Any,
) -> LearnReport:
    """Learn a potential from few labels, each chosen for what it tells.

    In every round the candidates are chosen whose labels reduce the variance over the goal most
    (`interpmd.fitting.active.acquisition`), all of a batch together; they are labelled, and the fit
    is updated by their rows. Once there are half as many labels again it is made anew, so that its
    size and prior grow along.

    Picking by variance from a *thermal* pool is hardly better than chance; it pays where candidates
    hold what is rare. `im.candidates` makes them of hot and biased dynamics and stretched modes.

    Args:
        start: a handful of structures, labelled or to be labelled; five at least. Isolated atoms
            among them are kept, and do not count.
        candidates: structures to choose from. Those with labels reveal them when they are chosen.
        level: of theory for what has no label: one that `im.label` knows, or a calculator.
        goal: where error bars should become small: `im.Goal(frames, atoms=..., of=...)`; the
            candidates themselves if None.
        test: labelled frames, for the curves and for `error`; a warning names those that are in
            start or candidates as well.
        baseline: see `im.fit`.
        batch: labels per round.
        budget: most labels of the active way, the start included.
        error: force RMSE on the test set in meV/Å at which to stop.
        misfit: weight of the misfit of the form beside Bayes's variance; see `choose`.
        compare: whether to follow random choice beside it, with as many labels again.
        spec, options: of `im.fit`. members: of the last one; labels are chosen by fits of one.
        out: folder for labels, decisions and the potential (in ``out/potential``). The same call
            with the same folder goes on where it was interrupted.
        workers: processes that label; None leaves their number to `im.label`.
        client: a ``dask.distributed.Client``, whose workers label instead.
        seed: of the fits and of random choice.
        progress: whether to show a bar.
        watch: called with a `LearnProgress` at every step, as `im.LearnMonitor` is.

    Raises:
        ArgumentError: numbers that make no sense, or an error without a test set.
        LabelError: structures without labels and no level, or too few to start with.
        LevelMismatchError: the folder is of another run.
        Others: see `im.label` and `im.fit`.

    Example:
        >>> import interpmd as im
        >>> from ase.build import molecule
        >>> pool = im.sample(molecule("H2O"), "rattle", n=60, seed=0)
        >>> atoms = im.isolated_atoms("HO")
        >>> report = im.learn([*pool[:6], *atoms], pool[6:], "gfn2-xtb", batch=4, budget=14,
        ...     spec=im.Spec(weights=60), compare=False, progress=False)
        >>> len(report.frames), report.history.labels.tolist()
        (16, [6, 10, 14])
    """
    arguments.count(batch=batch, budget=budget, workers=1 if workers is None else workers)
    arguments.seeds(seed=seed)
    arguments.not_negative(misfit=misfit)
    arguments.of_functions([fit], options, "learn")
    arguments.count(members=1 if members is None else members)
    if options.get("mean_weight") is not None:
        raise ArgumentError("such fits do not grow: leave mean_weight= to a last im.fit")
    if goal is not None:
        arguments.of_class(Goal, goal=goal)
    if error is not None:
        arguments.positive(error=error)
        if test is None:
            raise ArgumentError("error= is measured on test frames; pass test=, or leave it out")
    pool, first = read_frames(candidates), read_frames(start)
    check_start(first)
    judges = read_frames(test) if test is not None else []
    settle(check_overlap([*first, *pool], {"test": judges}, "in start or candidates"), 3)
    spec = None if spec is None else as_spec(spec)
    settings = {
        "level": None if level is None else resolve(level).name,
        "goal": goal and [goal.atoms, goal.of, key_of(goal.frames, {})],
        "baseline": None if baseline is None else resolve(baseline).name,
        **{"batch": batch, "misfit": misfit, "seed": seed, "spec": spec and asdict(spec)},
        **options,
    }
    record = Record(out, key_of([*first, *pool, *judges], settings))
    asked = _Asked(
        pool, level, goal, batch, budget, error, misfit, workers_with(client, workers), client, seed
    )
    of_fit = {"baseline": baseline, "spec": spec, "seed": seed, "progress": False, **options}
    of_fit |= {"test": judges} if judges else {}
    ways = ["active", "random"] if compare else ["active"]
    with record, warnings.catch_warnings():
        # what a handful of labels lacks is what this is about
        warnings.simplefilter("ignore", LabelWarning)
        first = asked.labelled(first, record)
        single = [a for a in first if labels.is_isolated(a)]
        first = [a for a in first if not labels.is_isolated(a)]
        branches = [Branch(how, [*first], single, of_fit, members) for how in ways]
        with tqdm(total=budget, desc="labels", unit="label", disable=not progress) as bar:
            run = _Run(asked, branches, record, judges, bar, watch)
            stopped = run.to_the_end()
            report = branches[0].whole()
            if out is not None:
                report.save(Path(out) / "potential")
            run.tell("done", done=True)
    return LearnReport(
        report,
        history_of(record),
        decisions_of(record, pool),
        [*single, *branches[0].frames],
        stopped,
        {branch.how: len(branch.frames) - len(first) for branch in branches},
    )


@dataclass(frozen=True)
class _Asked:
    """What `learn` was asked; see there."""

    pool: Sequence[Atoms]
    level: str | Calculator | None
    goal: Goal | None
    batch: int
    budget: int
    error: float | None
    misfit: float
    workers: int | None
    client: Any
    seed: int

    def labelled(self, frames: Sequence[Atoms], record: Record) -> list[Atoms]:
        """The frames with labels; those that cannot be labelled are left out.

        Raises:
            LabelError: there is no level, and a frame has no label.
        """
        bare = [k for k, atoms in enumerate(frames) if not labels.complete(atoms)]
        if not bare:
            return list(frames)
        if self.level is None:
            raise LabelError(
                f"{frames[bare[0]].symbols} has no label; pass level=, at which to label it"
            )
        asked = [frames[k] for k in bare]
        made = iter(
            label(
                asked,
                self.level,
                out=record.labels,
                workers=self.workers,
                client=self.client,
                progress=False,
            )
        )
        found: dict[int, Atoms] = {k: a for k, a in enumerate(frames) if k not in set(bare)}
        following = next(made, None)
        for k in bare:  # in order, those that failed left out
            if following is not None and _same(following, frames[k]):
                found[k] = following
                # an earlier way of choosing may have asked for it under another number
                following.info |= frames[k].info
                following = next(made, None)
        return [found[k] for k in sorted(found)]


def _same(first: Atoms, second: Atoms) -> bool:
    """Whether two frames are one structure, as far as files keep positions."""
    return len(first) == len(second) and np.allclose(first.positions, second.positions, atol=1e-6)


@dataclass
class _Run:
    """A run of learning under way."""

    asked: _Asked
    branches: Sequence[Branch]
    record: Record
    judges: Sequence[Atoms]
    bar: tqdm
    watch: Callable[[LearnProgress], object] | None

    def to_the_end(self) -> str:
        """Round after round; returns why it ended."""
        asked, active = self.asked, self.branches[0]
        for number in itertools.count():
            for branch in self.branches:
                self._measure(branch)
            reached = self.record.measured("active", len(active.frames)) or {}
            if asked.error is not None and reached[FORCES] <= asked.error:
                return f"the force error on test frames is below {asked.error:g} meV/Å"
            left = len(asked.pool) - len(active.tried)
            count = min(asked.batch, asked.budget - len(active.frames), left)
            if not left:
                return "all candidates have been tried"
            if count <= 0:
                return f"the budget of {asked.budget} labels is spent"
            for branch in self.branches:
                self._advance(branch, number, count)
        raise AssertionError("unreachable")

    def _measure(self, branch: Branch) -> None:
        if self.record.measured(branch.how, len(branch.frames)) is None:
            self.tell(f"fitting ({branch.how})")
            self.record.add(measured(branch, self._judge))

    def _judge(self) -> Callable[[Potential], Evaluation | None]:
        if not hasattr(self, "_judging"):
            self._judging = judge_of(self.judges, self.branches[0])
        return self._judging

    def _advance(self, branch: Branch, number: int, count: int) -> None:
        """Choose, label and learn; what was decided before a restart is not decided again."""
        pool, record = self.asked.pool, self.record
        decision = record.decision(branch.how, number)
        if decision is None:
            self.tell(f"choosing ({branch.how})")
            decision = self._decide(branch, count) | {"how": branch.how, "round": number}
            record.add(decision)
        self.tell(f"labelling ({branch.how})")
        chosen = [pool[k].copy() for k in decision["chosen"]]
        for atoms, k in zip(chosen, decision["chosen"], strict=True):
            atoms.calc = pool[k].calc
            atoms.info["candidate"] = k
        new = self.asked.labelled(chosen, record)
        if record.outcome(branch.how, number) is None:
            errors = dict(
                zip((a.info["candidate"] for a in new), branch.errors_on(new), strict=True)
            )
            before = [errors.get(k) for k in decision["chosen"]]
            record.add({"how": branch.how, "labelled": number, "error_before": before})
        branch.take(decision["chosen"], new)

    def _decide(self, branch: Branch, count: int) -> dict[str, Any]:
        asked, tried = self.asked, set(branch.tried)
        left = [k for k in range(len(asked.pool)) if k not in tried]
        if branch.how == "random":
            order = np.random.default_rng([asked.seed, 7]).permutation(len(asked.pool)).tolist()
            return {"chosen": [k for k in order if k not in tried][:count]}
        some = [asked.pool[k] for k in left]
        found = choose(branch.grown, some, asked.goal, count, misfit=asked.misfit, seed=asked.seed)
        return {
            "chosen": [left[c.index] for c in found],
            "gain": [c.gain for c in found],
            "goal_std": [c.std for c in found],
            "misfit": [c.misfit for c in found],
        }

    def tell(self, doing: str, done: bool = False) -> None:
        """Show how far it is."""
        count = len(self.branches[0].frames)
        self.bar.n = count
        self.bar.refresh()
        if self.watch is not None:
            history, decisions = history_of(self.record), decisions_of(self.record, self.asked.pool)
            self.watch(LearnProgress(count, self.asked.budget, history, decisions, doing, done))


def history_of(record: Record) -> pd.DataFrame:
    """What was measured, one line for each number of labels and way of choosing."""
    return pd.DataFrame([line for line in record.lines if "seconds" in line])


def decisions_of(record: Record, pool: Sequence[Atoms]) -> pd.DataFrame:
    """What was chosen, one line for each candidate; see `LearnReport.decisions`."""
    rows = []
    for line in record.lines:
        if "chosen" not in line:
            continue
        outcome = record.outcome(line["how"], line["round"]) or {}
        for place, candidate in enumerate(line["chosen"]):
            info = pool[candidate].info
            row = {"how": line["how"], "round": line["round"], "candidate": candidate}
            row["sampling"] = info.get("subset", info.get("sampling", ""))
            row |= {
                name: line[name][place] for name in ("gain", "goal_std", "misfit") if name in line
            }
            row["error_before"] = (outcome.get("error_before") or [None] * 999)[place]
            rows.append(row)
    return pd.DataFrame(rows)
