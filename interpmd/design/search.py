"""Which molecules a search evaluates, batch after batch, whoever evaluates them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from interpmd import arguments
from interpmd.design.acquire import ACQUISITIONS, evenly, first_batch, next_batch, soundness
from interpmd.design.evaluate import Evaluated
from interpmd.design.exploration import Exploration
from interpmd.design.scaffold import Design, Space
from interpmd.errors import DesignError

#: At most one in so many evaluations goes to the parts of the best.
MOST_FOR_PARTS = 4


def rehearse(
    space: Space,
    known: Mapping[Design, Evaluated],
    budget: int,
    batch: int = 10,
    acquisition: str = "expected_improvement",
    seed: int = 0,
    objective: str = "known values",
    unit: str = "eV",
    maximize: bool = True,
    order: int = 2,
    parts: int = 1,
) -> Exploration:
    """A search in a space whose molecules are all known: what it would have found, and how soon.

    Args:
        space: the molecules.
        known: what evaluating each would give.
        budget, batch, acquisition, seed, maximize, order, parts: see `explore`.
        objective, unit: what the values are.

    Raises:
        DesignError: a molecule of the space is not known.
    """
    arguments.count(budget=budget, batch=batch, order=order)
    arguments.count(0, parts=parts)
    arguments.one_of(ACQUISITIONS, acquisition=acquisition)
    if missing := [design for design in space.designs() if space.first_of(design) not in known]:
        raise DesignError(
            f"{len(missing)} molecules are not known, such as {space.key(missing[0])}"
        )
    state = Exploration(space, (), objective, unit, "known values", maximize, order)
    found: dict[Design, Evaluated] = {}
    for designs in batches(state, found, budget, batch, acquisition, seed, parts):
        found |= {design: known[design] for design in designs}
    return replace(state, evaluated=tuple(found.values()))


def batches(
    state: Exploration,
    known: Mapping[Design, Evaluated],
    budget: int,
    batch: int,
    how: str,
    seed: int,
    parts: int = 0,
) -> Iterator[list[Design]]:
    """Molecules to evaluate next, of those that are the same only one.

    Args:
        state: space, sense and order of the search.
        known: what was evaluated; it is to hold each batch before the next is asked for.
        budget: molecules in all.
        batch: molecules between two looks at the model.
        how: see `interpmd.design.acquire.next_batch`.
        seed: of draws.
        parts: of the best so many; see `explore`.
    """
    space = state.space
    sizes = [len(groups) for groups in space.groups]
    every = [design for design in space.designs() if space.first_of(design) == design]
    while len(known) < min(budget, len(every)):
        rng = np.random.default_rng([seed, len(known)])
        left, room, lacking = budget - len(known), 0, []
        if parts and how != "rows":
            lacking = [part for part in parts_of_best(state, known, parts) if part not in known]
            room = min(parts * _count(state), budget // MOST_FOR_PARTS)
        if lacking and left <= room:
            yield lacking[: min(batch, left)]
            continue
        count = min(batch, left - room if left > room else left)
        open_ones = np.array([design for design in every if design not in known], dtype=int)
        values = [float(one.value) for one in known.values() if one.sound and one.value is not None]
        groups_of_open = (open_ones > 0).sum(1)
        if how == "rows" and groups_of_open.min() <= state.order:
            # rows of few groups are of molecules of few groups
            few = groups_of_open <= max(1, min(groups_of_open.min(), state.order))
            open_ones = open_ones[few]
        start = [
            design
            for design in first_batch(sizes, max(sizes) + 1, np.random.default_rng(seed))
            if space.first_of(design) == design and design not in known
        ]
        most = max((sum(group > 0 for group in design) for design in known), default=0)
        if how == "rows" and groups_of_open.min() <= 1:
            yield [tuple(design) for design in open_ones[:count].tolist()]
        elif how == "rows" and groups_of_open.min() > most:  # nothing says how large such rows are
            yield evenly(open_ones, count, rng)
        elif start and len(known) <= max(sizes) and how != "rows":
            yield start[:count]
        elif len(values) < 3:
            yield [tuple(design) for design in rng.permutation(open_ones)[:count].tolist()]
        else:
            rows = replace(state, evaluated=tuple(known.values())).rows
            sound = [one.sound for one in known.values()]
            likely = soundness(sizes, list(known), sound, open_ones)
            best = max(state.sign * value for value in values)
            yield next_batch(rows, open_ones, likely, best, count, how, state.sign, rng)


def parts_of_best(
    state: Exploration, known: Mapping[Design, Evaluated], count: int
) -> list[Design]:
    """Molecules whose values the rows of the best so many molecules are made of, smallest first.

    Args:
        state: space, sense and order of the search; rows are of at most so many groups.
        known: what was evaluated.
        count: of the best sound molecules.
    """
    found: dict[Design, None] = {}
    for best in replace(state, evaluated=tuple(known.values())).ranked[:count]:
        on = [s for s, group in enumerate(best) if group]
        for size in range(min(state.order, len(on)) + 1):
            for kept in itertools.combinations(on, size):
                part = tuple(group if s in kept else 0 for s, group in enumerate(best))
                found[state.space.first_of(part)] = None
    return sorted(found, key=lambda part: sum(group > 0 for group in part))


def _count(state: Exploration) -> int:
    """Molecules that the rows of one with a group at every site need, without the bare scaffold."""
    sites = sum(len(groups) > 1 for groups in state.space.groups)
    return sum(math.comb(sites, k) for k in range(1, min(state.order, sites - 1) + 1))
