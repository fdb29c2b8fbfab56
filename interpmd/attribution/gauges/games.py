"""The game behind an explanation: what the target would be with some of the players absent."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import numpy as np
from ase import Atoms
from jaxtyping import Bool, Float

from interpmd.attribution.models import Model
from interpmd.attribution.targets import Target
from interpmd.errors import ModelError
from interpmd.structures.charged_parts import formal_charges, part_of
from interpmd.structures.fragments import Fragments

#: Numbers of the players of a coalition, ascending.
Players = tuple[int, ...]


class Game:
    """v(S): the target of the players in S alone, all others taken away; v of nobody is 0.

    Players are atoms or fragments; in a periodic structure an atom stands for all its images.
    Convention: a part has the sum of the formal charges of its atoms; see
    `interpmd.structures.charged_parts`. Values are remembered.

    Args:
        model: evaluated on parts of the structure.
        atoms: the structure.
        target: what is explained.
        fragments: the players; single atoms if None.

    Raises:
        FragmentError: the structure is charged, and it is not known which parts carry the charge.
        ModelError: when asked for a part to which the model gives no finite energy and forces.
    """

    def __init__(
        self, model: Model, atoms: Atoms, target: Target, fragments: Fragments | None = None
    ) -> None:
        self.model, self.atoms = model, atoms
        self.functional = target.functional(atoms)
        self.players: Fragments = fragments or tuple((i,) for i in range(len(atoms)))
        self.charges = part_charges(model, atoms)
        self._known: dict[bytes, np.ndarray] = {}

    @property
    def evaluations(self) -> int:
        """Number of parts that were evaluated so far."""
        return len(self._known)

    def __call__(
        self, present: Bool[np.ndarray, "coalitions players"]
    ) -> Float[np.ndarray, "coalitions components"]:
        """Values of coalitions."""
        present = np.atleast_2d(np.asarray(present, dtype=bool))
        keys = [row.tobytes() for row in present]
        missing = {
            key: row
            for key, row in zip(keys, present, strict=True)
            if row.any() and key not in self._known
        }
        if missing:
            members = [self._members(row) for row in missing.values()]
            energies, forces = self.model.evaluate([self._part(m) for m in members])
            full = np.zeros((len(members), len(self.atoms), 3))
            for index, (inside, force) in enumerate(zip(members, forces, strict=True)):
                full[index, inside] = force
            values = self.functional.of(energies, full)
            for members_of, value in zip(members, values, strict=True):
                if not np.isfinite(value).all():
                    raise ModelError(
                        f"{self.model.name} gives {value} for the part of atoms {members_of} "
                        f"({self.atoms[members_of].symbols}); explanations need a finite value of "
                        "every part: join atoms to fragments that the model can evaluate"
                    )
            self._known.update(zip(missing, values, strict=True))
        nobody = np.zeros(len(self.functional.energy))
        return np.array([self._known.get(key, nobody) for key in keys])

    def of(self, coalitions: Iterable[Players]) -> dict[Players, np.ndarray]:
        """Values of coalitions that are named by their players."""
        named = list(coalitions)
        present = np.zeros((len(named), len(self.players)), dtype=bool)
        for row, players in enumerate(named):
            present[row, list(players)] = True
        return dict(zip(named, self(present), strict=True))

    def sampled(self, coalitions: Iterable[Players]) -> dict[Players, np.ndarray]:
        """Values of coalitions, each with the samples of its components behind.

        Returns:
            Shape (components + components x samples,) each; only the values where the model knows
            no posterior.

        Raises:
            ModelError: see `__call__`.
        """
        named = list(coalitions)
        values = self.of(named)
        members = [sorted(a for p in players for a in self.players[p]) for players in named]
        posterior = self.model.posterior([self._part(m) for m in members])
        if posterior is None:
            return values
        energy, forces = self.functional.energy, self.functional.forces
        sampled = {}
        for index, (players, inside) in enumerate(zip(named, members, strict=True)):
            drawn = np.einsum("sax,cax->cs", posterior.forces[index], forces[:, inside])
            drawn += np.outer(energy, posterior.energies[:, index])
            sampled[players] = np.concatenate([values[players], drawn.ravel()])
        return sampled

    def up_to(self, size: int) -> list[Players]:
        """All coalitions of 1 to `size` players."""
        count = len(self.players)
        return [c for k in range(1, min(size, count) + 1) for c in combinations(range(count), k)]

    @property
    def whole(self) -> Float[np.ndarray, " components"]:
        """The target itself."""
        return self(np.ones((1, len(self.players)), dtype=bool))[0]

    def _members(self, row: np.ndarray) -> list[int]:
        return sorted(a for p in np.flatnonzero(row) for a in self.players[p])

    def _part(self, members: list[int]) -> Atoms:
        return part_of(self.atoms, members, self.charges)


def part_charges(model: Model, atoms: Atoms) -> Float[np.ndarray, " atoms"]:
    """The charge in e that each atom takes along into a part; all zero where no model looks at it.

    Raises:
        FragmentError: see `interpmd.structures.charged_parts.formal_charges`.
    """
    if not model.sees_charge:
        return np.zeros(len(atoms))
    return formal_charges(atoms, model.charge_of(atoms))
