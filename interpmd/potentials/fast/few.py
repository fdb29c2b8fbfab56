"""The kernel for sites with few neighbours: tables that contain the mixing; see `density`."""

from __future__ import annotations

import math

import numpy as np

from interpmd.potentials.fast.call import call, kernel
from interpmd.potentials.fast.recipe import located, slope_of_t

#: Read-outs whose gradients by the density are held at once.
DRAWS_AT_ONCE = 8


def workspace_size(lmax: int, channels: int, room: int, draws: int) -> int:
    """Numbers that `few` needs to write down for sites of at most `room` edges."""
    components, at_once = (lmax + 1) ** 2, min(draws, DRAWS_AT_ONCE)
    by_edge = 9 + 2 * components + 2 * (lmax + 1) * channels
    return room * by_edge + (1 + at_once) * components * channels + at_once


@kernel
def few(
    vectors,
    first,
    centre,
    other,
    cutoff,
    lmax,
    start,
    inverse,
    table,
    channels,
    counts,
    weights,
    code,
    work,
    rows,
    energies,
    slopes,
):
    """Adds energies of sites and slopes by edge vectors, for several read-outs at once.

    Args:
        vectors: A, shape (edges, 3). first: first edge of each site, shape (sites + 1,).
        centre, other: index of the element of sites and of the edges' ends.
        cutoff, lmax, channels: of the expansion. start, inverse, table: of R; see `recipe`.
        counts: channels of the sites of each element by degree, then the most of any.
        weights: shape (draws, elements, weights).
        code: addresses of harmonics, slopes, invariants, project, unproject, and of
            invariants_of_draws where there are several.
        work, rows: memory to write to; rows is as long as the most edges of a site, padded.
        energies: shape (draws, sites). slopes: shape (draws, edges, 3).
    """
    components, degrees = (lmax + 1) ** 2, lmax + 1
    room, size = len(rows), work.itemsize
    x, y, z = work[:room], work[room : 2 * room], work[2 * room : 3 * room]
    over = work[3 * room : 4 * room]
    t, along = work[4 * room : 5 * room], work[5 * room : 6 * room]
    gx, gy, gz = work[6 * room : 7 * room], work[7 * room : 8 * room], work[8 * room : 9 * room]
    base, step = work.ctypes.data, room * size
    p_harmonics = base + 9 * step
    p_slopes = p_harmonics + components * step
    p_radial = p_slopes + components * step
    p_radial_slope = p_radial + degrees * channels * step
    p_density = p_radial_slope + degrees * channels * step
    p_gradient = p_density + components * channels * size
    at = 9 * room + 2 * (components + degrees * channels) * room + components * channels
    one = components * channels
    gradients = work[at : at + DRAWS_AT_ONCE * one]
    found = work[len(work) - min(len(weights), DRAWS_AT_ONCE) :]
    p_found, next_weights = found.ctypes.data, weights.strides[0] // size
    p_table, p_weights, p_rows = table.ctypes.data, weights.ctypes.data, rows.ctypes.data
    by_species, by_piece = table.strides[0], table.strides[1]
    edges = np.empty(room, np.int64)
    for site in range(len(first) - 1):
        count = 0
        for edge in range(first[site], first[site + 1]):
            a, b, c = vectors[edge, 0], vectors[edge, 1], vectors[edge, 2]
            square = a * a + b * b + c * c
            if square >= cutoff * cutoff:
                continue
            distance = math.sqrt(square)
            inv = 1 / distance
            x[count], y[count], z[count], over[count] = a * inv, b * inv, c * inv, inv
            piece, t[count] = located(distance, start, inverse, table.shape[1])
            rows[count] = p_table + other[edge] * by_species + piece * by_piece
            edges[count] = edge
            count += 1
        if count == 0:
            continue
        most = counts[centre[site], -1]
        call(code[0], (base, base + step, base + 2 * step, p_harmonics, room, count))
        call(
            code[3],
            (
                p_rows,
                base + 4 * step,
                p_harmonics,
                p_density,
                p_radial,
                p_radial_slope,
                room,
                count,
                most,
            ),
        )
        p_counts = counts.ctypes.data + centre[site] * counts.strides[0]
        for draw in range(len(weights)):
            turn = draw % DRAWS_AT_ONCE
            if turn == 0:
                some = min(DRAWS_AT_ONCE, len(weights) - draw)
                gradients[: some * one] = 0
                found[:some] = 0
                w = p_weights + draw * weights.strides[0] + centre[site] * weights.strides[1]
                if len(weights) == 1:
                    found[0] = call(code[2], (p_density, p_gradient, w, p_counts, channels))
                else:
                    call(
                        code[5],
                        (
                            p_density,
                            p_gradient,
                            w,
                            p_counts,
                            p_found,
                            channels,
                            some,
                            one,
                            next_weights,
                        ),
                    )
            energies[draw, site] += found[turn]
            call(
                code[4],
                (
                    p_harmonics,
                    p_gradient + turn * one * size,
                    p_radial,
                    p_radial_slope,
                    p_slopes,
                    base + 5 * step,
                    room,
                    count,
                    most,
                ),
            )
            for k in range(count):
                along[k] *= slope_of_t(over[k], inverse)
            call(
                code[1],
                (
                    base,
                    base + step,
                    base + 2 * step,
                    base + 3 * step,
                    base + 5 * step,
                    p_slopes,
                    base + 6 * step,
                    base + 7 * step,
                    base + 8 * step,
                    room,
                    count,
                ),
            )
            for k in range(count):
                slopes[draw, edges[k], 0] += gx[k]
                slopes[draw, edges[k], 1] += gy[k]
                slopes[draw, edges[k], 2] += gz[k]
