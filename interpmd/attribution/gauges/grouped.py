"""Gauge "groups": a group that is absent is replaced by hydrogen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.games import Game
from interpmd.attribution.gauges.groups import GroupGame, GroupRows, Values, group_game, group_rows
from interpmd.attribution.gauges.myerson import connected_sets
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Functional, Target
from interpmd.errors import GaugeError
from interpmd.structures.fragments import Fragments
from interpmd.structures.groups import Grouping, groups_of

#: Connected sets up to which all are taken unless an order is asked for.
FEW_SETS = 300


@dataclass(frozen=True, eq=False)
class GroupsGauge(Gauge):
    """Players are groups of the molecular graph, coalitions connected sets of them.

    Attributes:
        grouping: the groups; the same in all frames.
    """

    grouping: Grouping

    name: ClassVar[str] = "groups"
    absent: ClassVar[str] = "hydrogen stands in the group's place"
    rows: ClassVar[str] = "connected groups, closed with hydrogen"

    @classmethod
    def of(cls, frames: Sequence[Atoms], players: Fragments | None = None) -> Self:
        return cls(groups_of(frames, players))

    @property
    def players(self) -> Fragments:
        return self.grouping.groups

    @property
    def default_order(self) -> int | None:
        """All groups together where there are few sets, else as many as leave few."""
        for order in range(len(self.grouping), 2, -1):
            if len(connected_sets(len(self.grouping), self.grouping.links, order)) <= FEW_SETS:
                return None if order == len(self.grouping) else order
        return min(3, len(self.grouping))

    def game(self, model: Model, atoms: Atoms, target: Target) -> Game:
        self.require_one_molecule()
        return CappedGame(model, atoms, target, self)

    def require_one_molecule(self) -> None:
        """Raise GaugeError for several: what they do to each other is of no connected set."""
        if (count := len(self.grouping.molecules)) > 1:
            raise GaugeError(
                f"coalitions of groups are those of one molecule, and there are {count}: what "
                "molecules do to each other belongs to no connected set of groups. Take method="
                '"mobius", where it is one row, or gauge="molecules"'
            )

    def rows_of(
        self, model: Model, atoms: Atoms, order: int | None, error_bars: bool = False
    ) -> GroupRows:
        """Rows of a structure.

        Args:
            model: what is explained.
            atoms: one frame.
            order: largest number of groups in a row; all if None.
            error_bars: whether to carry the samples of the posterior along.

        Raises:
            StructureError: the groups do not fit the frame.
            ModelError: a part to which the model gives no finite energy and forces.
        """

        def evaluate(frames: list[Atoms]) -> Values:
            energies, forces = model.evaluate(frames)
            posterior = model.posterior(frames) if error_bars else None
            if posterior is None:
                return Values(energies, forces)
            return Values(energies, forces, posterior.energies, posterior.forces)

        [rows] = group_rows([atoms], group_game(self.grouping, order), evaluate)
        return rows


def contributions(
    rows: GroupRows, functional: Functional
) -> tuple[
    Float[np.ndarray, "rows components"], Float[np.ndarray, "rows components samples"] | None
]:
    """What each row adds to a target, and the samples of that where they are known."""
    values = functional.of(rows.energies, rows.forces)
    if rows.energy_samples is None or rows.force_samples is None:
        return values, None
    samples = np.einsum("sr,c->rcs", rows.energy_samples, functional.energy)
    return values, samples + np.einsum("srax,cax->rcs", rows.force_samples, functional.forces)


class CappedGame(Game):
    """v(S): what the pieces of a set of groups are worth, each closed with hydrogen.

    Myerson's game: a set that the molecular graph leaves in pieces is worth the sum of its pieces,
    and nobody is worth nothing. All of it follows from the rows of one evaluation.

    Args:
        model, atoms, target: see `Game`.
        gauge: the groups.
    """

    def __init__(self, model: Model, atoms: Atoms, target: Target, gauge: GroupsGauge) -> None:
        super().__init__(model, atoms, target, gauge.players)
        self.gauge = gauge

    @cached_property
    def _rows(self) -> tuple[GroupGame, Float[np.ndarray, "rows components"]]:
        rows = self.gauge.rows_of(self.model, self.atoms, None)
        return rows.game, contributions(rows, self.functional)[0]

    @property
    def evaluations(self) -> int:
        """Number of parts that were evaluated so far."""
        return len(self._rows[0].parts) + 1 if "_rows" in vars(self) else 0

    def __call__(
        self, present: Bool[np.ndarray, "coalitions players"]
    ) -> Float[np.ndarray, "coalitions components"]:
        """Values of coalitions."""
        present = np.atleast_2d(np.asarray(present, dtype=bool))
        game, values = self._rows
        inside = np.stack([present[:, list(chosen)].all(1) for chosen in game.sets], axis=1)
        return inside.astype(float) @ values
