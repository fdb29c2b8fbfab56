"""Which molecules to evaluate next: the best, or those that rows depend on; in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import norm

from interpmd.design.rows import Rows, dense, moebius_weights
from interpmd.design.scaffold import Design

ACQUISITIONS = ("thompson", "expected_improvement", "rows")

#: Molecules that are looked at for those from which most rows become certain.
LOOKED_AT = 600


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
            "rows": those that leave the least variance of all rows, one after the other
            (A-optimal: Chaloner and Verdinelli, Statistical Science 10, 273, 1995).
        sign: 1 for the largest value, -1 for the smallest.
        rng: of draws.
    """
    if how == "rows":
        return most_certain(rows, open_designs, likely, count, rng)
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
        means, bars = believed.predict(open_designs)
        gain, bars = sign * means - best, np.maximum(bars, 1e-12)
        z = gain / bars
        place = take((gain * norm.cdf(z) + bars * norm.pdf(z)) * likely)
        at = open_designs[place : place + 1]
        believed = believed.with_values(at, believed.predict(at)[0])
    return chosen


def most_certain(
    rows: Rows,
    open_designs: Int[np.ndarray, "m sites"],
    likely: Float[np.ndarray, " m"],
    count: int,
    rng: np.random.Generator,
) -> list[Design]:
    """Molecules that leave the least variance in the rows of all of them, one after the other.

    The gain of evaluating x is sum_r cov(r, f(x))^2 / (var f(x) + noise) over the rows r, times
    the chance that x is sound; where there are more than `LOOKED_AT`, so many are looked at.
    """
    part = np.arange(len(open_designs))
    if len(part) > LOOKED_AT:
        part = rng.choice(part, LOOKED_AT, replace=False)
    molecules: dict[Design, int] = {}
    asked: list[dict[int, float]] = []
    for design in open_designs[part].tolist():
        parts, signs = moebius_weights(tuple(design))
        places = [molecules.setdefault(one, len(molecules)) for one in parts]
        whole = signs[tuple(s for s, group in enumerate(design) if group)]
        asked.append({places[k]: weight for k, weight in whole.items()})
    own = [molecules[tuple(design)] for design in open_designs[part].tolist()]
    _, covariance = rows.combined(list(molecules), np.eye(len(molecules)))
    of_rows = dense(asked, len(molecules)) @ covariance[:, own]
    covariance, noise = covariance[np.ix_(own, own)], rows.kernel.noise * rows.scale**2
    free, chosen = np.ones(len(part), dtype=bool), []
    for _ in range(min(count, len(part))):
        variance = np.diag(covariance) + noise
        gain = (of_rows**2).sum(0) / variance * likely[part]
        place = int(np.where(free, gain, -np.inf).argmax())
        free[place] = False
        chosen.append(tuple(open_designs[part[place]].tolist()))
        known = covariance[:, place].copy() / variance[place]
        of_rows = of_rows - np.outer(of_rows[:, place], known)
        covariance = covariance - np.outer(covariance[:, place], known)
    return chosen


def evenly(
    designs: Int[np.ndarray, "m sites"], count: int, rng: np.random.Generator
) -> list[Design]:
    """Molecules by chance, equally many of each set of substituted sites."""
    turns: dict[tuple[bool, ...], int] = {}
    placed = []
    for design in rng.permutation(designs).tolist():
        sites = tuple(group > 0 for group in design)
        turns[sites] = turns.get(sites, 0) + 1
        placed.append((turns[sites], tuple(design)))
    placed.sort(key=lambda pair: pair[0])
    return [design for _, design in placed[:count]]


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
