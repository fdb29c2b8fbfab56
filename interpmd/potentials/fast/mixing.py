"""How energies of sites change with the mixing W of an expansion.

With A = W C and an energy E of A, dE/dW = C dE/dA: sums over edges first, as in `many`, then the
invariants and their gradient by A, and a product of the two over some sites at once.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast import density
from interpmd.potentials.fast.call import call, kernel
from interpmd.potentials.fast.expansion import (
    FastExpansion,
    Tables,
    addresses,
    empty,
    own_readout,
    tables_of,
    vector,
)
from interpmd.potentials.fast.harmonics import harmonics
from interpmd.potentials.fast.invariants import invariants
from interpmd.potentials.fast.machine import processor
from interpmd.potentials.fast.many import GAP, PART
from interpmd.potentials.fast.neighbours import Sites
from interpmd.potentials.fast.recipe import aligned, arrange, located, padded

#: Sites that are taken together.
GROUP = 8


class MixingSlopes:
    """An expansion as a function of its mixing, its radial functions and read-out as they are.

    Args:
        term: the expansion, in float64.

    Attributes:
        mixing: W of the expansion, shape (degrees, inputs, channels).
    """

    def __init__(self, term: ClusterExpansion) -> None:
        self.tables: Tables = tables_of(term, np.dtype(np.float64))
        self.mixing = term.mixing.numpy().copy()
        self._readout, self._term = own_readout(term), term
        r, (scalar, width) = self.tables.recipe, vector(self.tables.dtype)
        self._weights = aligned(arrange(r, term, self._readout), self.tables.dtype)
        self._code, self._machine = addresses(
            self.tables.dtype,
            harmonics=harmonics(r.lmax, scalar, width),
            tabulate=density.tabulate(r.functions, scalar, width),
            multiply=density.multiply(scalar, width, processor().registers),
            invariants=invariants(r.blocks, scalar, width),
        )

    def by_mixing(
        self, sites: Sites, factors: Float[np.ndarray, " sites"]
    ) -> Float[np.ndarray, "degrees inputs channels"]:
        """Sum over sites of a factor times dE/dW, in eV."""
        r, (table, mixing, _) = self.tables.recipe, self.tables.mixed
        components, inputs = (r.lmax + 1) ** 2, r.n_elements * r.functions
        room = padded(max(sites.widest, 1), PART)
        by_edge = room * (5 + components + 3 * r.functions)
        by_site = components * GROUP * (inputs + 2 * (r.channels + GAP))
        found = np.zeros((r.lmax + 1, inputs, r.channels))
        _by_mixing(
            sites.vectors,
            sites.first,
            r.species[sites.centre],
            r.species[sites.other],
            r.cutoff,
            r.lmax,
            r.table.start,
            r.table.inverse,
            table,
            mixing,
            r.counts,
            self._weights[0],
            np.ascontiguousarray(factors, dtype=float),
            self._code,
            empty(by_edge + by_site + inputs * r.channels, self.tables.dtype),
            np.empty(room, np.int64),
            found,
        )
        degrees, _, channels = self.mixing.shape
        found = found.reshape(degrees, r.n_elements, r.functions, r.channels)
        return found[:, :, : self._term.functions, :channels].reshape(self.mixing.shape)

    def with_mixing(self, mixing: Float[np.ndarray, "degrees inputs channels"]) -> FastExpansion:
        """The expansion with another mixing; only its `add_many` is cheap."""
        r, tables = self.tables.recipe, copy(self.tables)
        given = mixing.reshape(len(mixing), r.n_elements, -1, mixing.shape[-1])
        padding = np.zeros(r.mixing.shape)
        padding[:, :, : given.shape[2], : given.shape[3]] = given
        for made in ("folded", "mixed"):
            tables.__dict__.pop(made, None)
        tables.recipe = replace(r, mixing=padding)
        return FastExpansion(tables, self._term, self._readout)


@kernel
def _by_mixing(
    vectors,
    first,
    centre,
    other,
    cutoff,
    lmax,
    start,
    inverse,
    table,
    mixing,
    counts,
    weights,
    factors,
    code,
    work,
    rows,
    found,
):
    """Adds to found, shape (degrees, inputs, channels)."""
    components, size, room = (lmax + 1) ** 2, work.itemsize, len(rows)
    functions, inputs, channels = table.shape[2], mixing.shape[1], mixing.shape[2]
    row, base, step = channels + GAP, work.ctypes.data, len(rows) * work.itemsize
    work[:] = 0
    x, y, z = work[:room], work[room : 2 * room], work[2 * room : 3 * room]
    t = work[3 * room : 4 * room]
    at = 4 * room
    angular = work[at : at + components * room].reshape(components, room)
    p_angular, at = base + at * size, at + components * room
    radial = work[at : at + functions * room].reshape(room, functions)
    p_radial, at = base + at * size, at + 3 * functions * room
    sums = work[at : at + components * GROUP * inputs].reshape(components, GROUP, inputs)
    p_sums, at = base + at * size, at + components * GROUP * inputs
    p_density, at = base + at * size, at + components * GROUP * row
    slopes = work[at : at + components * GROUP * row].reshape(components, GROUP, row)
    p_slopes, at = base + at * size, at + components * GROUP * row
    part = work[at : at + inputs * channels].reshape(inputs, channels)
    p_part = base + at * size
    p_rows, p_t = rows.ctypes.data, base + 3 * step
    for begin in range(0, len(centre), GROUP):
        sums[:] = 0
        slopes[:] = 0
        some = min(GROUP, len(centre) - begin)
        for b in range(some):
            count = 0
            site = begin + b
            for edge in range(first[site], first[site + 1]):
                f, g, h = vectors[edge, 0], vectors[edge, 1], vectors[edge, 2]
                square = f * f + g * g + h * h
                if square >= cutoff * cutoff:
                    continue
                distance = math.sqrt(square)
                inv = 1 / distance
                x[count], y[count], z[count] = f * inv, g * inv, h * inv
                piece, t[count] = located(distance, start, inverse, len(table))
                rows[count] = table.ctypes.data + piece * table.strides[0]
                count += 1
            if count == 0:
                continue
            wide = (count + PART - 1) // PART * PART
            t[count:wide], rows[count:wide] = t[count - 1], rows[count - 1]
            of = p_radial + functions * step
            call(code[1], (p_rows, p_t, p_radial, of, of + functions * step, 0, count, room))
            call(code[0], (base, base + step, base + 2 * step, p_angular, room, wide))
            k = 0
            for edge in range(first[site], first[site + 1]):
                f, g, h = vectors[edge, 0], vectors[edge, 1], vectors[edge, 2]
                if f * f + g * g + h * h >= cutoff * cutoff:
                    continue
                shift = other[edge] * functions
                for lm in range(components):
                    value = angular[lm, k]
                    for n in range(functions):
                        sums[lm, b, shift + n] += value * radial[k, n]
                k += 1
        for l in range(lmax + 1):
            above, wide = l * l * GROUP, (2 * l + 1) * GROUP
            p_w = mixing.ctypes.data + l * mixing.strides[0]
            p_to = p_density + above * row * size
            strides = (inputs, 1, channels, row, wide, inputs, channels)
            call(code[2], (p_sums + above * inputs * size, p_w, p_to, *strides))
        for b in range(some):
            element, shift = centre[begin + b], b * row * size
            p_weights = weights.ctypes.data + element * weights.strides[0]
            p_counts = counts.ctypes.data + element * counts.strides[0]
            stride = GROUP * row
            call(code[3], (p_density + shift, p_slopes + shift, p_weights, p_counts, stride))
            slopes[:, b] *= factors[begin + b]
        for l in range(lmax + 1):
            above, wide = l * l * GROUP, (2 * l + 1) * GROUP
            p_from = p_slopes + above * row * size
            strides = (1, inputs, row, channels, inputs, wide, channels)
            call(code[2], (p_sums + above * inputs * size, p_from, p_part, *strides))
            found[l] += part
