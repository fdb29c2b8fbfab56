"""Gauge "molecules": a molecule that is absent is far away; what is left are molecules too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ase import Atoms

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.structures.fragments import Fragments, fragments_of


@dataclass(frozen=True)
class MoleculesGauge(Gauge):
    """Players are whole molecules, those of the first frame in all frames.

    Attributes:
        fragments: atoms of each molecule.
    """

    fragments: Fragments

    name: ClassVar[str] = "molecules"
    absent: ClassVar[str] = "the molecule is far away"
    rows: ClassVar[str] = "molecules, pairs, triples of molecules"

    @classmethod
    def of(cls, frames: Sequence[Atoms], players: Fragments | None = None) -> Self:
        return cls(fragments_of(frames[0], "molecules") if players is None else players)

    @property
    def players(self) -> Fragments:
        return self.fragments

    def game(self, model: Model, atoms: Atoms, target: Target) -> Game:
        return Game(model, atoms, target, self.fragments)
