"""Which molecules a search evaluates, batch after batch, whoever evaluates them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from interpmd import arguments
from interpmd.design.acquire import ACQUISITIONS, first_batch, next_batch, soundness
from interpmd.design.evaluate import Evaluated
from interpmd.design.exploration import Exploration
from interpmd.design.scaffold import Design, Space
from interpmd.errors import DesignError

#: The weights of the model are fitted anew when so many times more molecules are known.
MORE = 1.25


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
) -> Exploration:
    """A search in a space whose molecules are all known: what it would have found, and how soon.

    Args:
        space: the molecules.
        known: what evaluating each would give.
        budget, batch, acquisition, seed, maximize, order: see `explore`.
        objective, unit: what the values are.

    Raises:
        DesignError: a molecule of the space is not known.
    """
    arguments.count(budget=budget, batch=batch, order=order)
    arguments.one_of(ACQUISITIONS, acquisition=acquisition)
    if missing := [design for design in space.designs() if space.first_of(design) not in known]:
        raise DesignError(
            f"{len(missing)} molecules are not known, such as {space.key(missing[0])}"
        )
    state = Exploration(space, (), objective, unit, "known values", maximize, order)
    found: dict[Design, Evaluated] = {}
    for designs in batches(state, found, budget, batch, acquisition, seed):
        found |= {design: known[design] for design in designs}
    return replace(state, evaluated=tuple(found.values()))


def batches(
    state: Exploration,
    known: Mapping[Design, Evaluated],
    budget: int,
    batch: int,
    how: str,
    seed: int,
) -> Iterator[list[Design]]:
    """Molecules to evaluate next, of those that are the same only one.

    Args:
        state: space, sense and order of the search.
        known: what was evaluated; it is to hold each batch before the next is asked for.
        budget: molecules in all.
        batch: molecules between two looks at the model.
        how: see `interpmd.design.acquire.next_batch`.
        seed: of draws.
    """
    space = state.space
    sizes = [len(groups) for groups in space.groups]
    every = [design for design in space.designs() if space.first_of(design) == design]
    while len(known) < min(budget, len(every)):
        rng = np.random.default_rng([seed, len(known)])
        count = min(batch, budget - len(known))
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
        if how == "rows" and groups_of_open.min() <= 1:
            yield [tuple(design) for design in open_ones[:count].tolist()]
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
