"""Geometries of several molecules: random clusters over a range of distances, and sub-clusters.

Dimers and trimers from contact to far apart are what makes pair and three-body contributions
identifiable: total energies of dense systems alone leave the split among body orders open.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from ase import Atoms
from ase.data import vdw_radii

from interpmd import arguments
from interpmd.errors import ArgumentError, StructureError
from interpmd.structures.charged_parts import formal_charges
from interpmd.structures.charges import charge_of
from interpmd.structures.chemistry import made_whole
from interpmd.structures.chemistry import molecules as molecules_of

UNKNOWN_VDW_RADIUS = 2.0  # Å, for elements that ASE has no van der Waals radius of


def random_clusters(
    molecules: Atoms | Sequence[Atoms],
    size: int,
    n: int,
    distances: tuple[float, float] = (2.5, 8.0),
    seed: int = 0,
    contact: float = 0.6,
) -> list[Atoms]:
    """n clusters of ``size`` molecules, randomly turned and placed, without clashes.

    molecules: what to draw from (with replacement), for example snapshots of one molecule.
    distances: range in Å of the distance between the centres of mass of a newly placed molecule
    and of one placed before (others may be nearer); uniform up to the clashes that are refused.
    contact: atoms of different molecules stay farther apart than this fraction of the sum of
    their van der Waals radii. ``info["molecules"]`` is the number of molecules, ``info["charge"]``
    the sum of their charges where it is not zero.
    Raises ArgumentError where the range of distances leaves no room.
    """
    arguments.count(size=size, n=n)
    arguments.positive(contact=contact)
    arguments.seeds(seed=seed)
    low, high = arguments.range_of(distances, "distances")
    pool = [molecules] if isinstance(molecules, Atoms) else list(molecules)
    rng = np.random.default_rng(seed)
    frames, misses = [], 0
    while len(frames) < n:
        first = pool[rng.integers(len(pool))]
        cluster, charge = _centred(first, rng), charge_of(first)
        centres = [np.zeros(3)]
        while len(centres) < size and misses < 1000 * (n + 1):
            drawn = pool[rng.integers(len(pool))]
            added = _centred(drawn, rng)
            away = rng.normal(size=3)
            away *= rng.uniform(low, high) / np.linalg.norm(away)
            centre = centres[rng.integers(len(centres))] + away
            added.positions += centre
            if clear_of(cluster, added, contact):
                cluster += added
                charge += charge_of(drawn)
                centres.append(centre)
            else:
                misses += 1
        if len(centres) < size:
            raise ArgumentError(
                f"no room for {size} molecules at distances {low} to {high} Å; give longer ones"
            )
        cluster.info = {"molecules": size} | _named(charge)
        frames.append(cluster)
    return frames


def fragments(atoms: Atoms, orders: int | Sequence[int] = (1, 2, 3)) -> list[Atoms]:
    """All sub-clusters of 1, 2, 3, ... of the molecules of a cluster, as they stand in it.

    Each has ``info["molecules"]`` (how many) and ``info["fragment"]`` (which, such as "0 2"), and
    where it is charged ``info["charge"]``. Raises FragmentError where the charges of the molecules
    of a charged cluster are not known; see `interpmd.structures.charged_parts`.
    """
    molecules, charges = molecules_of(atoms), formal_charges(atoms)
    atoms, frames = made_whole(atoms), []
    for order in arguments.one_or_more(orders, "orders", arguments.count):
        for chosen in combinations(range(len(molecules)), order):
            members = [i for m in chosen for i in molecules[m]]
            part = Atoms(atoms.numbers[members], atoms.positions[members])
            part.info = {"molecules": order, "fragment": " ".join(map(str, chosen))}
            part.info |= _named(charges[members].sum())
            frames.append(part)
    return frames


def nearest_molecules(atoms: Atoms, centre: int, size: int) -> Atoms:
    """The cluster of one molecule and its ``size`` - 1 nearest, by closest atoms.

    Molecules that a periodic boundary cuts are put together; no other images are looked at.
    """
    molecules, charges = molecules_of(atoms), formal_charges(atoms)
    atoms = made_whole(atoms)
    if size > len(molecules):
        raise StructureError(f"the structure has {len(molecules)} molecules, not {size}")
    middle = atoms.positions[list(molecules[centre])]
    gaps = [
        np.linalg.norm(middle[:, None] - atoms.positions[list(group)][None], axis=2).min()
        for group in molecules
    ]
    members = [i for m in np.argsort(gaps, kind="stable")[:size] for i in molecules[m]]
    part = Atoms(atoms.numbers[members], atoms.positions[members])
    part.info = {"molecules": size} | _named(charges[members].sum())
    return part


def _named(charge: float) -> dict[str, int]:
    """The entry of `info` for a charge in e; none where it is zero."""
    return {"charge": round(charge)} if round(charge) else {}


def clear_of(first: Atoms, second: Atoms, contact: float) -> bool:
    """Whether no two atoms of the two structures are closer than that part of vdW contact."""
    radii = [np.nan_to_num(vdw_radii[a.numbers], nan=UNKNOWN_VDW_RADIUS) for a in (first, second)]
    distances = np.linalg.norm(first.positions[:, None] - second.positions[None], axis=2)
    return bool((distances > contact * (radii[0][:, None] + radii[1][None])).all())


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A rotation matrix (3, 3), uniform over all rotations (from a random unit quaternion)."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _centred(atoms: Atoms, rng: np.random.Generator) -> Atoms:
    turned = (atoms.positions - atoms.get_center_of_mass()) @ random_rotation(rng).T
    return Atoms(atoms.numbers, turned)
