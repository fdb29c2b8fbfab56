"""Real spherical harmonics of unit vectors.

Conventions: components of degree l are ordered m = −l..l; normalisation sum_m Y_lm(u)^2 = 2l + 1.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def block(l: int) -> slice:
    """Components of degree l in a vector of all degrees."""
    return slice(l * l, (l + 1) ** 2)


def harmonics(
    directions: Float[np.ndarray, "... 3"], lmax: int
) -> Float[np.ndarray, "... components"]:
    """Real spherical harmonics of unit vectors by recursion, (lmax + 1)^2 components.

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

    With it `harmonics_of` takes a few large operations instead of many small ones.
    """
    directions = random_directions(20 * (lmax + 1) ** 2)
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


def random_directions(count: int) -> Float[np.ndarray, "count 3"]:
    """Unit vectors, the same ones on every call."""
    vectors = np.random.default_rng(1).normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _place(values: np.ndarray, columns: slice, lmax: int) -> np.ndarray:
    wide = np.zeros((len(values), (lmax + 1) ** 2))
    wide[:, columns] = values
    return wide
