"""Rotations: the couplings that turn products of spherical harmonics into invariants.

Couplings are computed numerically, as the one tensor that no rotation changes, without a table of
Clebsch-Gordan coefficients and its phase conventions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from interpmd.errors import ArgumentError
from interpmd.potentials.expansion.angular import block, harmonics, random_directions


class Candidate(NamedTuple):
    """An inner product of two blocks of V, of which an invariant may be made."""

    degree: int
    first: int
    second: int


class Block(NamedTuple):
    """A block of V = (A, T): A itself at one l, or two factors of A coupled to a degree.

    Attributes:
        l: degree of the block.
        parity: 1 if the coupling changes sign under inversion.
        factors: degrees of the two A; None for a block of A.
        label: for people.
    """

    l: int
    parity: int
    factors: tuple[int, int] | None
    label: str


@lru_cache
def coupling(a: int, b: int, c: int) -> np.ndarray:
    """The invariant tensor t_abc of three degrees, unit norm, shape (2a+1, 2b+1, 2c+1).

    sum_abc t_abc x_a y_b z_c is unchanged when one rotation acts on x, y and z. The sign is a
    convention; for odd a + b + c it is antisymmetric and changes sign under inversion.

    Raises:
        ArgumentError: the three degrees do not satisfy the triangle inequality.
    """
    if not abs(a - b) <= c <= a + b:
        raise ArgumentError(f"degrees {a}, {b}, {c} cannot be coupled")
    size = (2 * a + 1) * (2 * b + 1) * (2 * c + 1)
    moment = np.zeros((size, size))
    for rotation in _random_rotations(3):
        each = [_representation(l, rotation) for l in (a, b, c)]
        change = np.kron(np.kron(each[0], each[1]), each[2]) - np.eye(size)
        moment += change.T @ change
    values, vectors = np.linalg.eigh(moment)
    if not values[0] < 1e-10 < np.append(values, np.inf)[1]:
        raise ArithmeticError(f"no unique coupling of degrees {a}, {b}, {c}: {values[:2]}")
    # the sign by a product with irregular numbers: the largest component would not do, since
    # equal ones differ by rounding, and the sign must be the same on every machine
    side = vectors[:, 0] @ np.cos(1 + 2 * np.arange(size) ** 2)
    if abs(side) < 1e-3:
        raise ArithmeticError(f"the sign of the coupling of degrees {a}, {b}, {c} is not safe")
    tensor = vectors[:, 0] * np.sign(side)
    return np.where(np.abs(tensor) < 1e-13, 0.0, tensor).reshape(2 * a + 1, 2 * b + 1, 2 * c + 1)


@dataclass(frozen=True)
class Couplings:
    """Recipe for the invariants of degree 2 to 4 of one channel's density A (all degrees l).

    With V = (A, T), where T = A x A coupled to intermediate degrees, every invariant is an inner
    product of two blocks of V. Those kept are linearly independent as polynomials.

    Attributes:
        pairs: index pairs (i <= j) of the products A_i A_j, shape (2, products).
        quadratic: T = (A_i A_j) @ quadratic, shape (products, components of T).
        left, right: components of V multiplied with each other, shape (terms,).
        owner: invariant that a product belongs to, shape (terms,).
        weight: factor of each product, shape (terms,).
        degree: number of factors A of each invariant, shape (invariants,).
        labels: how each invariant is built, for people.
    """

    pairs: np.ndarray
    quadratic: np.ndarray
    left: np.ndarray
    right: np.ndarray
    owner: np.ndarray
    weight: np.ndarray
    degree: np.ndarray
    labels: tuple[str, ...]


@lru_cache
def couplings(lmax: int, degrees: tuple[int, ...], intermediate: int | None = None) -> Couplings:
    """All independent invariants of the given degrees (2 to 4) with l up to lmax.

    Sums of l that are odd are included where they survive: two odd intermediate couplings
    multiply to a proper scalar (degree 4).

    Args:
        lmax: largest degree l of the density.
        degrees: which of 2, 3, 4.
        intermediate: largest degree of T; lmax if None.
    """
    intermediate = lmax if intermediate is None else intermediate
    blocks = [Block(l, 0, None, f"{l}") for l in range(lmax + 1)]
    for c in range(intermediate + 1):
        for a, b in itertools.combinations_with_replacement(range(lmax + 1), 2):
            odd = (a + b + c) % 2
            if abs(a - b) <= c <= a + b and not (odd and a == b):
                blocks.append(Block(c, odd, (a, b), f"({a}{b}){c}"))
    candidates = []
    for (first, x), (second, y) in itertools.combinations_with_replacement(enumerate(blocks), 2):
        degree = (2 if x.factors else 1) + (2 if y.factors else 1)
        if degree in degrees and x.l == y.l and x.parity == y.parity:
            candidates.append(Candidate(degree, first, second))
    candidates.sort(key=lambda c: (c.degree, blocks[c.first].l, c.first, c.second))
    pairs = np.array(list(itertools.combinations_with_replacement(range((lmax + 1) ** 2), 2))).T
    quadratic, offsets = _quadratic(blocks, pairs, lmax)
    kept = _independent(candidates, blocks, pairs, quadratic, offsets, lmax)
    left, right, owner, weight, labels = [], [], [], [], []
    for index, (_, first, second) in enumerate(kept):
        width = 2 * blocks[first].l + 1
        left.append(offsets[first] + np.arange(width))
        right.append(offsets[second] + np.arange(width))
        owner.append(np.full(width, index))
        weight.append(np.full(width, 1 / math.sqrt(width)))
        labels.append(f"{blocks[first].label}·{blocks[second].label}")
    left, right, owner, weight = (np.concatenate(part) for part in (left, right, owner, weight))
    linear = (lmax + 1) ** 2
    used = np.unique(np.concatenate([left, right, np.arange(linear)]))
    return Couplings(
        pairs,
        quadratic[:, used[linear:] - linear],
        np.searchsorted(used, left),
        np.searchsorted(used, right),
        owner,
        weight,
        np.array([degree for degree, _, _ in kept]),
        tuple(labels),
    )


def _quadratic(
    blocks: Sequence[Block], pairs: np.ndarray, lmax: int
) -> tuple[np.ndarray, dict[int, int]]:
    """Matrix from products A_i A_j to T, and where each block starts in V = (A, T)."""
    first = (lmax + 1) ** 2
    columns, offsets, place = [], {}, first
    for index, (c, _, factors, _) in enumerate(blocks):
        if factors is None:
            offsets[index] = c * c
            continue
        a, b = factors
        full = np.zeros((first, first, 2 * c + 1))
        full[block(a), block(b)] = coupling(a, b, c) * math.sqrt(2 * c + 1)
        symmetric = full + full.transpose(1, 0, 2)
        symmetric[np.arange(first), np.arange(first)] /= 2
        columns.append(symmetric[pairs[0], pairs[1]])
        offsets[index] = place
        place += 2 * c + 1
    return np.concatenate(columns, axis=1), offsets


def _independent(
    candidates: Sequence[Candidate],
    blocks: Sequence[Block],
    pairs: np.ndarray,
    quadratic: np.ndarray,
    offsets: dict[int, int],
    lmax: int,
) -> list[Candidate]:
    """Candidates that are linearly independent polynomials, earlier ones preferred."""
    rng = np.random.default_rng(0)
    density = rng.normal(size=(4 * len(candidates) + 50, (lmax + 1) ** 2))
    vector = np.concatenate([density, (density[:, pairs[0]] * density[:, pairs[1]]) @ quadratic], 1)
    kept, basis = [], np.zeros((len(density), 0))
    for candidate in candidates:
        _, first, second = candidate
        width = np.arange(2 * blocks[first].l + 1)
        value = (vector[:, offsets[first] + width] * vector[:, offsets[second] + width]).sum(1)
        value /= np.linalg.norm(value)
        rest = value
        for _ in range(2):  # once more, since rounding leaves some of the basis behind
            rest = rest - basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-7:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            kept.append(candidate)
    return kept


def _random_rotations(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    matrices = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(count)]
    return [m * np.sign(np.linalg.det(m)) for m in matrices]


def _representation(l: int, rotation: np.ndarray) -> np.ndarray:
    """D with Y_l(R u) = D Y_l(u)."""
    directions = random_directions(10 * (2 * l + 1))
    before = harmonics(directions, l)[:, block(l)]
    after = harmonics(directions @ rotation.T, l)[:, block(l)]
    return np.linalg.lstsq(before, after, rcond=None)[0].T
