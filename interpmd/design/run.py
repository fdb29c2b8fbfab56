"""The search: propose a batch, evaluate it, learn rows, again, until the budget is spent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import starmap
from pathlib import Path

from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd import arguments
from interpmd.design.acquire import ACQUISITIONS
from interpmd.design.evaluate import Effort, Evaluated, evaluate
from interpmd.design.exploration import Exploration
from interpmd.design.groups import Groups
from interpmd.design.objectives import Objective, objective_of
from interpmd.design.scaffold import Design, Space, space_of
from interpmd.design.search import batches, parts_of_best
from interpmd.design.store import DesignStore
from interpmd.errors import DesignError, OutputError
from interpmd.levels import resolve
from interpmd.potentials import Potential
from interpmd.reference.workers import Killed, in_order

#: Molecules without a single value after which a search ends: the fault is not theirs.
ENOUGH = 5

#: Times the guesses for the best molecules, and rounds in which others take their place.
HARDER, ROUNDS = 4, 5


def explore(
    scaffold: str,
    sites: Mapping[int, Groups] | Sequence[int] | None = None,
    groups: Groups | None = None,
    objective: str | Objective | Callable[[Atoms], float] = "gap",
    model: str | Calculator | Potential = "gfn2-xtb",
    *,
    budget: int = 100,
    batch: int = 10,
    maximize: bool = True,
    acquisition: str = "expected_improvement",
    order: int = 2,
    effort: Effort | None = None,
    confirm: int = 3,
    parts: int = 1,
    workers: int = 1,
    out: str | Path | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Exploration:
    """Search a space of substituted molecules for the best, and learn why it is.

    Args:
        scaffold: SMILES with sites ``[*:1]``, ``[*:2]``, ...; atoms that an objective names carry
            numbers, ``[O:11]``.
        sites: those that change, or the groups of each; all with `groups` if None.
        groups: names of `interpmd.design.groups.COMMON`, SMILES with ``*`` for the open valence,
            or both by name; the thirty common ones if None. Hydrogen, "absent", is always tried.
        objective: one of `interpmd.design.objectives`, its name, or any function of a relaxed
            structure with the model attached.
        model: level of theory, ASE calculator or potential that relaxes and evaluates.
        budget: molecules evaluated in all, those in `out` included.
        batch: evaluated between two looks at the model of rows.
        maximize: whether the largest value is sought, or the smallest.
        acquisition: "expected_improvement", "thompson", which tries more, or "rows" to learn rows:
            all molecules with one group, then those with two of which least is known.
        order: most groups of a row; what is beyond has no structure (1 is additive).
        effort: guesses, steps and largest force of relaxations.
        confirm: the best so many are computed again at the end with four times the guesses, and
            what takes their place too, since the highest values are those that missed a lower
            structure; their normal modes are looked at as well. 0 for none.
        parts: the last evaluations, a quarter at most, go to the parts of the best so many
            molecules (their groups alone and in company of up to `order`, hydrogen elsewhere), so
            that their rows are measured; 0 for none. With `confirm` they too are computed with
            more guesses, since a row is a difference of equals.
        workers: processes, one thread each; more than one needs a script guarded by
            ``if __name__ == "__main__"`` and a model that can be pickled.
        out: file (".jsonl") that grows by one molecule at a time. The same call again goes on
            where it stopped.
        seed: of draws.
        progress: show a bar.

    Returns:
        The exploration, every molecule kept with what is wrong with it.

    Raises:
        DesignError: a scaffold, group or objective that makes no sense; the first molecules have
            no value, not one of them (`report` of the error holds the exploration).
        DesignFileError: `out` holds another exploration; it stays as it is.
        UnknownLevelError, MissingPackageError: before anything is computed.
        OutputError: `out` cannot be written; `report` of the error holds the exploration.
    """
    space = space_of(scaffold, groups, sites)
    sought = objective_of(objective)
    arguments.count(budget=budget, batch=batch, workers=workers, order=order)
    arguments.count(0, confirm=confirm, parts=parts)
    arguments.seeds(seed=seed)
    arguments.one_of(ACQUISITIONS, acquisition=acquisition)
    calculator = model.calculator() if isinstance(model, Potential) else model
    level = resolve(calculator).name
    sought.states(space.molecule((0,) * len(space.sites)))
    effort = effort or Effort()
    arguments.of_class(Effort, effort=effort)
    about = {
        "scaffold": scaffold,
        "objective": sought.key(),
        "level": level,
        "effort": f"{effort.guesses} guesses, {effort.fmax} eV/A, {effort.steps} steps",
    }
    state = Exploration(space, (), sought.name, sought.unit, level, maximize, order)
    with nullcontext() if out is None else DesignStore(Path(out), space, about) as store:
        known = {one.design: one for one in (store.load() if store else [])}
        state = replace(state, evaluated=tuple(known.values()))
        bar = _bar(min(budget, len(space)), len(known), level, progress)

        with bar:

            def compute(designs: list[Design], effort: Effort) -> None:
                jobs = [(space, sought, calculator, effort, design) for design in designs]
                for one in _outcomes(space, jobs, workers):
                    bar.update(one.design not in known)
                    known[one.design] = one
                    if store:
                        store.append(one)

            try:
                for designs in batches(state, known, budget, batch, acquisition, seed, parts):
                    compute(designs, effort)
                    if len(known) >= ENOUGH and all(one.value is None for one in known.values()):
                        raise DesignError(_nothing(known))
                harder = replace(effort, guesses=HARDER * effort.guesses, minima=True)
                for _ in range(ROUNDS if confirm else 0):
                    again = _best(known, state.sign, confirm)
                    if all(_had(known[d], harder) for d in again):
                        again = [d for d in parts_of_best(state, known, parts) if d in known]
                    again = [d for d in again if not _had(known[d], harder)]
                    if not again:
                        break
                    compute(again, harder)
            except (DesignError, OutputError) as error:
                error.report = replace(state, evaluated=tuple(known.values()))
                raise
    return replace(state, evaluated=tuple(known.values()))


def _best(known: dict[Design, Evaluated], sign: float, count: int) -> list[Design]:
    """The best sound molecules."""
    sound = [one for one in known.values() if one.sound]
    sound.sort(key=lambda one: -sign * float(one.value or 0.0))
    return [one.design for one in sound[:count]]


def _nothing(known: Mapping[Design, Evaluated]) -> str:
    """Words for a search in which no molecule has a value."""
    reasons = [one.reason or "" for one in known.values()]
    common = max(sorted(set(reasons)), key=reasons.count)
    return (
        f"none of the first {len(known)} molecules has a value, so the search ends here; "
        f"{reasons.count(common)} of them: {common}"
    )


def _had(one: Evaluated, effort: Effort) -> bool:
    return one.guesses >= effort.guesses


def _outcomes(space: Space, jobs: list[tuple], workers: int) -> Iterator[Evaluated]:
    if workers == 1 or len(jobs) < 2:
        yield from starmap(evaluate, jobs)
        return
    names = [space.key(job[-1]) for job in jobs]
    for job, result in zip(jobs, in_order(evaluate, jobs, workers, names), strict=True):
        if isinstance(result, Killed):
            design = job[-1]
            yield Evaluated(design, space.smiles(design), None, str(result))
        else:
            yield result


def _bar(total: int, done: int, level: str, progress: bool):
    from tqdm.auto import tqdm

    off = not progress or done >= total
    return tqdm(total=total, initial=done, desc=level, unit="molecule", disable=off)
