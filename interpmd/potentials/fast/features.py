"""Invariants of all sites, and the rows of the fit that follow from their gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from interpmd.potentials.base import LocalTerm
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast import density
from interpmd.potentials.fast.call import call, kernel
from interpmd.potentials.fast.expansion import Tables, addresses, empty, tables_of, vector
from interpmd.potentials.fast.feature_code import contract, derive, entries, evaluate
from interpmd.potentials.fast.harmonics import harmonics, jacobian
from interpmd.potentials.fast.known import has_fast_form
from interpmd.potentials.fast.machine import Machine
from interpmd.potentials.fast.neighbours import Sites, given_edges
from interpmd.potentials.fast.prepared import prepared
from interpmd.potentials.fast.recipe import Recipe, located, padded, slope_of_t
from interpmd.structures.edges import Neighbours
from interpmd.structures.systems import Batch


class FeatureMaker:
    """Invariants and rows of one expansion, whatever its read-out.

    Args:
        term: the expansion, in float64.
        tables: of the expansion.
    """

    def __init__(self, term: ClusterExpansion, tables: Tables) -> None:
        self.tables = tables
        self.code, self._machine = _code(self.tables)
        self._runs = _runs(tables.recipe)
        species, feature = np.divmod(term.columns, term.n_features)
        place = _places(tables, term.channels)
        self._columns = species * tables.recipe.n_weights + place[feature]

    def invariants(self, sites: Sites) -> Float[np.ndarray, "sites weights"]:
        """Invariants of sites in the order of `recipe.arrange`; zero beyond the channels of an
        element."""
        rows = np.zeros((0, 0, 3, 0)), np.zeros((0, 0, 0, 0))
        return self._run(sites, np.zeros(0, np.int64), np.zeros(0, np.int64), *rows)

    def design(
        self, batch: Batch, pairs: Neighbours, virial: bool = False
    ) -> tuple[
        Float[np.ndarray, "structures weights"],
        Float[np.ndarray, "atoms 3 weights"],
        Float[np.ndarray, "structures 3 3 weights"] | None,
    ]:
        """Derivatives of energies, forces and virials by all weights, `term.columns`.

        Args:
            batch: structures. pairs: their neighbours.
            virial: whether virials are wanted: sums over edges of -r (x) dE/dr.
        """
        r, n_structures = self.tables.recipe, batch.n_structures
        edges = given_edges(batch, pairs)
        numbers, structure = batch.numbers.numpy(), batch.structure.numpy()
        forces = np.zeros((batch.n_atoms, r.n_elements, 3, r.n_weights))
        virials = np.zeros((n_structures if virial else 0, r.n_elements, 9, r.n_weights))
        sites = edges.sites(numbers)
        values = self._run(sites, edges.neighbour, structure, forces, virials)
        owner = structure * r.n_elements + r.species[numbers]
        energy = (np.arange(n_structures * r.n_elements)[:, None] == owner).astype(float) @ values
        forces = forces.transpose(0, 2, 1, 3).reshape(-1, 3, r.n_elements * r.n_weights)
        virials = virials.transpose(0, 2, 1, 3).reshape(-1, 3, 3, r.n_elements * r.n_weights)
        energy = energy.reshape(n_structures, -1)
        some = [energy, forces, virials] if virial else [energy, forces]
        found = [each[..., self._columns] for each in some]
        return found[0], found[1], found[2] if virial else None

    def _run(self, sites: Sites, neighbour, structure, forces, virial) -> np.ndarray:
        r, species = self.tables.recipe, self.tables.recipe.species
        values = np.zeros((len(sites.centre), r.n_weights))
        room = padded(max(sites.widest, 1), 16)
        components = (r.lmax + 1) ** 2
        n_entries = sum(len(entries(b)) * b.channels for b in r.blocks)
        size = room * (5 + 7 * components + 2 * (r.lmax + 1) * r.channels)
        size += components * r.channels + n_entries + 3 * r.n_weights
        _features(
            sites.vectors,
            sites.first,
            species[sites.centre],
            species[sites.other],
            neighbour,
            structure,
            r.cutoff,
            r.lmax,
            r.table.start,
            r.table.inverse,
            self.tables.folded,
            r.channels,
            r.counts,
            self._runs,
            self.code,
            empty(size, self.tables.dtype),
            np.empty(room, np.int64),
            n_entries,
            values,
            forces,
            virial,
        )
        return values


def _places(tables: Tables, channels: Sequence[int]) -> Int[np.ndarray, " features"]:
    """Where features, ordered by (channel, invariant), stand by (invariant, padded channel)."""
    blocks, n_weights = tables.recipe.blocks, tables.recipe.n_weights
    ends = [*(block.first for block in blocks[1:]), n_weights]
    places = [
        np.arange(block.first, end).reshape(-1, block.channels)[:, :count].T.ravel()
        for block, end, count in zip(blocks, ends, channels, strict=True)
    ]
    return np.concatenate(places)


def _runs(recipe: Recipe) -> Int[np.ndarray, "elements runs 2"]:
    """Where the weights of an element begin and end, invariant by invariant."""
    ends = [*(block.first for block in recipe.blocks[1:]), recipe.n_weights]
    runs = [
        (start + np.zeros_like(counts), start + counts)
        for block, end, counts in zip(recipe.blocks, ends, recipe.counts.T, strict=False)
        for start in range(block.first, end, block.channels)
    ]
    return np.ascontiguousarray(np.array(runs).transpose(2, 0, 1))


def feature_maker(term: LocalTerm) -> FeatureMaker | None:
    """What makes features of an expansion, kept with it; None where torch is the way."""
    if not has_fast_form(term) or type(term) is not ClusterExpansion:
        return None
    tables = tables_of(term, np.dtype(np.float64))
    return prepared(term, "features", (id(tables),), lambda: FeatureMaker(term, tables))


def _code(tables: Tables) -> tuple[Int[np.ndarray, " functions"], Machine]:
    r, (scalar, width) = tables.recipe, vector(tables.dtype)
    return addresses(
        tables.dtype,
        harmonics=harmonics(r.lmax, scalar, width),
        jacobian=jacobian(r.lmax, scalar, width),
        project=density.project(r.lmax, r.channels, scalar, width),
        derive=derive(r.blocks, scalar, width),
        contract=contract(r.blocks, r.lmax, r.channels, r.n_weights, scalar, width),
        evaluate=evaluate(r.blocks, scalar, width),
    )


@kernel
def _features(
    vectors,
    first,
    centre,
    other,
    neighbour,
    structure,
    cutoff,
    lmax,
    start,
    inverse,
    table,
    channels,
    counts,
    runs,
    code,
    work,
    rows,
    n_entries,
    values,
    forces,
    virial,
):
    """Fills values; adds to forces and virials (by element, axis and weight) unless empty."""
    components, degrees = (lmax + 1) ** 2, lmax + 1
    room, size, n_weights = len(rows), work.itemsize, values.shape[1]
    x, y, z = work[:room], work[room : 2 * room], work[2 * room : 3 * room]
    over, t = work[3 * room : 4 * room], work[4 * room : 5 * room]
    at = 5 * room + 7 * components * room
    radial_slope = work[at + room * degrees * channels : at + 2 * room * degrees * channels]
    at += 2 * room * degrees * channels + components * channels + n_entries
    row = work[at : at + 3 * n_weights].reshape(3, n_weights)
    base, step = work.ctypes.data, room * size
    p_harmonics = base + 5 * step
    p_along = p_harmonics + components * step
    p_across = p_along + 3 * components * step
    p_radial = p_across + 3 * components * step
    p_radial_slope = p_radial + degrees * channels * step
    p_density = p_radial_slope + degrees * channels * step
    p_derivatives = p_density + components * channels * size
    p_row = p_derivatives + n_entries * size
    edges = np.empty(room, np.int64)
    for site in range(len(centre)):
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
            species = other[edge] * table.strides[0]
            rows[count] = table.ctypes.data + species + piece * table.strides[1]
            edges[count] = edge
            count += 1
        if count == 0:
            continue
        axes = (base, base + step, base + 2 * step)
        call(code[0], (*axes, p_harmonics, room, count))
        p_counts, most = (
            counts.ctypes.data + centre[site] * counts.strides[0],
            counts[centre[site], -1],
        )
        radial = (p_density, p_radial, p_radial_slope, room, count, most)
        call(code[2], (rows.ctypes.data, base + 4 * step, p_harmonics, *radial))
        p_values = values.ctypes.data + site * n_weights * size
        if forces.size == 0:
            call(code[5], (p_density, p_values, p_counts, channels))
            continue
        call(code[3], (p_density, p_values, p_derivatives, p_counts, channels))
        call(code[1], (*axes, base + 3 * step, p_along, p_across, room, count))
        for k in range(count):
            of_edge = radial_slope[k * degrees * channels : (k + 1) * degrees * channels]
            of_edge *= slope_of_t(over[k], inverse)
        s = centre[site]
        for k in range(count):
            shift = k * degrees * channels * size
            angular = (p_along + k * size, p_across + k * size)
            radial = (p_radial + shift, p_radial_slope + shift)
            call(code[4], (*radial, *angular, p_derivatives, p_row, p_counts, room))
            to = neighbour[edges[k]]
            for axis in range(3):
                add, take = forces[site, s, axis], forces[to, s, axis]
                for run in range(runs.shape[1]):
                    for w in range(runs[s, run, 0], runs[s, run, 1]):
                        add[w] += row[axis, w]
                        take[w] -= row[axis, w]
            if virial.size:
                for axis in range(9):
                    factor = -vectors[edges[k], axis // 3]
                    total = virial[structure[site], s, axis]
                    for run in range(runs.shape[1]):
                        for w in range(runs[s, run, 0], runs[s, run, 1]):
                            total[w] += factor * row[axis % 3, w]
