"""Compiling the kernels that all potentials share; numba keeps them on disk."""

from __future__ import annotations

import numpy as np

from interpmd.potentials.analytic import LennardJones, StillingerWeber
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.evaluator import FastPotential
from interpmd.potentials.sum import TermSum


def compile_kernels() -> None:
    """Call every kernel once on two atoms."""
    numbers, cell = np.array([1, 1]), np.zeros((3, 3))
    for dtype in (np.float64, np.float32):
        term = ClusterExpansion(["H"], cutoff=3.0, lmax=1, channels=(1, 1), functions=1)
        terms = [term, LennardJones(1.0, 1.0, 3.0), StillingerWeber()]
        fast = FastPotential(TermSum(terms), dtype)
        edges = fast.edges_of(np.array([[0.0, 0, 0], [0.0, 0, 1.0]]), cell, np.zeros(3, bool))
        sites = edges.sites(numbers)
        for expansion in fast.expansions.values():
            species = np.zeros(2, np.int64)
            for add in (expansion.add_few, expansion.add_many):
                add(sites, species, species, np.zeros((1, 2)), np.zeros((1, 2, 3)))
        fast.on_sites(sites)
        edges.forces(np.zeros(2, np.int64), np.zeros((2, 3)), 1)
