"""The kernel for sites with many neighbours: sums over edges first, then mixed; see `density`.

Sites of one element are taken in groups, so that the matrix products are of a good size and one
quadratic form serves the group. Within a site the edges are ordered by element, each element's
part beginning at a multiple of `PART`, so that vectors of edges are never shared.
"""

from __future__ import annotations

import math

import numpy as np

from interpmd.potentials.fast.call import call, kernel
from interpmd.potentials.fast.recipe import located, slope_of_t

#: Edges of one element begin at a multiple of this.
PART = 16

#: Numbers by which rows of A are longer than their channels: rows at distances of a power of two
#: would push each other out of the cache.
GAP = 8


def workspace_size(
    lmax: int, kept: int, functions: int, inputs: int, channels: int, group: int, room: int
) -> int:
    """Numbers that `many` needs to write down."""
    components, mixed = (lmax + 1) ** 2, (kept + 1) ** 2
    by_site = 2 * components * inputs + 2 * mixed * (channels + GAP)
    return room * (9 + 3 * components + 3 * functions) + group * by_site


@kernel
def many(
    vectors,
    first,
    centre,
    other,
    order,
    cutoff,
    lmax,
    kept,
    start,
    inverse,
    table,
    mixing,
    unmixing,
    forms,
    counts,
    weights,
    code,
    work,
    edges,
    rows,
    group,
    energies,
    slopes,
):
    """Adds energies of sites and slopes by edge vectors, for several read-outs at once.

    Args:
        vectors, first, centre, other, cutoff, lmax, counts, weights, energies, slopes: as for
            `few`.
        order: the sites, those of one element together.
        kept: largest l that is mixed. start, inverse, table: of the radial functions.
        mixing: shape (degrees, inputs, channels). unmixing: its last axes exchanged.
        forms: quadratic forms of degree 2 beyond `kept`; see `recipe`.
        code: addresses of harmonics, slopes, invariants, multiply, tabulate.
        work, edges, rows: memory to write to; the last two are as long as the padded edges of a
            group.
        group: number of sites that are taken together.
    """
    components, mixed = (lmax + 1) ** 2, (kept + 1) ** 2
    functions, inputs, channels = table.shape[2], mixing.shape[1], mixing.shape[2]
    species, room, size = inputs // functions, len(edges), work.itemsize
    x, y, z, over = (
        work[:room],
        work[room : 2 * room],
        work[2 * room : 3 * room],
        work[3 * room : 4 * room],
    )
    along = work[4 * room : 5 * room]
    gx, gy, gz = work[5 * room : 6 * room], work[6 * room : 7 * room], work[7 * room : 8 * room]
    t = work[8 * room : 9 * room]
    at = 9 * room
    angular = work[at : at + components * room].reshape(components, room)
    at += 2 * components * room
    by_radial = work[at : at + components * room].reshape(components, room)
    at += (components + 3 * functions) * room
    sums = work[at : at + components * group * inputs].reshape(components, group, inputs)
    at += components * group * inputs
    by_sums = work[at : at + components * group * inputs].reshape(components, group, inputs)
    at += components * group * inputs
    row = channels + GAP
    by_density = work[at + mixed * group * row : at + 2 * mixed * group * row]
    base, step = work.ctypes.data, room * size
    p_angular = base + 9 * step
    p_by_angular = p_angular + components * step
    p_by_radial = p_by_angular + components * step
    p_radial = p_by_radial + components * step
    p_radial_of = p_radial + functions * step
    p_radial_slope = p_radial_of + functions * step
    p_sums = p_radial_slope + functions * step
    p_by_sums = p_sums + components * group * inputs * size
    p_density = p_by_sums + components * group * inputs * size
    p_by_density = p_density + mixed * group * row * size
    p_mixing, p_unmixing = mixing.ctypes.data, unmixing.ctypes.data
    p_weights, p_forms = weights.ctypes.data, forms.ctypes.data
    multiply, p_table, by_piece = code[3], table.ctypes.data, table.strides[0]
    part = np.zeros((group, species, 2), np.int64)
    next_site = 0
    while next_site < len(order):
        element, m = centre[order[next_site]], 1
        while m < group and next_site + m < len(order):
            if centre[order[next_site + m]] != element:
                break
            m += 1
        sites = order[next_site : next_site + m]
        next_site += m
        count = 0
        for b in range(m):
            for s in range(species):
                part[b, s, 0] = count
                for edge in range(first[sites[b]], first[sites[b] + 1]):
                    if other[edge] != s:
                        continue
                    f, g, h = vectors[edge, 0], vectors[edge, 1], vectors[edge, 2]
                    square = f * f + g * g + h * h
                    if square >= cutoff * cutoff:
                        continue
                    distance = math.sqrt(square)
                    inv = 1 / distance
                    x[count], y[count], z[count], over[count] = f * inv, g * inv, h * inv, inv
                    piece, t[count] = located(distance, start, inverse, len(table))
                    rows[count] = p_table + piece * by_piece
                    edges[count] = edge
                    count += 1
                low, high = part[b, s, 0], count
                part[b, s, 1] = high
                count = (high + PART - 1) // PART * PART
                if high == low:
                    continue
                t[high:count], rows[high:count] = t[high - 1], rows[high - 1]
                call(
                    code[4],
                    (
                        rows.ctypes.data,
                        base + 8 * step,
                        p_radial,
                        p_radial_of,
                        p_radial_slope,
                        low,
                        high,
                        room,
                    ),
                )
        if count == 0:
            continue
        call(code[0], (base, base + step, base + 2 * step, p_angular, room, count))
        for b in range(m):
            for s in range(species):
                low, high = part[b, s]
                if high == low:
                    sums[:, b, s * functions : (s + 1) * functions] = 0
                    continue
                call(
                    multiply,
                    (
                        p_angular + low * size,
                        p_radial + low * functions * size,
                        p_sums + (b * inputs + s * functions) * size,
                        room,
                        1,
                        functions,
                        group * inputs,
                        components,
                        high - low,
                        functions,
                    ),
                )
        for l in range(kept + 1):
            call(
                multiply,
                (
                    p_sums + l * l * group * inputs * size,
                    p_mixing + l * inputs * channels * size,
                    p_density + l * l * group * row * size,
                    inputs,
                    1,
                    channels,
                    row,
                    (2 * l + 1) * group,
                    inputs,
                    channels,
                ),
            )
        for draw in range(len(weights)):
            for l in range(kept + 1, lmax + 1):
                form = forms.strides[1] * (l - kept - 1) + forms.strides[2] * element
                call(
                    multiply,
                    (
                        p_sums + l * l * group * inputs * size,
                        p_forms + draw * forms.strides[0] + form,
                        p_by_sums + l * l * group * inputs * size,
                        inputs,
                        1,
                        inputs,
                        inputs,
                        (2 * l + 1) * group,
                        inputs,
                        inputs,
                    ),
                )
            by_density[:] = 0
            p_counts = counts.ctypes.data + element * counts.strides[0]
            w = p_weights + draw * weights.strides[0] + element * weights.strides[1]
            for b in range(m):
                quadratic = 0.0
                for lm in range(mixed, components):
                    quadratic += dot(sums[lm, b], by_sums[lm, b])
                shift = b * row * size
                energies[draw, sites[b]] += 0.5 * quadratic + call(
                    code[2], (p_density + shift, p_by_density + shift, w, p_counts, group * row)
                )
            for l in range(kept + 1):
                call(
                    multiply,
                    (
                        p_by_density + l * l * group * row * size,
                        p_unmixing + l * inputs * channels * size,
                        p_by_sums + l * l * group * inputs * size,
                        row,
                        1,
                        inputs,
                        inputs,
                        (2 * l + 1) * group,
                        channels,
                        inputs,
                    ),
                )
            for b in range(m):
                for s in range(species):
                    low, high = part[b, s]
                    if high == low:
                        continue
                    wide = (high - low + PART - 1) // PART * PART
                    for factor, result in (
                        (p_radial_of, p_by_angular),
                        (p_radial_slope, p_by_radial),
                    ):
                        call(
                            multiply,
                            (
                                p_by_sums + (b * inputs + s * functions) * size,
                                factor + low * size,
                                result + low * size,
                                group * inputs,
                                1,
                                room,
                                room,
                                components,
                                functions,
                                wide,
                            ),
                        )
            along[:count] = 0
            for lm in range(components):
                for k in range(count):
                    along[k] += angular[lm, k] * by_radial[lm, k]
            for k in range(count):
                along[k] *= slope_of_t(over[k], inverse)
            call(
                code[1],
                (
                    base,
                    base + step,
                    base + 2 * step,
                    base + 3 * step,
                    base + 4 * step,
                    p_by_angular,
                    base + 5 * step,
                    base + 6 * step,
                    base + 7 * step,
                    room,
                    count,
                ),
            )
            for b in range(m):
                for s in range(species):
                    for k in range(part[b, s, 0], part[b, s, 1]):
                        slopes[draw, edges[k], 0] += gx[k]
                        slopes[draw, edges[k], 1] += gy[k]
                        slopes[draw, edges[k], 2] += gz[k]


@kernel
def dot(a, b):
    """Sum of products."""
    total = a[0] * b[0] * 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total
