"""The neural cluster expansion on sites, by generated code."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast import density, few, many
from interpmd.potentials.fast.emit import declarations
from interpmd.potentials.fast.harmonics import harmonics, slopes
from interpmd.potentials.fast.invariants import invariants, invariants_of_draws
from interpmd.potentials.fast.machine import Machine, assemble, processor
from interpmd.potentials.fast.neighbours import Sites
from interpmd.potentials.fast.prepared import prepared, state_of
from interpmd.potentials.fast.recipe import (
    Recipe,
    aligned,
    arrange,
    bytes_of_row,
    folded_table,
    kept_lmax,
    padded,
    quadratic_forms,
    recipe,
)

#: Largest table (bytes) for the road of few neighbours.
LARGEST_TABLE = 2**28


class Tables:
    """What does not depend on the read-out: radial tables and machine code, made when needed."""

    def __init__(self, term: ClusterExpansion, dtype: np.dtype) -> None:
        self.recipe: Recipe = recipe(term, dtype)
        self.dtype = dtype

    @cached_property
    def folded(self) -> np.ndarray:
        """Tables of R, with the mixing in them, as bytes."""
        return aligned(folded_table(self.recipe, self.dtype), np.dtype(np.uint8))

    @cached_property
    def mixed(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tables of the radial functions, the mixing, and the mixing with its axes exchanged."""
        r = self.recipe
        mixing = r.mixing.reshape(r.lmax + 1, r.n_elements * r.functions, r.channels)
        exchanged = mixing.transpose(0, 2, 1)
        values = aligned(r.table.values, self.dtype)
        return values, aligned(mixing, self.dtype), aligned(exchanged, self.dtype)

    @cached_property
    def few_code(self) -> tuple[np.ndarray, Machine]:
        """Addresses for `few`, and what keeps them alive."""
        r, (scalar, width) = self.recipe, vector(self.dtype)
        return addresses(
            self.dtype,
            harmonics=harmonics(r.lmax, scalar, width),
            slopes=slopes(r.lmax, scalar, width),
            invariants=invariants(r.blocks, scalar, width),
            project=density.project(r.lmax, r.channels, scalar, width),
            unproject=density.unproject(r.lmax, r.channels, scalar, width),
        )

    @cached_property
    def code_of_draws(self) -> tuple[np.ndarray, tuple[Machine, ...]]:
        """As `few_code`, for several read-outs."""
        few_code, machine = self.few_code
        text = invariants_of_draws(self.recipe.blocks, *vector(self.dtype))
        more, another = addresses(self.dtype, invariants_of_draws=text)
        return np.concatenate([few_code, more]), (machine, another)

    @cached_property
    def many_code(self) -> tuple[np.ndarray, Machine]:
        """Addresses for `many`, and what keeps them alive."""
        r, (scalar, width) = self.recipe, vector(self.dtype)
        kept = kept_lmax(r)
        blocks = [replace(b, lmax=min(b.lmax, kept)) if b.degree == 2 else b for b in r.blocks]
        return addresses(
            self.dtype,
            harmonics=harmonics(r.lmax, scalar, width),
            slopes=slopes(r.lmax, scalar, width),
            invariants=invariants(blocks, scalar, width),
            multiply=density.multiply(scalar, width, processor().registers),
            tabulate=density.tabulate(r.functions, scalar, width),
        )

    @cached_property
    def few_edges(self) -> float:
        """Edges of a site up to which the road of few neighbours has fewer operations."""
        r = self.recipe
        components, degrees, inputs = (r.lmax + 1) ** 2, r.lmax + 1, r.n_elements * r.functions
        table = r.n_elements * len(r.table.values) * bytes_of_row(r, self.dtype)
        if table >= LARGEST_TABLE:
            return 0.0
        mixing = components * 4 * inputs * r.channels
        of_edge = r.channels * (22 * degrees + 6 * components) - components * 6 * r.functions
        return mixing / of_edge if of_edge > 0 else np.inf


class FastExpansion:
    """Energies of sites and their slopes by the edge vectors, for one or several read-outs.

    Args:
        tables: of the expansion.
        readout: weights, shape (elements, features, draws).
    """

    def __init__(
        self,
        tables: Tables,
        term: ClusterExpansion,
        readout: Float[np.ndarray, "elements features draws"],
    ) -> None:
        self.tables, self.draws = tables, readout.shape[2]
        self._weights = arrange(tables.recipe, term, readout)
        self.weights = aligned(self._weights, tables.dtype)

    @cached_property
    def forms(self) -> np.ndarray:
        """Quadratic forms of degree 2 beyond the l that are mixed."""
        return aligned(quadratic_forms(self.tables.recipe, self._weights), self.tables.dtype)

    def add(
        self,
        sites: Sites,
        energies: Float[np.ndarray, "draws sites"],
        gradients: Float[np.ndarray, "draws edges 3"],
    ) -> None:
        """Adds the energies of sites (eV) and their slopes by the edge vectors (eV/A)."""
        if len(sites.vectors) == 0:
            return
        species = self.tables.recipe.species
        centre, other = species[sites.centre], species[sites.other]
        if len(sites.vectors) < self.tables.few_edges * len(centre):
            self.add_few(sites, centre, other, energies, gradients)
        else:
            self.add_many(sites, centre, other, energies, gradients)

    def add_few(self, sites, centre, other, energies, gradients) -> None:
        """As `add`, on the road of few neighbours."""
        r, dtype = self.tables.recipe, self.tables.dtype
        room = padded(sites.widest, 16)
        several = self.draws > 1
        few.few(
            sites.vectors,
            sites.first,
            centre,
            other,
            r.cutoff,
            r.lmax,
            r.table.start,
            r.table.inverse,
            self.tables.folded,
            r.channels,
            r.counts,
            self.weights,
            (self.tables.code_of_draws if several else self.tables.few_code)[0],
            empty(few.workspace_size(r.lmax, r.channels, room, self.draws), dtype),
            np.empty(room, np.int64),
            energies,
            gradients,
        )

    def add_many(self, sites, centre, other, energies, gradients) -> None:
        """As `add`, on the road of many neighbours."""
        r, (table, mixing, unmixing) = self.tables.recipe, self.tables.mixed
        group = density.tile(processor().registers)[0]
        room = padded(group * (sites.widest + many.PART * r.n_elements), 16)
        kept, inputs = kept_lmax(r), r.n_elements * r.functions
        size = many.workspace_size(r.lmax, kept, r.functions, inputs, r.channels, group, room)
        many.many(
            sites.vectors,
            sites.first,
            centre,
            other,
            np.argsort(centre, kind="stable"),
            r.cutoff,
            r.lmax,
            kept,
            r.table.start,
            r.table.inverse,
            table,
            mixing,
            unmixing,
            self.forms,
            r.counts,
            self.weights,
            self.tables.many_code[0],
            empty(size, self.tables.dtype),
            np.empty(room, np.int64),
            np.empty(room, np.int64),
            group,
            energies,
            gradients,
        )


def tables_of(term: ClusterExpansion, dtype: np.dtype) -> Tables:
    """The tables of an expansion, kept with it until its radial functions or mixing change."""
    state = state_of([term._buffers["mixing"], *term.radial._parameters.values()])
    return prepared(term, f"tables {dtype}", state, lambda: Tables(term, dtype))


def expansion_of(term: ClusterExpansion, dtype: np.dtype) -> FastExpansion:
    """An expansion with its own weights, kept with it until they change."""
    tables, readout = tables_of(term, dtype), term._buffers["readout"]
    state = (id(tables), *state_of([readout]))
    return prepared(
        term, f"expansion {dtype}", state, lambda: FastExpansion(tables, term, own_readout(term))
    )


def samples_of(term: ClusterExpansion, dtype: np.dtype, draws: int | None = None) -> FastExpansion:
    """An expansion with samples of its posterior (the first `draws` of them, or all) as read-outs,
    kept with it until they change."""
    tables, samples = tables_of(term, dtype), term.samples
    state = (id(tables), *state_of([samples]))
    return prepared(
        term,
        f"samples {draws} {dtype}",
        state,
        lambda: FastExpansion(tables, term, samples[..., :draws].double().numpy()),
    )


def own_readout(term: ClusterExpansion) -> Float[np.ndarray, "elements features 1"]:
    """The weights of an expansion, as one draw."""
    return term.readout.detach().double().numpy()[:, :, None]


def vector(dtype: np.dtype) -> tuple[str, int]:
    """Type and number of elements of a vector register."""
    scalar = "double" if dtype == np.float64 else "float"
    return scalar, processor().bytes // dtype.itemsize


def addresses(dtype: np.dtype, **functions: str) -> tuple[Int[np.ndarray, " functions"], Machine]:
    """Machine code of functions: their addresses in this order, and what keeps them alive."""
    text = "\n".join([declarations(*vector(dtype)), *functions.values()])
    machine = assemble(text, tuple(functions))
    return np.array([machine.addresses[name] for name in functions], np.int64), machine


def empty(size: int, dtype: np.dtype) -> np.ndarray:
    """Memory that begins at a cache line."""
    space = np.empty(size + 128 // dtype.itemsize, dtype)
    return space[-space.ctypes.data % 64 // dtype.itemsize :][:size]
