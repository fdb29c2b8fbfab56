"""Gauge "internal": a coordinate that is absent does not move, so that it carries no force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ase import Atoms

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.errors import GaugeError
from interpmd.structures.chemistry import bonds, hydrogen_bonds
from interpmd.structures.coordinates import Coordinates, internal_coordinates
from interpmd.structures.fragments import Fragments


@dataclass(frozen=True, eq=False)
class InternalGauge(Gauge):
    """Rows are the tensions of internal coordinates; there are no players.

    Attributes:
        coordinates: the same, under the same names, in all frames.
    """

    coordinates: Coordinates

    name: ClassVar[str] = "internal"
    absent: ClassVar[str] = "the coordinate does not move"
    rows: ClassVar[str] = "bonds, angles, torsions, hydrogen bonds, contacts"
    method: ClassVar[str] = "tensions"
    exact_for: ClassVar[str] = "forces, and work along a path"

    @classmethod
    def of(cls, frames: Sequence[Atoms], players: Fragments | None = None) -> Self:
        if players is not None:
            raise GaugeError(
                'the gauge "internal" has coordinates, no players; leave fragments out, or take '
                'gauge="groups", "molecules" or "atoms"'
            )
        return cls(internal_coordinates(frames, bonds, hydrogen_bonds))

    @property
    def default_order(self) -> None:
        return None

    def game(self, model: Model, atoms: Atoms, target: Target) -> Game:
        raise GaugeError(
            'coordinates are no players that could come and go: the gauge "internal" has no '
            'coalitions; take gauge="groups", "molecules" or "atoms"'
        )
