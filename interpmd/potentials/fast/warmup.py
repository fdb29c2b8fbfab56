"""Compiling the kernels that all potentials share; numba keeps them on disk."""

from __future__ import annotations

import numpy as np
import torch
from ase import Atoms

from interpmd.potentials.analytic import LennardJones, StillingerWeber
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.potentials.fast.distances import InNumba
from interpmd.potentials.fast.error_bars import deviations
from interpmd.potentials.fast.evaluator import FastPotential
from interpmd.potentials.fast.features import feature_maker
from interpmd.potentials.fast.long_range import long_range
from interpmd.potentials.fast.mixing import MixingSlopes
from interpmd.potentials.fast.products import times, transposed
from interpmd.potentials.long_range import LongRange
from interpmd.potentials.sum import TermSum

#: Å.
POSITIONS = np.array([[0.0, 0, 0], [0.0, 0, 1.0]])


def compile_kernels() -> None:
    """Call every kernel once on two atoms, with each of the types that it is ever called with."""
    numbers, cell = np.array([1, 1]), np.zeros((3, 3))
    for dtype in (np.float64, np.float32):
        term = ClusterExpansion(["H"], cutoff=3.0, lmax=1, channels=(1, 1), functions=1)
        term.samples = torch.zeros(*term.readout.shape, 1)
        terms = [term, LennardJones(1.0, 1.0, 3.0), StillingerWeber()]
        fast = FastPotential(TermSum(terms), dtype)
        edges = fast.edges_of(POSITIONS, cell, np.zeros(3, bool))
        sites = edges.sites(numbers)
        for expansion in fast.expansions.values():
            species = np.zeros(2, np.int64)
            for add in (expansion.add_few, expansion.add_many):
                add(sites, species, species, np.zeros((1, 2)), np.zeros((1, 2, 3)))
        fast.on_atoms(Atoms("H2", POSITIONS))
        deviations(fast, edges, numbers)
        around = InNumba(edges, numbers)
        around.outside(term)
        around.parts(3.0)
        if (maker := feature_maker(term)) is not None:
            maker.invariants(sites)
        MixingSlopes(term).by_mixing(sites, np.zeros(2))
    rows = np.zeros((2, 3), np.float32)
    times(rows, 1, np.zeros(2), np.zeros(2))
    transposed(rows, 1, np.zeros(2), np.zeros(2))
    for pbc in (False, True):
        long_range(LongRange({"H": 0.1}), Atoms("H2", POSITIONS, cell=[5.0] * 3, pbc=pbc))
