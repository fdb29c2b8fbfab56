"""Loops over LAMMPS' neighbour lists and ghosts, in numba."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from interpmd.potentials.fast.call import call, kernel

#: Lower bits of an entry of a list: the atom; those above say whether it is a special neighbour.
ATOM = 0x1FFFFFFF


@intrinsic
def _int32_at(context, address):
    """The 32-bit integer at an address."""

    def generate(context, builder, signature, values):
        pointer = builder.inttoptr(values[0], ir.IntType(32).as_pointer())
        return builder.sext(builder.load(pointer), ir.IntType(64))

    return types.int64(types.int64), generate


@kernel
def gather_edges(function, handle, index, x, cutoff, first, centre, neighbour, vectors):
    """Edges of the atoms in a list of LAMMPS; as many as there is room for are filled in.

    Args:
        function: address of `lammps_neighlist_element_neighbors`. handle, index: its first
            arguments.
        x: positions of local and ghost atoms in A. cutoff: A.
        first: first edge of each site, shape (sites + 1,). centre: atom of each site.
        neighbour: atom where each edge ends. vectors: A, shape (edges, 3).

    Returns:
        Number of edges.
    """
    answer = np.zeros(3, np.int64)
    base, room, count = answer.ctypes.data, len(neighbour), 0
    for site in range(len(centre)):
        first[site] = count
        answer[0], answer[1] = 0, 0
        call(function, (handle, index, site, base, base + 8, base + 16))
        i, length, begin = answer[0], answer[1], answer[2]
        centre[site] = i
        for k in range(length):
            j = _int32_at(begin + 4 * k) & ATOM
            a, b, c = x[j, 0] - x[i, 0], x[j, 1] - x[i, 1], x[j, 2] - x[i, 2]
            if a * a + b * b + c * c < cutoff * cutoff:
                if count < room:
                    neighbour[count] = j
                    vectors[count, 0] = a
                    vectors[count, 1] = b
                    vectors[count, 2] = c
                count += 1
    first[len(centre)] = count
    return count


@kernel
def add_slopes(vectors, first, centre, neighbour, slopes, forces, virial):
    """Forces on local and ghost atoms, and the derivative of the energy by strain."""
    for site in range(len(centre)):
        i = centre[site]
        for e in range(first[site], first[site + 1]):
            j = neighbour[e]
            for a in range(3):
                forces[i, a] += slopes[e, a]
                forces[j, a] -= slopes[e, a]
                for b in range(3):
                    virial[a, b] += vectors[e, a] * slopes[e, b]


@kernel
def add_rows(target, rows, values):
    """Add values to rows, which may be there several times."""
    for k in range(len(rows)):
        for a in range(3):
            target[rows[k], a] += values[k, a]
