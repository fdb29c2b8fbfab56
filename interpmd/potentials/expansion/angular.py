"""Rotations: real spherical harmonics, and the couplings that turn products into invariants.

Conventions: components of degree l are ordered m = -l..l; normalisation sum_m Y_lm(u)^2 = 2l + 1.
Couplings are found numerically, as the one tensor that all rotations leave alone, so that no
table of Clebsch-Gordan coefficients (and none of its phase conventions) enters.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def block(l: int) -> slice:
    """Components of degree l in a vector of all degrees."""
    return slice(l * l, (l + 1) ** 2)


def harmonics(directions: np.ndarray, lmax: int) -> np.ndarray:
    """Real spherical harmonics of unit vectors by recursion, shape (..., (lmax + 1)^2).

    Source: recursion of the associated Legendre functions in Cartesian form (e.g. Hobson 1931;
    free of poles).
    """
    x, y, z = np.moveaxis(np.asarray(directions, dtype=float), -1, 0)
    planar = np.ones_like(x) + 0j
    values: dict[tuple[int, int], np.ndarray] = {}
    for m in range(lmax + 1):
        legendre = [np.full_like(z, float(math.prod(range(1, 2 * m, 2))))]
        for l in range(m + 1, lmax + 1):
            last = legendre[-2] if len(legendre) > 1 else 0.0
            legendre.append(((2 * l - 1) * z * legendre[-1] - (l + m - 1) * last) / (l - m))
        for l, polynomial in enumerate(legendre, start=m):
            norm = (2 * l + 1) * math.factorial(l - m) / math.factorial(l + m)
            scaled = math.sqrt(norm * (2 if m else 1)) * polynomial
            values[l, m] = scaled * planar.real
            if m:
                values[l, -m] = scaled * planar.imag
        planar = planar * (x + 1j * y)
    ordered = [values[l, m] for l in range(lmax + 1) for m in range(-l, l + 1)]
    return np.stack(ordered, axis=-1)


@lru_cache
def monomial_coefficients(lmax: int) -> np.ndarray:
    """Matrix from the tensor powers (1, u, u x u, ...) of a unit vector to its harmonics.

    Few large operations instead of many small ones: see `HarmonicsOfUnitVectors`.
    """
    directions = _random_directions(20 * (lmax + 1) ** 2)
    target = harmonics(directions, lmax)
    blocks = []
    for l in range(lmax + 1):
        powers = np.ones((len(directions), 1))
        for _ in range(l):
            powers = (powers[:, :, None] * directions[:, None, :]).reshape(len(directions), -1)
        solution = np.linalg.lstsq(powers, target[:, block(l)], rcond=None)[0]
        blocks.append(np.where(np.abs(solution) < 1e-13, 0.0, solution))
    return np.concatenate([_place(b, block(l), lmax) for l, b in enumerate(blocks)])


def harmonics_of(
    unit: Float[Tensor, "edges 3"], coefficients: Float[Tensor, "powers components"]
) -> Float[Tensor, "edges components"]:
    """Real spherical harmonics of unit vectors, differentiable.

    Args:
        unit: unit vectors.
        coefficients: `monomial_coefficients(lmax)` as a tensor.
    """
    lmax = math.isqrt(coefficients.shape[1]) - 1
    powers = [torch.ones_like(unit[:, :1])]
    for _ in range(lmax):
        powers.append((powers[-1][:, :, None] * unit[:, None, :]).flatten(1))
    return torch.cat(powers, dim=1) @ coefficients


@lru_cache
def coupling(a: int, b: int, c: int) -> np.ndarray:
    """The invariant tensor t_abc of three degrees, unit norm, shape (2a+1, 2b+1, 2c+1).

    sum_abc t_abc x_a y_b z_c is unchanged when one rotation acts on x, y and z. The sign is a
    convention; for odd a + b + c it is antisymmetric and changes sign under inversion.

    Raises:
        ValueError: the three degrees do not satisfy the triangle inequality.
    """
    if not abs(a - b) <= c <= a + b:
        raise ValueError(f"degrees {a}, {b}, {c} cannot be coupled")
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
    blocks = [(l, 0, None, f"{l}") for l in range(lmax + 1)]  # (degree, parity of the coupling, ..)
    for c in range(intermediate + 1):
        for a, b in itertools.combinations_with_replacement(range(lmax + 1), 2):
            odd = (a + b + c) % 2
            if abs(a - b) <= c <= a + b and not (odd and a == b):
                blocks.append((c, odd, (a, b), f"({a}{b}){c}"))
    candidates = []
    for (first, x), (second, y) in itertools.combinations_with_replacement(enumerate(blocks), 2):
        degree = (2 if x[2] else 1) + (2 if y[2] else 1)
        if degree in degrees and x[0] == y[0] and x[1] == y[1]:
            candidates.append((degree, first, second))
    candidates.sort(key=lambda c: (c[0], blocks[c[1]][0], c[1], c[2]))
    pairs = np.array(list(itertools.combinations_with_replacement(range((lmax + 1) ** 2), 2))).T
    quadratic, offsets = _quadratic(blocks, pairs, lmax)
    kept = _independent(candidates, blocks, pairs, quadratic, offsets, lmax)
    left, right, owner, weight, labels = [], [], [], [], []
    for index, (_, first, second) in enumerate(kept):
        width = 2 * blocks[first][0] + 1
        left.append(offsets[first] + np.arange(width))
        right.append(offsets[second] + np.arange(width))
        owner.append(np.full(width, index))
        weight.append(np.full(width, 1 / math.sqrt(width)))
        labels.append(f"{blocks[first][3]}·{blocks[second][3]}")
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


def _quadratic(blocks: Sequence, pairs: np.ndarray, lmax: int) -> tuple[np.ndarray, dict[int, int]]:
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


def _independent(candidates, blocks, pairs, quadratic, offsets, lmax) -> list:
    """Candidates that are linearly independent polynomials, earlier ones preferred."""
    rng = np.random.default_rng(0)
    density = rng.normal(size=(4 * len(candidates) + 50, (lmax + 1) ** 2))
    vector = np.concatenate([density, (density[:, pairs[0]] * density[:, pairs[1]]) @ quadratic], 1)
    kept, basis = [], np.zeros((len(density), 0))
    for candidate in candidates:
        _, first, second = candidate
        width = np.arange(2 * blocks[first][0] + 1)
        value = (vector[:, offsets[first] + width] * vector[:, offsets[second] + width]).sum(1)
        value /= np.linalg.norm(value)
        for _ in range(2):
            rest = value - basis @ (basis.T @ value)
            value = rest
        if np.linalg.norm(rest) > 1e-7:
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
            kept.append(candidate)
    return kept


def _place(values: np.ndarray, columns: slice, lmax: int) -> np.ndarray:
    wide = np.zeros((len(values), (lmax + 1) ** 2))
    wide[:, columns] = values
    return wide


def _random_directions(count: int) -> np.ndarray:
    vectors = np.random.default_rng(1).normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _random_rotations(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    matrices = [np.linalg.qr(rng.normal(size=(3, 3)))[0] for _ in range(count)]
    return [m * np.sign(np.linalg.det(m)) for m in matrices]


def _representation(l: int, rotation: np.ndarray) -> np.ndarray:
    """D with Y_l(R u) = D Y_l(u)."""
    directions = _random_directions(10 * (2 * l + 1))
    before = harmonics(directions, l)[:, block(l)]
    after = harmonics(directions @ rotation.T, l)[:, block(l)]
    return np.linalg.lstsq(before, after, rcond=None)[0].T
