"""Compiling the kernels that all potentials share, and saying so.

numba keeps them on disk, so that it happens once for an installation. It takes seconds, which
nobody should spend in front of a silent screen.
"""

from __future__ import annotations

import sys

import numpy as np
from numba.core import event

from interpmd.potentials.analytic import LennardJones, StillingerWeber
from interpmd.potentials.expansion import ClusterExpansion


class Announcer(event.Listener):
    """Says once a process that kernels of this package are being compiled."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: event.Event) -> None:
        function = getattr(event.data["dispatcher"], "py_func", None)
        ours = getattr(function, "__module__", "").startswith("interpmd.potentials.fast")
        if ours and not self.said:
            self.said = True
            print(
                "interpmd: compiling the fast evaluator, once for this installation (about 10 s)",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: event.Event) -> None:
        pass


def announce() -> None:
    """Have compilations announced from now on."""
    event.register("numba:compile", Announcer())


def compile_kernels() -> None:
    """Call every kernel once on two atoms."""
    from interpmd.potentials.fast.evaluator import FastPotential
    from interpmd.potentials.potential import Potential

    numbers, cell = np.array([1, 1]), np.zeros((3, 3))
    for dtype in (np.float64, np.float32):
        term = ClusterExpansion(["H"], cutoff=3.0, lmax=1, channels=(1, 1), functions=1)
        terms = [term, LennardJones(1.0, 1.0, 3.0), StillingerWeber()]
        fast = FastPotential(Potential(terms), dtype)
        edges = fast.edges_of(np.array([[0.0, 0, 0], [0.0, 0, 1.0]]), cell, np.zeros(3, bool))
        sites = edges.sites(numbers)
        for expansion in fast.expansions:
            for add in (expansion.add_few, expansion.add_many):
                add(sites, np.zeros((1, 2)), np.zeros((1, 2, 3)))
        fast.on_sites(sites)
        edges.forces(np.zeros(2, np.int64), np.zeros((2, 3)), 1)
