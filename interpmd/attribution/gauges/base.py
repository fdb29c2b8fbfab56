"""What an explanation compares with: the state of a player that is absent.

A force or an energy is a sum of rows only once it is said what it would be without this or that.
For water in water that is the liquid without the molecule. For the two oxygens of a covalent
molecule it is not: taken out they leave radicals, electronvolts from anything that was ever
labelled, and their rows cancel fifty-fold. So what stands for "absent", the gauge, is part of every
question and stands in every answer.

| gauge | "absent" means | rows are | explains |
|---|---|---|---|
| internal | the coordinate does not move | bonds, angles, torsions, hydrogen bonds | forces, work |
| groups | hydrogen stands in the group's place | connected groups | energies, forces |
| molecules | the molecule is far away | molecules, pairs, triples | energies, forces |
| atoms | the atom is far away | sets of atoms | energies, forces |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

from ase import Atoms

from interpmd.attribution.gauges.games import Game
from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.structures.fragments import Fragments


class Gauge(ABC):
    """What "absent" means, made ready for the atoms of one system; frozen over its frames.

    Attributes:
        name: under which `explain` knows it.
        absent: what the absence of a player is.
        rows: what the rows are.
        method: of explanation that is taken unless another is asked for.
        exact_for: what the rows sum to.
    """

    name: ClassVar[str]
    absent: ClassVar[str]
    rows: ClassVar[str]
    method: ClassVar[str] = "mobius"
    exact_for: ClassVar[str] = "energies and forces"

    @classmethod
    @abstractmethod
    def of(cls, frames: Sequence[Atoms], players: Fragments | None = None) -> Self:
        """The gauge for all these frames of one system.

        Args:
            frames: at least one.
            players: the user's own instead of those by the rules.

        Raises:
            InterpmdError: the structure has none of what the gauge is about; says what to do.
        """

    @property
    def players(self) -> Fragments | None:
        """Atoms of each player; None where every atom is one, or where there are no players."""
        return None

    @property
    def default_order(self) -> int | None:
        """Largest number of players in a row unless the user says so; None for all."""
        return 3

    @abstractmethod
    def game(self, model: Model, atoms: Atoms, target: Target) -> Game:
        """The game that methods play which ask for coalitions.

        Raises:
            GaugeError: there are no players.
        """
