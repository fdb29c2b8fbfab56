"""Gauge "atoms": an atom that is absent is far away, by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ase import Atoms

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.structures.fragments import Fragments


@dataclass(frozen=True)
class AtomsGauge(Gauge):
    """Players are atoms, or sets of atoms that the user chose.

    Attributes:
        fragments: the user's players; single atoms if None.
        because: why no other gauge was taken where the system calls for one; in words.
    """

    fragments: Fragments | None = None
    because: str = ""

    name: ClassVar[str] = "atoms"
    absent: ClassVar[str] = "the atom is far away"
    rows: ClassVar[str] = "sets of atoms"

    @classmethod
    def of(cls, frames: Sequence[Atoms], players: Fragments | None = None) -> Self:
        return cls(players)

    @property
    def players(self) -> Fragments | None:
        return self.fragments

    def game(self, model: Model, atoms: Atoms, target: Target) -> Game:
        return Game(model, atoms, target, self.fragments)
