"""Closed-shell parts of training molecules: what the rows of gauges "groups" and "molecules" need.

A potential that was fitted to whole molecules never saw a part of one, and its error bars for parts
are wide. Parts that are molecules themselves are better data than pairs and triplets of atoms: they
lie close to what is there already, so that they cost the fit of the whole molecules little, and
every method labels them without a question of spin.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from ase import Atoms

from interpmd.attribution.gauges.capping import capped, hydrogen_molecule, parts_of
from interpmd.attribution.gauges.myerson import connected_sets
from interpmd.errors import ArgumentError, MissingPackageError, StructureError
from interpmd.structures.groups import Grouping, groups_of, placed

#: Subset of the parts in training data.
PART = "part"

#: Frames that are cut, and largest number of groups of a part.
CUT_FROM, MOST_GROUPS = 12, 5

#: Molecules of a frame that are taken alone, and pairs of them, nearest first.
MOLECULES, DIMERS = 4, 6


def closed_parts(frames: Sequence[Atoms], seed: int = 0, most: int = CUT_FROM) -> list[Atoms]:
    """Parts of some frames, drawn at random, as free molecules with info "subset" and "charge".

    Connected sets of groups closed with hydrogen, and H2 where any were (half of one is paid for a
    cap); where a frame holds several molecules also single ones and pairs of neighbours. Frames
    that cannot be cut (crystals, radicals, groups whose charge is unknown) give none.

    Args:
        frames: of any atoms.
        seed: of the draw.
        most: frames to cut.
    """
    parts, caps = [], False
    many = [atoms for atoms in frames if len(atoms) > 1]
    for index in np.random.default_rng(seed).permutation(len(many))[:most]:
        atoms = many[index]
        try:
            grouping = groups_of(atoms)
            positions = placed(grouping, atoms)
            sets = connected_sets(len(grouping), grouping.links, MOST_GROUPS)
        except (StructureError, ArgumentError, MissingPackageError):
            continue
        whole = set(grouping.molecules)
        inside = [chosen for chosen in sets if chosen not in whole]
        caps |= bool(inside)
        if len(whole) > 1:
            inside += _molecules(grouping, positions)
        parts += [_part(grouping, atoms, positions, chosen) for chosen in inside]
    parts = [part for part in parts if len(part) > 1]  # single atoms are known
    return [*parts, _free(hydrogen_molecule())] if caps else parts


def _molecules(grouping: Grouping, positions: np.ndarray) -> list[tuple[int, ...]]:
    """Groups of some molecules, and of pairs of them, nearest first."""
    atoms = [np.concatenate([grouping.groups[k] for k in m]) for m in grouping.molecules]

    def gap(pair: tuple[int, int]) -> float:
        first, second = (positions[atoms[m].astype(int)] for m in pair)
        return float(np.linalg.norm(first[:, None] - second[None], axis=-1).min())

    alone = list(grouping.molecules[:MOLECULES])
    if len(grouping.molecules) == 2:
        return alone  # the pair is the frame itself
    near = sorted(combinations(range(len(atoms)), 2), key=gap)[:DIMERS]
    return alone + [(*grouping.molecules[a], *grouping.molecules[b]) for a, b in near]


def _part(
    grouping: Grouping, atoms: Atoms, positions: np.ndarray, chosen: tuple[int, ...]
) -> Atoms:
    if chosen in grouping.molecules or not _one_piece(grouping, chosen):
        members = np.array(sorted(a for k in chosen for a in grouping.groups[k]))
        alone = Atoms(atoms.numbers[members], positions[members])
        charge = sum(grouping.charges[k] for k in chosen)
        return _free(alone, charge)
    [part] = capped(parts_of(grouping, [chosen]), atoms, positions)
    return _free(part, part.info.get("charge", 0))


def _one_piece(grouping: Grouping, chosen: tuple[int, ...]) -> bool:
    return any(set(chosen) <= set(molecule) for molecule in grouping.molecules)


def _free(atoms: Atoms, charge: int = 0) -> Atoms:
    """Nothing but atoms and charge: no cell, since a part is looked at alone."""
    part = Atoms(atoms.numbers, atoms.positions)
    part.info = {"subset": PART, "multiplicity": 1}
    if charge:
        part.info["charge"] = charge
    return part
