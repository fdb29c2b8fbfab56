"""What to label: closed-shell parts of the molecules, or dimers and trimers of atoms."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import ground_state_magnetic_moments

from interpmd.decomposition.few_atoms import trimer_positions
from interpmd.errors import ArgumentError

#: Distance in Å over which a label, an energy with its forces, informs about its surroundings.
REACH = 0.3


#: What may be proposed.
PARTS = ("closed", "radicals", "all")


class Geometries(Protocol):
    """Dimers and trimers with the posterior of their rows; see `interpmd.trust.diagnosis`."""

    parts: Sequence[Atoms]
    grades: np.ndarray
    table: pd.DataFrame
    numbers: np.ndarray
    sides: np.ndarray
    samples: np.ndarray
    threshold: float


def propose(diagnosis: Geometries, most: int = 200, parts: str = "closed") -> list[Atoms]:
    """Structures whose labels would say most, those that cost the fit least first.

    Closed-shell parts (`propose_closed`) lie close to the training data and serve the rows of
    gauges "groups" and "molecules". Dimers and trimers of atoms (`propose_radicals`) serve rows of
    atoms; they are radicals, electronvolts away, and every weight that they take is missing
    elsewhere.

    Args:
        diagnosis: what `interpmd.doctor` looked at, and how certain it is.
        most: structures in all.
        parts: "closed"; "radicals"; or "all", closed-shell parts first. Where the diagnosis has no
            closed-shell parts (solids, clusters of atoms, `interpmd.doctor` without training
            frames) "closed" gives radicals, too.

    Raises:
        ArgumentError: no such parts, or `most` too small.
    """
    if parts not in PARTS:
        raise ArgumentError(f"parts are {', '.join(map(repr, PARTS))}, not {parts!r}")
    if parts == "radicals" or not len(diagnosis.parts):
        return propose_radicals(diagnosis, most)
    closed = propose_closed(diagnosis, most)
    elements = len(set(diagnosis.numbers[:, :2].flat))
    if parts == "closed" or most - len(closed) <= elements:
        return closed
    return closed + propose_radicals(diagnosis, most - len(closed))


def propose_closed(diagnosis: Geometries, most: int = 200) -> list[Atoms]:
    """Closed-shell parts that are not on the data: extrapolation grade of an atom above 1.

    One of each composition in turn, the largest grade first, so that no composition is forgotten
    and none is labelled twice before all are labelled once.

    Returns:
        Molecules without labels, with info "subset" ("part"), "multiplicity" and "charge".

    Raises:
        ArgumentError: `most` is below 1.
    """
    if most < 1:
        raise ArgumentError(f"most is a number of structures from 1 on, not {most}")
    compositions: dict[tuple, list[int]] = {}
    for place in np.argsort(-diagnosis.grades, kind="stable").tolist():
        if diagnosis.grades[place] > 1:
            part = diagnosis.parts[place]
            key = (tuple(sorted(part.numbers.tolist())), part.info.get("charge", 0))
            compositions.setdefault(key, []).append(place)
    rounds = itertools.zip_longest(*compositions.values())
    chosen = [place for turn in rounds for place in turn if place is not None]
    return [diagnosis.parts[place].copy() for place in chosen[:most]]


def propose_radicals(diagnosis: Geometries, most: int = 200) -> list[Atoms]:
    """Single atoms, dimers and trimers whose labels would say most.

    Greedy: the geometry of the largest standard deviation is taken and the posterior conditioned
    on its label, again and again, until all that is physical is determined or `most` is reached.
    The covariance of the few samples is multiplied by a Gaussian of the distance between
    geometries (`REACH`), which removes the chance correlations of far ones (localization:
    Houtekamer and Mitchell, Mon. Weather Rev. 129, 123 (2001)), so that no near-duplicates are
    proposed. Dimers come first and take at most half, unless nothing else is left: a trimer's
    energy fixes its triplet row only as far as its pair rows are fixed. Where the diagnosis holds
    trimers drawn from data, those are proposed, and others only once they are determined.

    Args:
        diagnosis: what `interpmd.doctor` looked at, and how certain it is.
        most: structures in all, single atoms included.

    Returns:
        Molecules without labels, with info "subset" ("isolated", "dimer", "trimer") and
        "multiplicity" (Hund's rules for single atoms, else the lowest).

    Raises:
        ValueError: `most` is below the number of elements plus one.
    """
    elements = sorted(set(diagnosis.numbers[:, :2].flat))
    if most <= len(elements):
        raise ArgumentError(f"most is above {len(elements)}, one for each element, not {most}")
    left = most - len(elements)
    dimers = _most_informative(diagnosis, 2, (left + 1) // 2)
    trimers = _most_informative(diagnosis, 3, left - len(dimers))
    if len(dimers) == (left + 1) // 2:
        dimers = _most_informative(diagnosis, 2, left - len(trimers))
    return [*map(single_atom, elements), *(_structure(diagnosis, g) for g in [*dimers, *trimers])]


def multiplicities(atoms: Atoms) -> list[int]:
    """Multiplicities 2S + 1 that the ground states of neutral atoms can couple to, ascending.

    A single atom keeps its own (Hund's rules).
    """
    unpaired = [round(ground_state_magnetic_moments[z]) for z in atoms.numbers]
    if len(unpaired) == 1:
        return [unpaired[0] + 1]
    lowest = sum(unpaired) % 2
    return list(range(lowest + 1, sum(unpaired) + 2, 2))


def _most_informative(diagnosis: Geometries, order: int, most: int) -> list[int]:
    """Places in the table of the geometries of one order, the most informative first."""
    table = diagnosis.table
    candidates = np.flatnonzero((table.order == order) & table.physical)
    groups: dict[tuple[int, ...], list[int]] = {}
    shapes = {}
    for g in candidates:
        key, shapes[g] = _shape(diagnosis.numbers[g], diagnosis.sides[g])
        groups.setdefault(key, []).append(g)
    covariances = {}
    for key, members in groups.items():
        samples = diagnosis.samples[members]
        shape = np.array([shapes[g] for g in members])
        apart = ((shape[:, None] - shape[None]) ** 2).sum(-1)
        taper = np.exp(-apart / (2 * REACH**2))
        covariances[key] = samples @ samples.T / samples.shape[1] * taper
    drawn = np.asarray(table.get("drawn", np.zeros(len(table), dtype=bool)))
    # a label leaves a geometry determined, with room to spare
    noise = (0.5 * diagnosis.threshold) ** 2
    chosen: list[int] = []
    for allowed in (drawn, np.ones(len(table), dtype=bool)):
        masks = {key: allowed[members] for key, members in groups.items()}
        while len(chosen) < most and covariances:
            open_ = {key: covariances[key].diagonal() * masks[key] for key in covariances}
            key = max(open_, key=lambda k: open_[k].max())
            place = int(open_[key].argmax())
            if open_[key][place] < diagnosis.threshold**2:
                break
            chosen.append(int(groups[key][place]))
            column = covariances[key][:, place]
            covariances[key] = covariances[key] - np.outer(column, column) / (column[place] + noise)
    return chosen


def _shape(numbers: np.ndarray, sides: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Sorted elements, and sides in an order that does not depend on that of the atoms."""
    if not numbers[2]:
        return tuple(sorted(numbers[:2].tolist())), (float(sides[0]),)
    side = {(0, 1): sides[0], (0, 2): sides[1], (1, 2): sides[2]}
    key = tuple(sorted(numbers.tolist()))
    orders = [p for p in itertools.permutations(range(3)) if tuple(numbers[list(p)]) == key]
    shapes = (
        tuple(float(side[min(a, b), max(a, b)]) for a, b in ((p[0], p[1]), (p[0], p[2]), p[1:]))
        for p in orders
    )
    return key, min(shapes)


def _structure(diagnosis: Geometries, geometry: int) -> Atoms:
    numbers, sides = diagnosis.numbers[geometry], diagnosis.sides[geometry]
    if numbers[2]:
        atoms = Atoms(numbers, trimer_positions(sides[None])[0])
    else:
        atoms = Atoms(numbers[:2], [[0, 0, 0], [sides[0], 0, 0]])
    subset = "trimer" if numbers[2] else "dimer"
    atoms.info = {"subset": subset, "multiplicity": multiplicities(atoms)[0]}
    return atoms


def single_atom(number: int) -> Atoms:
    """A free atom in its ground state, to be labelled."""
    atoms = Atoms([int(number)], [[0.0, 0.0, 0.0]])
    atoms.info = {
        "subset": "isolated",
        "config_type": "IsolatedAtom",
        "multiplicity": multiplicities(atoms)[0],
    }
    return atoms
