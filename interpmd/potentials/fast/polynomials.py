"""Invariants as sums of products of the density's components, as few of them as may be.

Every invariant is a polynomial in the density A of one channel with fixed, sparse coefficients
(`interpmd.potentials.expansion.rotations.couplings`):

    T_r = sum_ij c_rij A_i A_j        V = (A, T)        B_p = sum_t s_t V_left(t) V_right(t)

What it costs is the number of products A_i A_j and of coefficients c. Products of the same two
degrees l are formed once for all T that they enter. An invariant of three factors may couple any
two of them first, and couples those that others couple too: with l up to 4 there are then 122
products in place of 293.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt

from interpmd.potentials.expansion.rotations import couplings

#: The sum of a T: (i, j, c), i <= j.
Row = list[tuple[int, int, float]]


@dataclass(frozen=True)
class Coupling:
    """The T of factors of two degrees l.

    Attributes:
        products: (i, j) with i <= j, and which T_r the product enters how much.
    """

    products: tuple[tuple[int, int, tuple[tuple[int, float], ...]], ...]


@dataclass(frozen=True)
class Polynomial:
    """The invariants of one degree as sums of products.

    Attributes:
        couplings: all T that are used.
        terms: (invariant, left, right, factor), indices of V = (A, T).
        components: number of components of A.
        count: number of invariants.
    """

    couplings: tuple[Coupling, ...]
    terms: tuple[tuple[int, int, int, float], ...]
    components: int
    count: int


@lru_cache
def polynomial(degree: int, lmax: int) -> Polynomial:
    """The invariants of a degree, in the order of the expansion's features."""
    if degree == 1:
        return Polynomial((), (), 1, 1)
    recipe = couplings(lmax, (degree,))
    lists = (recipe.owner, recipe.left, recipe.right, recipe.weight)
    terms = list(zip(*(part.tolist() for part in lists), strict=True))
    components, count = (lmax + 1) ** 2, len(recipe.degree)
    pairs = recipe.pairs.T.tolist()
    rows: dict[int, Row] = {}
    for r, column in enumerate(recipe.quadratic.T.tolist(), start=components):
        rows[r] = [(i, j, c) for (i, j), c in zip(pairs, column, strict=True) if c]
    if degree == 3:
        rows, terms = _thrifty(rows, terms, components)
    return Polynomial(_by_degrees(rows), tuple(terms), components, count)


def _thrifty(
    rows: dict[int, Row], terms: Iterable[tuple[int, int, int, float]], components: int
) -> tuple[dict[int, Row], list[tuple[int, int, int, float]]]:
    """Invariants of three factors anew, as B_p = sum_k A_k T_pk: rows and terms.

    Two factors of one degree l are coupled first, or else those of the lowest.
    """
    forms: dict[int, dict[tuple[int, ...], float]] = defaultdict(lambda: defaultdict(float))
    for p, left, right, factor in terms:
        single, coupled = min(left, right), max(left, right)
        for i, j, c in rows[coupled]:
            forms[p][tuple(sorted((i, j, single)))] += factor * c
    found: dict[tuple[int, int], Row] = defaultdict(list)
    for p, form in sorted(forms.items()):
        a, b, c = (isqrt(i) for i in next(iter(form)))  # components are ordered by l
        last = 0 if a < b == c else 2
        for monomial, value in sorted(form.items()):
            i, j = (m for place, m in enumerate(monomial) if place != last)
            found[p, monomial[last]].append((i, j, value))
    places = {key: components + n for n, key in enumerate(sorted(found))}
    again = [(p, k, places[p, k], 1.0) for p, k in places]
    return {places[key]: row for key, row in found.items()}, again


def _by_degrees(rows: dict[int, Row]) -> tuple[Coupling, ...]:
    """The T of each two degrees l together, each of their products once."""
    groups: dict[tuple[int, int], dict[tuple[int, int], list[tuple[int, float]]]] = {}
    for r, row in rows.items():
        for i, j, c in row:
            group = groups.setdefault((isqrt(i), isqrt(j)), {})
            group.setdefault((i, j), []).append((r, c))
    return tuple(
        Coupling(tuple((i, j, tuple(entries)) for (i, j), entries in sorted(group.items())))
        for _, group in sorted(groups.items())
    )
