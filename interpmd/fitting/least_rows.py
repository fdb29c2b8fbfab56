"""Least rows as a prior: of potentials that are equally good the one whose rows are small.

Rows of atoms that cancel cost no force: many tables give the same totals, and data of totals do not
choose. A penalty on the forces of the rows themselves, in training frames, does:

    precision  X^T X + P + mu G,   G = rows / (3 atoms) sum over clusters C, atoms a of |f_a(C)|^2

as a quadratic form in the weights, of which row forces are linear functions. There are far too many
clusters to hold one row each. So clusters are drawn at random, weighted by how seldom they are
drawn, and their row forces are added up with random signs in a few hundred sums a frame, whose
squares have the expectation of the sum of all squares (a count sketch; Charikar, Chen and
Farach-Colton, Theor. Comput. Sci. 312, 3 (2004)).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import scipy.sparse
from ase import Atoms
from jaxtyping import Float

from interpmd.fitting.design import design
from interpmd.fitting.normal import NormalEquations
from interpmd.potentials.expansion import ClusterExpansion
from interpmd.structures.edges import edge_vectors, neighbours
from interpmd.structures.networks import made_of_atoms
from interpmd.structures.systems import Batch

#: Frames, clusters of each order, and sums of random signs of each frame.
FRAMES, CLUSTERS, SUMS = 40, 32, 200

#: Clusters whose features are held at once.
AT_ONCE = 8

#: Weights of the penalty that are tried, from strong to weak.
WEIGHTS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)


def penalise(equations: NormalEquations, frames: Sequence[Atoms], seed: int) -> None:
    """Give normal equations the penalty on the row forces of some frames.

    Args:
        equations: whose term's rows are meant.
        frames: of which `FRAMES` are looked at.
        seed: of frames, clusters and signs.
    """
    rng = np.random.default_rng([seed, 2])
    many = [atoms for atoms in frames if len(atoms) > 1 or atoms.pbc.any()]
    some = [many[k] for k in rng.permutation(len(many))[:FRAMES]]
    sums = (sums_of_rows(equations.term, atoms, equations.scale, rng) for atoms in some)
    equations.penalise(sums, max(1, 3 * sum(map(len, some))))


def sums_of_rows(
    term: ClusterExpansion,
    atoms: Atoms,
    scale: Float[np.ndarray, " weights"],
    rng: np.random.Generator,
    clusters: int = CLUSTERS,
    sums: int = SUMS,
) -> Float[np.ndarray, "sums weights"]:
    """Random sums of the row forces of one frame, whose squares add up to those of all rows.

    Args:
        term: the expansion. atoms: the frame. scale: divisor of each column.
        rng: source of chance.
        clusters: drawn of each order. sums: to which their forces are added with random signs.
    """
    total = np.zeros((sums, len(scale)))
    drawn = [
        cluster
        for order in range(2, term.body_order + 1)
        for cluster in _drawn(term, atoms, order, clusters, rng)
    ]
    for start in range(0, len(drawn), AT_ONCE):
        parts, entries, first = [], [], 0
        for weight, cluster in drawn[start : start + AT_ONCE]:
            places = rng.integers(sums, size=(len(cluster), 3))
            signs = weight * rng.choice([-1.0, 1.0], size=(len(cluster), 3))
            for size in range(2, len(cluster) + 1):  # nothing pulls at a single atom
                for members in map(list, itertools.combinations(range(len(cluster)), size)):
                    parts.append(cluster[members])
                    sign = (-1) ** (len(cluster) - size)
                    columns = 3 * first + np.arange(3 * size)
                    entries.append(
                        (places[members].ravel(), columns, sign * signs[members].ravel())
                    )
                    first += size
        rows, columns, values = (np.concatenate(each) for each in zip(*entries, strict=True))
        batch = Batch.from_ase(parts)
        found = design(term, batch.to(term.mixing.dtype), neighbours(batch, term.cutoff))
        forces = found.forces.flatten(0, 1).numpy()
        adding = scipy.sparse.csr_matrix(
            (values.astype(forces.dtype), (rows, columns)), shape=(sums, len(forces))
        )
        total += (adding @ forces) / scale
    return total


def _drawn(
    term: ClusterExpansion, atoms: Atoms, order: int, count: int, rng: np.random.Generator
) -> list[tuple[float, Atoms]]:
    """Clusters of atoms, each a site with some of its neighbours, and the roots of their weights.

    A cluster is drawn from each of its atoms that has all others for neighbours. Its weight is the
    inverse of the chance of being drawn, over the number of draws.
    """
    batch = Batch.from_ase(atoms)
    pairs = neighbours(batch, term.cutoff)
    vectors = edge_vectors(batch, pairs).numpy()
    near = np.linalg.norm(vectors, axis=1) < term.cutoff
    centre, other, vectors = (
        pairs.centre.numpy()[near],
        pairs.neighbour.numpy()[near],
        vectors[near],
    )
    degrees = np.bincount(centre, minlength=len(atoms))
    able = np.flatnonzero(degrees >= order - 1)
    if not len(able):
        return []
    ways = np.array([_choose(n, order - 1) for n in degrees.tolist()], dtype=float)
    starts = np.cumsum(degrees) - degrees
    drawn = []
    for _ in range(count):
        site = int(rng.choice(able))
        edges = starts[site] + rng.choice(degrees[site], order - 1, replace=False)
        members = np.array([site, *other[edges]])
        places = np.concatenate([np.zeros((1, 3)), vectors[edges]])
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        sees_all = (apart < term.cutoff).all(1)
        chance = (1 / ways[members[sees_all]]).sum() / len(able)
        cluster = Atoms(atoms.numbers[members], places)
        drawn.append((1 / np.sqrt(chance * count), cluster))
    return drawn


def _choose(total: int, taken: int) -> int:
    """Ways to choose some of all."""
    ways = 1
    for k in range(taken):
        ways = ways * (total - k) // (k + 1)
    return max(ways, 0)


def of_atoms(frames: Sequence[Atoms]) -> bool:
    """Whether most frames are made of atoms, not of molecules, so that rows may cancel."""
    some = frames[:: max(1, len(frames) // FRAMES)]
    return float(np.mean([made_of_atoms(atoms) for atoms in some])) >= 0.5
