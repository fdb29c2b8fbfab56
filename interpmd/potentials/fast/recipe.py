"""A neural cluster expansion as flat arrays: what its generated code reads.

Two things are done once here so that they need not be done for every site. The radial functions
become tables of short polynomials (the network behind them costs more than all the rest), with
pieces so short that the error is that of rounding, ending exactly at the cutoff. They are
polynomials in the root of the distance, as the functions vary faster at short distances: the
degree is what reading a row of the table costs. And where few atoms are near, the mixing of
channels is multiplied into the tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.call import kernel
from interpmd.potentials.fast.density import TABLE_DEGREE, WHOLE_POWERS
from interpmd.potentials.fast.invariants import Block
from interpmd.potentials.fast.polynomials import polynomial

#: Numbers that everything is padded to: a whole number of vectors on all processors.
PADDING = {np.dtype(np.float64): 8, np.dtype(np.float32): 16}

#: Where the tables begin (A): nuclei that are closer are refused as a mistake.
TABLE_START = 0.2


@dataclass(frozen=True)
class Table:
    """Functions of the distance as polynomials on pieces of equal length in its root.

    Attributes:
        values: coefficients by power of t, -1 to 1 across a piece, shape (pieces, powers, ...).
        start: root of the shortest distance in A^½. inverse: pieces per A^½.
    """

    values: Float[np.ndarray, "pieces powers functions"]
    start: float
    inverse: float


@dataclass(frozen=True)
class Recipe:
    """One expansion.

    Attributes:
        species: index of each atomic number among the elements, -1 if it is none of them.
        n_elements, lmax, cutoff: of the expansion (A).
        functions, channels: padded.
        blocks: the invariants of each degree.
        counts: channels of the sites of each element, by block, and most of any.
        table: h_n(r).
        mixing: W, shape (degrees l, elements, functions, channels).
    """

    species: Int[np.ndarray, " numbers"]
    n_elements: int
    lmax: int
    cutoff: float
    functions: int
    channels: int
    blocks: tuple[Block, ...]
    counts: Int[np.ndarray, "elements blocks+1"]
    table: Table
    mixing: Float[np.ndarray, "degrees elements functions channels"]

    @property
    def n_weights(self) -> int:
        """Padded number of weights of one element."""
        return sum(b.channels * polynomial(b.degree, b.lmax).count for b in self.blocks)


def recipe(term: ClusterExpansion, dtype: np.dtype) -> Recipe:
    """The arrays of an expansion, in float64, padded for a type."""
    padding, blocks, first = PADDING[np.dtype(dtype)], [], 0
    orders = zip(term.channels, term.lmax_by_order, strict=True)
    for degree, (channels, lmax) in enumerate(orders, start=1):
        blocks.append(Block(degree, lmax if degree > 1 else 0, padded(channels, padding), first))
        first += blocks[-1].channels * polynomial(degree, blocks[-1].lmax).count
    functions = padded(term.functions, padding)
    channels = max(block.channels for block in blocks)
    given = term.mixing.detach().double().numpy()
    mixing = np.zeros((term.lmax + 1, len(term.elements), functions, channels))
    mixing[:, :, : term.functions, : given.shape[2]] = given.reshape(
        term.lmax + 1, len(term.elements), term.functions, -1
    )
    return Recipe(
        species=term.species.numpy().astype(np.int64),
        n_elements=len(term.elements),
        lmax=term.lmax,
        cutoff=term.cutoff,
        functions=functions,
        channels=channels,
        blocks=tuple(blocks),
        counts=np.concatenate([term.channels_of, term.channels_of.max(1)[:, None]], axis=1),
        table=radial_table(term, functions),
        mixing=mixing,
    )


def padded(size: int, width: int) -> int:
    """The next multiple of a width."""
    return -(-size // width) * width


def arrange(
    recipe: Recipe, term: ClusterExpansion, readout: Float[np.ndarray, "elements features draws"]
) -> Float[np.ndarray, "draws elements weights"]:
    """Read-outs in the order that the generated code wants: (invariant, padded channel)."""
    n_elements, _, draws = readout.shape
    result = np.zeros((draws, n_elements, recipe.n_weights))
    start = 0
    for block, channels in zip(recipe.blocks, term.channels, strict=True):
        count = polynomial(block.degree, block.lmax).count
        part = readout[:, start : start + channels * count].reshape(n_elements, channels, count, -1)
        space = np.zeros((draws, n_elements, count, block.channels))
        space[..., :channels] = part.transpose(3, 0, 2, 1)
        size = count * block.channels
        result[:, :, block.first : block.first + size] = space.reshape(draws, n_elements, size)
        start += channels * count
    return result


def radial_table(term: ClusterExpansion, functions: int) -> Table:
    """Tables of the radial functions, accurate to rounding; unused functions are zero."""
    parameters = [p.detach().double() for p in term.radial.parameters()]
    names = [name for name, _ in term.radial.named_parameters()]

    def radial(distances: np.ndarray) -> np.ndarray:
        state = dict(zip(names, parameters, strict=True))
        with torch.no_grad():
            values = torch.func.functional_call(
                term.radial, state, (torch.from_numpy(distances.ravel()),)
            )
        return np.pad(values.numpy(), ((0, 0), (0, functions - values.shape[1]))).reshape(
            *distances.shape, functions
        )

    return tabulate(radial, min(TABLE_START, 0.5 * term.cutoff), term.cutoff)


def tabulate(
    function: Callable[[np.ndarray], np.ndarray],
    start: float,
    stop: float,
    tolerance: float = 2e-15,
    most: int = 1024,
) -> Table:
    """Polynomials through Chebyshev points of ever more pieces, until they are accurate.

    Args:
        function: of distances. start, stop: between which it is tabulated, in A.
        tolerance: largest error, relative to the largest value where that is above 1.
        most: pieces.
    """
    nodes = np.cos(np.pi * (np.arange(TABLE_DEGREE + 1) + 0.5) / (TABLE_DEGREE + 1))
    solve = np.linalg.inv(np.vander(nodes, increasing=True))
    between = np.linspace(-1, 1, 15)
    pieces = 64
    while True:
        edges = np.linspace(start**0.5, stop**0.5, pieces + 1)
        middle, half = (edges[1:] + edges[:-1])[:, None] / 2, (edges[1] - edges[0]) / 2
        values = np.einsum("ij,ajn->ain", solve, function((middle + half * nodes) ** 2))
        exact = function((middle + half * between) ** 2)
        guess = np.einsum("yi,ain->ayn", np.vander(between, len(nodes), True), values)
        error = np.abs(guess - exact).max() / max(1.0, np.abs(exact).max())
        if error < tolerance or pieces >= most:
            return Table(values, start**0.5, 1 / (2 * half))
        pieces *= 2


@kernel
def located(distance, start, inverse, pieces):
    """Piece of a table in which a distance lies, and t, where in it."""
    place = (math.sqrt(distance) - start) * inverse
    piece = min(max(int(place), 0), pieces - 1)
    return piece, 2 * (place - piece) - 1


@kernel
def slope_of_t(over, inverse):
    """Slope of t by the distance, whose inverse is `over`."""
    return inverse * math.sqrt(over)


def aligned(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """A contiguous copy that begins at a cache line."""
    space = np.empty(array.size + 128 // np.dtype(dtype).itemsize, dtype)
    skip = -space.ctypes.data % 64 // space.itemsize
    result = space[skip : skip + array.size].reshape(array.shape)
    result[...] = array
    return result


def folded_table(recipe: Recipe, dtype: np.dtype) -> UInt8[np.ndarray, "elements pieces bytes"]:
    """Tables of R_lk(r) for each element of the neighbour, a row of bytes for each piece.

    A row holds coefficients by (power, l, channel): those of the lowest powers as numbers of a
    type, the others in single precision; see `density`.
    """
    values = np.einsum("idn,lsnk->sidlk", recipe.table.values, recipe.mixing, optimize=True)
    lower, higher = values[:, :, :WHOLE_POWERS], values[:, :, WHOLE_POWERS:]
    rows = []
    for part, kind in ((lower, dtype), (higher, np.float32)):
        flat = np.ascontiguousarray(part.reshape(*part.shape[:2], -1), kind)
        rows.append(flat.view(np.uint8))
    return np.concatenate(rows, axis=2)


def bytes_of_row(recipe: Recipe, dtype: np.dtype) -> int:
    """Bytes of a row of a folded table."""
    higher = TABLE_DEGREE + 1 - WHOLE_POWERS
    each = WHOLE_POWERS * np.dtype(dtype).itemsize + higher * np.dtype(np.float32).itemsize
    return (recipe.lmax + 1) * recipe.channels * each


def kept_lmax(recipe: Recipe) -> int:
    """The largest l that has to be mixed, where degree 2 alone goes beyond it.

    There the energy sum_k w_k A_k A_k is a quadratic form of C, cheaper than A = W C where there
    are more channels than inputs.
    """
    others = max([b.lmax for b in recipe.blocks if b.degree > 2], default=0)
    inputs = recipe.n_elements * recipe.functions
    return others if recipe.channels > inputs else recipe.lmax


def quadratic_forms(
    recipe: Recipe, weights: Float[np.ndarray, "draws elements weights"]
) -> Float[np.ndarray, "draws degrees elements inputs inputs"]:
    """M with E = 1/2 C M C for degree 2 beyond `kept_lmax`."""
    kept, inputs = kept_lmax(recipe), recipe.n_elements * recipe.functions
    draws, n_elements = weights.shape[:2]
    forms = np.zeros((draws, recipe.lmax - kept, n_elements, inputs, inputs))
    if not forms.size:
        return np.zeros((draws, 1, 1, 1, 1))
    block = recipe.blocks[1]
    factors = {left: (p, f) for p, left, _, f in polynomial(2, block.lmax).terms}
    for l in range(kept + 1, block.lmax + 1):
        invariant, factor = factors[l * l]
        first = block.first + invariant * block.channels
        w = weights[:, :, first : first + block.channels]
        mixing = recipe.mixing[l].reshape(inputs, -1)[:, : block.channels]
        forms[:, l - kept - 1] = (
            2 * factor * np.einsum("ik,dzk,jk->dzij", mixing, w, mixing, optimize=True)
        )
    return forms
