"""Gauge "molecules": a molecule that is absent is far away; what is left are molecules too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ase import Atoms

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import Coordinates, internal_coordinates
from interpmd.structures.fragments import Fragments, fragments_of


@dataclass(frozen=True, eq=False)
class MoleculesGauge(Gauge):
    """Players are whole molecules, those of the first frame in all frames.

    Attributes:
        fragments: atoms of each molecule.
        frames: for which the coordinates inside a molecule are made; none where a force within a
            molecule is to stay one row.
    """

    fragments: Fragments
    frames: tuple[Atoms, ...] = ()

    name: ClassVar[str] = "molecules"
    absent: ClassVar[str] = "the molecule is far away"
    rows: ClassVar[str] = "molecules, pairs, triples; of forces a molecule's own coordinates"

    @classmethod
    def of(cls, frames: Sequence[Atoms], players: Fragments | None = None) -> Self:
        molecules = fragments_of(frames[0], "molecules") if players is None else players
        return cls(molecules, tuple(frames))

    @property
    def players(self) -> Fragments:
        return self.fragments

    def game(self, model: Model, atoms: Atoms, target: Target) -> Game:
        return Game(model, atoms, target, self.fragments)

    def inside(self, molecule: int) -> tuple[Coordinates, list[str]]:
        """Internal coordinates of a molecule by itself, and their names in the whole structure."""
        members = list(self.fragments[molecule])
        parts = [frame[members] for frame in self.frames]
        coordinates = internal_coordinates(parts, bonds, hydrogen_bonds)
        return coordinates, [_renumbered(label, members) for label in coordinates.labels]


def _renumbered(label: str, members: Sequence[int]) -> str:
    """A label with the numbers that the atoms have in the whole structure."""

    def whole(match: re.Match[str]) -> str:
        return f"{match.group(1)}{members[int(match.group(2))]}"

    return re.sub(r"\b([A-Z][a-z]?)(\d+)\b", whole, label)
