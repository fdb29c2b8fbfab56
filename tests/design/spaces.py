"""Spaces whose values are known, for tests of the model of rows and of the search."""

from __future__ import annotations

import numpy as np
from ase import Atoms

from interpmd.design.descriptors import descriptors
from interpmd.design.evaluate import Evaluated
from interpmd.design.exploration import Exploration
from interpmd.design.rows import Kernel
from interpmd.design.scaffold import space_of

GROUPS = ("CH3", "NH2", "F", "CN", "NO2", "OCH3")
CHAIN = "[*:1]CC([*:2])OC[*:3]"


def known_space(seed: int = 0, weights=(1.0, 0.08, 0.01)):
    """A space and a value of each of its molecules, drawn from the model's own prior."""
    space = space_of(CHAIN, GROUPS)
    likeness = []
    for groups in space.groups:
        d = descriptors(groups)
        likeness.append(np.exp(-0.5 * ((d[:, None] - d[None]) ** 2).sum(2)))
    kernel = Kernel(tuple(likeness), 2, np.array(weights), np.array([[1.0, 0.6, 1.5]] * 2), 0.5)
    every = np.array(list(space.designs()))
    return space, every, kernel.drawn(every, np.random.default_rng(seed))


def exploration(space, designs, values, **more) -> Exploration:
    evaluated = tuple(
        Evaluated(tuple(map(int, d)), space.smiles(tuple(map(int, d))), float(v))
        for d, v in zip(designs, values, strict=True)
    )
    return Exploration(space, evaluated, "property", "eV", "known", **more)


def span(atoms: Atoms) -> float:
    """A function of a structure: its largest distance in Å."""
    return float(atoms.get_all_distances().max())
