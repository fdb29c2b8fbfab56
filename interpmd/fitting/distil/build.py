"""The terms of a distillation, made for some frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms

from interpmd import arguments
from interpmd.errors import ArgumentError, MemoryLimitError, StructureError
from interpmd.fitting.distil.base import Block, DistilTerm
from interpmd.fitting.distil.cross import Cross
from interpmd.fitting.distil.equations import LinearModel
from interpmd.fitting.distil.pairs import Pairs, elements_of
from interpmd.fitting.distil.topology import topology
from interpmd.fitting.distil.triplets import Triplets
from interpmd.fitting.distil.valence import Nonbonded, Valence
from interpmd.structures.chemistry import molecules
from interpmd.structures.seen import SeenDistances

#: Terms, with the forms of coordinates of those that are made of them.
TERMS: dict[str, tuple[str, ...]] = {
    "pairs": (),
    "triplets": (),
    "bonds": ("stretches",),
    "angles": ("angles", "bends"),
    "torsions": ("dihedrals", "planes"),
    "nonbonded": (),
    "cross": (),
}

#: What is distilled where nothing is said: of anything, and of molecules.
SIMPLE = ("pairs", "triplets")
VALENCE = ("bonds", "angles", "torsions", "nonbonded", "cross")

#: Short names of several terms.
SHORT = {"valence": VALENCE, "simple": SIMPLE}

#: Frames that are looked at for ranges, elements and which coefficients matter.
SURVEYED = 100

#: Square matrices of all coefficients that the solution holds at once.
MATRICES = 6


@dataclass(frozen=True)
class Resolution:
    """How fine the curves are.

    Attributes:
        cutoff: of pairs in Å.
        triplet_cutoff: of the two sides of a triplet at its centre in Å.
        spacing, triplet_spacing: of knots in Å, about.
        intervals: of curves of bonds and angles.
    """

    cutoff: float = 6.0
    triplet_cutoff: float = 3.5
    spacing: float = 0.25
    triplet_spacing: float = 0.5
    intervals: int = 10

    def __post_init__(self) -> None:
        arguments.positive(
            cutoff=self.cutoff,
            triplet_cutoff=self.triplet_cutoff,
            spacing=self.spacing,
            triplet_spacing=self.triplet_spacing,
        )
        arguments.count(4, intervals=self.intervals)
        if self.triplet_cutoff > self.cutoff:
            raise ArgumentError(
                f"triplet_cutoff={self.triplet_cutoff:g} is above cutoff={self.cutoff:g}: triplets "
                "are of pairs that are seen"
            )


def chosen_terms(terms: str | Sequence[str] | None, frames: Sequence[Atoms]) -> tuple[str, ...]:
    """Names of terms, in the order in which they are fitted.

    Raises:
        ArgumentError: unknown names, names that stand twice, or none.
    """
    if terms is None:
        return VALENCE if _one_molecule(frames) else SIMPLE
    if not isinstance(terms, Sequence):
        raise ArgumentError(f"terms are names, 'pairs' or ['bonds', 'angles'], not {terms!r}")
    given = (terms,) if isinstance(terms, str) else tuple(terms)
    names = tuple(name for word in given for name in SHORT.get(word, (word,)))
    for name in names:
        arguments.one_of([*TERMS, *SHORT], terms=name)
    if not names or len(set(names)) < len(names):
        raise ArgumentError(f"terms are different names out of {', '.join(TERMS)}, not {terms!r}")
    return names


def built(
    names: Sequence[str], frames: Sequence[Atoms], resolution: Resolution, memory: float
) -> LinearModel:
    """Terms over the ranges that the frames cover.

    Raises:
        StructureError: no atom of the frames is in any term; see also `topology.topology`.
        MemoryLimitError: the equations take more than `memory` GiB.
    """
    some = [frames[k] for k in _evenly(len(frames), SURVEYED)]
    block = Block.of(some)
    elements = elements_of(frames)
    valence = set(names) - set(SIMPLE)
    topo = topology(frames) if valence else None
    made: list[tuple[str, DistilTerm]] = []
    pair = (elements, resolution.cutoff, resolution.spacing)
    for name in names:
        wanted: list[DistilTerm | None] = []
        if name == "pairs":
            wanted.append(Pairs(*pair, SeenDistances.of(some, resolution.cutoff)))
        elif name == "triplets":
            sides = (resolution.triplet_cutoff, resolution.triplet_spacing)
            wanted.append(Triplets(elements, *sides))
        elif topo is not None and name == "nonbonded":
            wanted.append(Nonbonded(topo, block, *pair))
        elif topo is not None and name == "cross":
            wanted.append(Cross.of(topo, block))
        elif topo is not None:
            wanted += [Valence.of(topo, what, block, resolution.intervals) for what in TERMS[name]]
        made += [(name, term) for term in wanted if term is not None]
    active = [_touched(term, some) for _, term in made]
    if not any(a.any() for a in active):
        raise StructureError(
            f"there is nothing to distil: the frames have no {', no '.join(names)}"
        )
    model = LinearModel(
        tuple(term for _, term in made), tuple(name for name, _ in made), np.concatenate(active)
    )
    needed = MATRICES * model.size**2 * 8 / 2**30
    if needed > memory:
        raise MemoryLimitError(
            f"{model.size} coefficients take {needed:.1f} GiB, and memory={memory:g}: take fewer "
            "terms, a shorter triplet_cutoff or a wider triplet_spacing, or allow more"
        )
    return model


def options_of(given: Mapping[str, object]) -> Resolution:
    """Resolution from keywords.

    Raises:
        ArgumentError: unknown ones, or values that make no sense.
    """
    arguments.options(given, Resolution.__dataclass_fields__, "distil")
    return Resolution(**given)  # type: ignore[arg-type]


def _touched(term: DistilTerm, frames: Sequence[Atoms]) -> np.ndarray:
    """Which coefficients the frames say anything about."""
    found = np.zeros(term.size, dtype=bool)
    for atoms in frames:
        if isinstance(term, Triplets):
            found |= term.touched(Block.of([atoms]))
        else:
            return np.ones(term.size, dtype=bool)
    return found


def _one_molecule(frames: Sequence[Atoms]) -> bool:
    first = frames[0]
    same = all(np.array_equal(a.numbers, first.numbers) for a in frames)
    return same and not first.pbc.any() and len(molecules(first)) == 1 and len(first) > 2


def _evenly(count: int, most: int) -> list[int]:
    """At most so many of some numbers, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()
