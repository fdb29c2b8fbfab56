"""Which capped groups of a molecule the training data know, and which they lack.

A potential of local terms carries from molecule to molecule what it learned of their parts. The
parts are those of gauge "groups": connected groups of a molecule, cut bonds closed with hydrogen
(`interpmd.structures.groups`, `interpmd.attribution.gauges.capping`), here up to three groups, so
that every group is seen beside each pair of its neighbours. A part is known where a training
molecule is it, or contains it. Parts are told apart by who is bonded to whom, as canonical SMILES
without stereochemistry: conformers and mirror images are one part.

That fragments tell how far a model carries: Huang and von Lilienfeld, Nat. Chem. 12, 945 (2020)
(amons).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms

from interpmd import arguments
from interpmd.attribution.gauges.capping import capped, parts_of
from interpmd.errors import ArgumentError, FragmentError, InterpmdError, StructureError
from interpmd.fitting.report import FitReport
from interpmd.levels.classical import ForceField
from interpmd.markup import markup, table
from interpmd.plots.fragments import fragments_of_formula
from interpmd.potentials.potential import Potential
from interpmd.potentials.shelf import load_potential, shipped_names
from interpmd.reference.calculator import as_calculator
from interpmd.reference.sampling import sample
from interpmd.structures.files import Structures, read_frames
from interpmd.structures.groups import Grouping, groups_of, placed
from interpmd.trust.closed_parts import PART
from interpmd.trust.fragment_names import (
    ORDER,
    canonical_smiles,
    formula,
    fragments_in,
    fragments_of_groups,
    identity,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Groups of a molecule that is a fragment of itself, at most.
LINKED = 2

#: Number of the first atom of a group in its name.
NUMBER = re.compile(r"\(\d+\)")

#: Of the displacements, in K.
TEMPERATURES = (300.0, 600.0)

#: The potential that is asked about unless another is named.
GENERAL = "small_molecules"

#: Where the card of a potential keeps the parts that its training data know.
KEPT = "fragments"


@dataclass(frozen=True, eq=False, repr=False)
class KnownFragments:
    """The capped groups of some molecules, and whether the training data know them.

    Attributes:
        table: one row for each fragment; see `to_frame`.
        order: largest number of groups of a fragment.
        frames: the structures that were asked for.
        places: of each fragment the structures that hold it, as (frame, groups).
        groupings: groups of each structure.
    """

    table: pd.DataFrame
    order: int
    frames: Sequence[Atoms]
    places: Sequence[Sequence[tuple[int, tuple[int, ...]]]]
    groupings: Sequence[Grouping]

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table: smiles, fragment (its groups in words), order (their number),
        heavy_atoms, known."""
        return self.table.copy()

    @property
    def known(self) -> list[str]:
        """SMILES of the fragments that the training data know."""
        return self.table.smiles[self.table.known].tolist()

    @property
    def lacking(self) -> list[str]:
        """SMILES of those that they lack."""
        return self.table.smiles[~self.table.known].tolist()

    @property
    def covered(self) -> bool:
        """Whether the training data know all of them."""
        return bool(self.table.known.all())

    def structures(self, each: int = 8, seed: int = 0) -> list[Atoms]:
        """The lacking fragments as molecules, to be labelled.

        They are cut out of the structures as they stand in them; where that gives fewer than
        `each`, copies with thermal displacements along the normal modes of MMFF94 at 300 and 600 K
        are added (of 0.05 Å on every atom where that has no parameters).

        Args:
            each: geometries of every fragment, at most.
            seed: of the displacements.

        Raises:
            ArgumentError: `each` is below 1.
        """
        if each < 1:
            raise ArgumentError(f"each is a number of structures from 1 on, not {each}")
        found: list[Atoms] = []
        for number in np.flatnonzero(~self.table.known.to_numpy()).tolist():
            cut = [self._cut(*place) for place in self.places[number][:each]]
            found += cut + _displaced(cut[0], each - len(cut), seed + number)
        return found

    def plot(self, structure: int = 0, ax: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """The structural formula with what is lacking, and the list of fragments.

        Args:
            structure: which of the structures, by number.
            ax: two axes.
        """
        if not 0 <= structure < len(self.frames):
            raise ArgumentError(
                f"there is no structure {structure}: they are 0 to {len(self.frames) - 1}"
            )
        grouping, rows = self.groupings[structure], []
        for name, known, places in zip(
            self.table.fragment, self.table.known, self.places, strict=True
        ):
            inside = [chosen for where, chosen in places if where == structure]
            if inside:
                atoms = {a for chosen in inside for k in chosen for a in grouping.groups[k]}
                rows.append((name, bool(known), atoms))
        drawn = formula(self.frames[structure], grouping)
        title = self.frames[structure].get_chemical_formula()
        return fragments_of_formula(*drawn, rows, title=title, ax=ax)

    def __repr__(self) -> str:
        lacking = self.table[~self.table.known]
        total, left = len(self.table), len(lacking)
        if not left:
            return f"KnownFragments: all {total} fragments of up to {self.order} groups are known"
        lines = [
            f"KnownFragments: {total - left} of {total} fragments of up to {self.order} groups "
            f"are known; lacking are"
        ]
        lines += [f"  {row.smiles}  ({row.fragment})" for row in lacking.head(10).itertuples()]
        return "\n".join([*lines, *([f"  and {left - 10} more"] if left > 10 else [])])

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>{}", repr(self).split("\n")[0], table(self.table, index=False))

    def _cut(self, frame: int, chosen: tuple[int, ...]) -> Atoms:
        atoms, grouping = self.frames[frame], self.groupings[frame]
        [part] = capped(parts_of(grouping, [chosen]), atoms, placed(grouping, atoms))
        charge = part.info["charge"]
        alone = Atoms(part.numbers, part.positions)
        alone.info = {"subset": PART, "multiplicity": 1}
        if charge:
            alone.info["charge"] = charge
        return alone


def known_fragments(
    structures: Structures,
    data: Potential | FitReport | Structures | Iterable[str] | None = None,
    order: int = ORDER,
) -> KnownFragments:
    """Which capped groups of some molecules the training data know, and which they lack.

    A molecule of three groups or more is not counted as a fragment of itself; of two it is, since
    no smaller part has their bond.

    Args:
        structures: the molecules that a potential will be asked for, or files of them; several
            geometries of one molecule may stand among them.
        data: a potential whose card names its fragments (`remember_fragments`), the name of one
            that comes with interpmd, training frames or files of them, or SMILES as
            `KnownFragments.known` gives them; the shipped potential for molecules of C, H, N and O
            if None.
        order: largest number of groups of a fragment.

    Raises:
        ArgumentError: an order below 1.
        FragmentError: a potential that does not name the fragments of its data, or only smaller
            ones.
        StructureError: a structure that has no groups (a crystal, a radical).
        MissingPackageError: RDKit is not installed.
    """
    arguments.count(order=order)
    there = _there(load_potential(GENERAL) if data is None else data, order)
    frames = list(read_frames(structures))
    if not frames:
        raise StructureError("known_fragments needs at least one structure")
    rows: dict[str, dict] = {}
    places: dict[str, list[tuple[int, tuple[int, ...]]]] = {}
    groupings, before = [], {}
    for index, atoms in enumerate(frames):
        key = identity(atoms)
        if key not in before:
            grouping = groups_of(atoms)
            before[key] = grouping, fragments_of_groups(grouping, order)
        grouping, found = before[key]
        groupings.append(grouping)
        for chosen, smiles in found.items():
            if chosen in grouping.molecules and len(chosen) > LINKED:
                continue
            rows.setdefault(
                smiles,
                {
                    "smiles": smiles,
                    "fragment": NUMBER.sub("", grouping.label(chosen)),
                    "order": len(chosen),
                    "heavy_atoms": sum(
                        grouping.numbers[a] > 1 for k in chosen for a in grouping.groups[k]
                    ),
                    "known": smiles in there,
                },
            )
            places.setdefault(smiles, []).append((index, chosen))
    ordered = sorted(rows.values(), key=lambda row: (row["known"], row["order"], row["smiles"]))
    columns = ["smiles", "fragment", "order", "heavy_atoms", "known"]
    return KnownFragments(
        pd.DataFrame(ordered, columns=columns),
        order,
        frames,
        [places[row["smiles"]] for row in ordered],
        groupings,
    )


def remember_fragments(potential: Potential, frames: Structures, order: int = ORDER) -> None:
    """Write into a potential's card which fragments its training data know.

    `known_fragments` then needs no data beside the potential, also after it is saved and loaded.

    Raises:
        ArgumentError: no potential, or no frames.
    """
    arguments.of_class(Potential, potential=potential)
    frames = read_frames(frames)
    if not frames:
        raise ArgumentError("remember_fragments needs the frames that the potential was fitted to")
    potential.card.provenance[KEPT] = {
        "order": order,
        "smiles": sorted(fragments_in(frames, order)),
    }


def _displaced(part: Atoms, count: int, seed: int) -> list[Atoms]:
    """Copies of a molecule in thermal motion; a single atom has none."""
    if count < 1 or len(part) < 2:
        return []
    try:
        moved = sample(
            part,
            "normal_modes",
            as_calculator(ForceField("mmff94", bonded_as=part)),
            n=count,
            temperatures=TEMPERATURES,
            seed=seed,
            progress=False,
        )
    except InterpmdError:
        moved = sample(part, "rattle", n=count, seed=seed, stdev=0.05)
    for atoms in moved:
        atoms.info = dict(part.info)
    return moved


def _there(data: Potential | FitReport | Structures | Iterable[str], order: int) -> set[str]:
    """SMILES of what the data know."""
    if isinstance(data, str) and data in shipped_names():
        data = load_potential(data)
    if isinstance(data, FitReport):
        data = data.potential
    if isinstance(data, Potential):
        kept = data.card.provenance.get(KEPT)
        if kept is None:
            raise FragmentError(
                "the potential does not name the fragments of its training data; pass the frames "
                "that it was fitted to, or write them into its card: "
                "im.remember_fragments(potential, frames)"
            )
        if order > kept["order"]:
            raise FragmentError(
                f"the card of the potential lists fragments of up to {kept['order']} groups, not "
                f"{order}; pass the frames that it was fitted to, or a smaller order"
            )
        return set(kept["smiles"])
    if isinstance(data, Iterable) and not isinstance(data, str | Atoms):
        data = list(data)
        if data and all(isinstance(one, str) for one in data) and not _files(data):
            return {canonical_smiles(one) for one in data}
    return fragments_in(data, order)


def _files(names: Sequence[str]) -> bool:
    """Whether strings are names of files rather than SMILES."""
    return any("." in name.rpartition("/")[2] for name in names)
