"""A search by a potential that learns what it lacks: explore, label unknown parts, fit, explore.

A potential ranks molecules in milliseconds and is wrong about groups that it never saw. After each
search the best molecules, and those that it could not do at all, are cut into capped groups
(`interpmd.known_fragments`); the ones that its training data lack are labelled by the reference and
learned (`interpmd.cure`), and the space is searched anew. That the parts are known is not enough: a
relaxation may lead where no data are. It is ended there, by the extrapolation grade, and the
structure at which it ended is labelled as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd import arguments
from interpmd.design.evaluate import LEFT_DATA, Effort, Evaluated, evaluate
from interpmd.design.exploration import Exploration
from interpmd.design.geometry import first_guesses
from interpmd.design.groups import Groups
from interpmd.design.objectives import Objective, objective_of
from interpmd.design.run import explore
from interpmd.errors import DesignError, InterpmdError
from interpmd.fitting.closed_form import fit as fit_potential
from interpmd.fitting.report import FitReport
from interpmd.potentials import Potential
from interpmd.structures.files import Structures, prepare_output, read_frames
from interpmd.trust.known_fragments import known_fragments
from interpmd.trust.treatment import cure

#: Extrapolation grade up to which a potential is believed while it relaxes.
BELIEVED = 3.0


@dataclass(frozen=True)
class Learned:
    """What a search that learns found.

    Attributes:
        exploration: the last one, by the last potential.
        potential: that learned.
        labels: frames that the reference labelled on the way.
        log: one row for each round: molecules evaluated, not sound, left (of these, relaxations
            that ended where the potential knows nothing), lacking (fragments that the best of them
            need and the data lacked), labels (made for both), best (its groups), value by the
            potential and by the reference (in the objective's unit).
    """

    exploration: Exploration
    potential: Potential
    labels: tuple[Atoms, ...]
    log: pd.DataFrame

    def __repr__(self) -> str:
        rounds, made = len(self.log), int(self.log["labels"].sum())
        return f"{rounds} rounds, {made} labels by the reference; {self.exploration!r}"


def explore_and_learn(
    scaffold: str,
    fitted: Potential | FitReport,
    train: Structures,
    sites: Mapping[int, Groups] | Sequence[int] | None = None,
    groups: Groups | None = None,
    objective: str | Objective | Callable[[Atoms], float] = "gap",
    *,
    out: str | Path,
    rounds: int = 2,
    check: int = 5,
    most: int = 60,
    level: str | None = None,
    effort: Effort | None = None,
    fit: Mapping[str, Any] | None = None,
    **options: Any,
) -> Learned:
    """Search with a potential, label what it lacks for the best molecules, learn, search again.

    Args:
        scaffold, sites, groups, objective, effort: see `explore`.
        fitted: the potential to begin with, or the report of its fit.
        train: frames that it was fitted to.
        out: folder for the searches ("round-0.jsonl", ...) and the potentials.
        rounds: of learning, at most; it ends when the best need nothing that the data lack and no
            relaxation left them.
        check: the best molecules whose parts are looked at in each round, and as many of those
            that the potential could not do.
        most: labels of a round, at most; structures at which relaxations ended come first, half
            of them if fragments are lacking.
        level: of the labels; that of the potential if None.
        fit: options of `cure`, which fits.
        options: of `explore`, such as `budget`.

    Raises:
        ArgumentError, DesignError: see `explore`.
        LabelError: the potential does not say how it was fitted, or at which level.
        OutputError: `out` cannot be written.
    """
    arguments.count(0, rounds=rounds)
    arguments.count(check=check, most=most)
    arguments.of_functions([explore], options, "explore_and_learn")
    arguments.of_functions([cure, fit_potential], fit or {}, "fit=")
    folder = Path(out)
    prepare_output(folder / "round-0.jsonl")
    sought, effort = objective_of(objective), effort or Effort()
    watched = effort if effort.grade is not None else replace(effort, grade=BELIEVED)
    potential = fitted.potential if isinstance(fitted, FitReport) else fitted
    arguments.of_class(Potential, fitted=potential)
    reference = level or potential.card.level
    if not reference:
        raise DesignError("the potential does not name its level of theory; pass level=")
    frames, made, log = list(read_frames(train)), [], []
    for number in range(rounds + 1):
        try:
            found = explore(
                scaffold,
                sites,
                groups,
                sought,
                potential,
                effort=watched,
                out=folder / f"round-{number}.jsonl",
                **options,
            )
        except DesignError as error:  # it may know none of the first molecules
            if not isinstance(error.report, Exploration) or number == rounds:
                raise
            found = error.report
        asked = known_fragments(_to_check(found, check), frames)
        ended = _ended(found)
        row = _row(found, sought, reference, effort, len(asked.lacking))
        log.append(row)
        if (asked.covered and not ended) or number == rounds:
            break
        place = folder / f"potential-{number + 1}"
        ended = ended[: most if asked.covered else most // 2]
        report = cure(
            potential, frames, level, asked=asked, also=ended, most=most, out=place,
            progress=False, **(fit or {}),
        )  # fmt: skip
        labels = read_frames(place.with_name(place.name + "-labels.extxyz"))
        row["labels"] = len(labels)
        made += labels
        frames += labels
        potential = report.potential
    return Learned(found, potential, tuple(made), pd.DataFrame(log))


def _to_check(found: Exploration, count: int) -> list[Atoms]:
    """The best molecules, and some of those without a value, as structures."""
    valued = [one for one in found.evaluated if one.value is not None]
    valued.sort(key=lambda one: -found.sign * float(one.value or 0.0))
    without = [one for one in found.evaluated if one.value is None]
    structures = []
    for one in [*valued[:count], *without[:count]]:
        if one.structures and one.reason is None:
            structures += one.structures.values()
            continue
        try:
            structures.append(first_guesses(found.space.molecule(one.design))[0])
        except InterpmdError:
            continue
    if not structures:
        raise DesignError(f"no molecule could be built: {found.evaluated[0].reason}")
    return structures


def _ended(found: Exploration) -> list[Atoms]:
    """Structures at which relaxations left what the potential knows, the best molecules' first."""
    order = sorted(
        found.evaluated,
        key=lambda one: (one.value is None, -found.sign * float(one.value or 0.0)),
    )
    structures = []
    for one in order:
        for words in (one.reason or "").split("; "):
            state = words.split(": ")[0]
            if LEFT_DATA in words and state in one.structures:
                structures.append(one.structures[state])
    return structures


def _row(
    found: Exploration, sought: Objective, level: str, effort: Effort, lacking: int
) -> dict[str, Any]:
    """A line of the log, the best molecule computed by the reference as well."""
    row: dict[str, Any] = {
        "molecules": len(found.evaluated),
        "not sound": sum(not one.sound for one in found.evaluated),
        "left": sum(LEFT_DATA in (one.reason or "") for one in found.evaluated),
        "lacking": lacking,
        "labels": 0,
        "best": "",
        "value": np.nan,
        "reference": np.nan,
    }
    if not found.sound:
        return row
    best = found.winner
    right: Evaluated = evaluate(found.space, sought, level, effort, best)
    return row | {
        "best": found.space.key(best),
        "value": found.sound[best],
        "reference": np.nan if right.value is None or not right.sound else right.value,
    }
