"""Which molecules to evaluate next: Thompson sampling or expected improvement, in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm

from interpmd.design.rows import Rows
from interpmd.design.scaffold import Design

ACQUISITIONS = ("thompson", "expected_improvement", "rows")

#: Molecules that are looked at for one with the largest gain in certainty.
LOOKED_AT = 2000


def first_batch(sizes: Sequence[int], count: int, rng: np.random.Generator) -> list[Design]:
    """The bare scaffold, then molecules in which every group stands at every site equally often."""
    found: list[Design] = [(0,) * len(sizes)]
    seen = set(found)
    decks: list[list[int]] = [[] for _ in sizes]
    for _ in range(50 * count):
        if len(found) >= count:
            break
        for deck, size in zip(decks, sizes, strict=True):
            if not deck:
                deck.extend(rng.permutation(size).tolist())
        design = tuple(deck.pop() for deck in decks)
        if design not in seen:
            seen.add(design)
            found.append(design)
    return found


def next_batch(
    rows: Rows,
    open_designs: Int[np.ndarray, "m sites"],
    likely: Float[np.ndarray, " m"],
    best: float,
    count: int,
    how: str,
    sign: float,
    rng: np.random.Generator,
) -> list[Design]:
    """Molecules to evaluate next, each once.

    Args:
        rows: what is known.
        open_designs: that were not evaluated.
        likely: how likely each is to be a sound molecule.
        best: largest value times `sign` so far.
        count: of the batch.
        how: "thompson": the best of one draw from the posterior after the other;
            "expected_improvement": the largest mean gain over the best, taking the means of those
            chosen already as known (Ginsbourger, Le Riche, Carraro, 2010, "kriging believer");
            "rows": where the model knows least, to learn rows rather than to win.
        sign: 1 for the largest value, -1 for the smallest.
        rng: of draws.
    """
    free = np.ones(len(open_designs), dtype=bool)
    chosen: list[Design] = []

    def take(scores: np.ndarray) -> int:
        place = int(np.where(free, scores, -np.inf).argmax())
        free[place] = False
        chosen.append(tuple(open_designs[place].tolist()))
        return place

    believed = rows
    for _ in range(min(count, len(open_designs))):
        if how == "thompson":
            drawn = sign * rows.sample(open_designs, rng)
            drawn[rng.random(len(drawn)) > likely] = -1e300
            take(drawn)
            continue
        if how == "expected_improvement":
            means, bars = believed.predict(open_designs)
            gain, bars = sign * means - best, np.maximum(bars, 1e-12)
            z = gain / bars
            place = take((gain * norm.cdf(z) + bars * norm.pdf(z)) * likely)
        else:
            part = np.flatnonzero(free)
            part = part if len(part) <= LOOKED_AT else rng.choice(part, LOOKED_AT, replace=False)
            scores = np.full(len(free), -np.inf)
            scores[part] = believed.predict(open_designs[part])[1] * likely[part]
            place = take(scores)
        at = open_designs[place : place + 1]
        believed = believed.with_values(at, believed.predict(at)[0])
    return chosen


def soundness(
    sizes: Sequence[int], designs: Sequence[Design], sound: Sequence[bool], asked: np.ndarray
) -> Float[np.ndarray, " m"]:
    """How likely molecules are to be sound, from how often each group failed at each site.

    The least of the rates of its groups, of which each counts as if it had been seen sound twice.
    """
    known = np.asarray(designs, dtype=int).reshape(-1, len(sizes))
    right = np.asarray(sound, dtype=float)
    likely = np.ones(len(asked))
    for site, size in enumerate(sizes):
        good = np.bincount(known[:, site], weights=right, minlength=size)
        seen = np.bincount(known[:, site], minlength=size)
        likely = np.minimum(likely, ((good + 2) / (seen + 2))[asked[:, site]])
    return likely
