"""What can be explained: the energy, the force on an atom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from jaxtyping import Float

from interpmd.errors import InterpmdError

if TYPE_CHECKING:
    from interpmd.decomposition import Decomposition


class TargetError(InterpmdError, ValueError):
    """The target does not exist in the structure."""


@dataclass(frozen=True)
class Energy:
    """The total energy in eV."""

    unit = "eV"

    def of_rows(self, table: Decomposition) -> Float[np.ndarray, " rows"]:
        """What each row adds."""
        return table.energies

    def of_prediction(self, atoms: Atoms, energy: float, forces: np.ndarray) -> np.ndarray:
        """The value that the rows should sum to."""
        return np.asarray(energy)

    def __str__(self) -> str:
        return "energy"


@dataclass(frozen=True)
class Force:
    """The force on an atom in eV/A.

    Args:
        atom: index of the atom.
        along: None for the whole vector; a vector, or the index of another atom, for the
            component in that direction (positive towards it).
    """

    atom: int
    along: int | tuple[float, float, float] | None = None
    unit = "eV/A"

    def direction(self, atoms: Atoms) -> Float[np.ndarray, 3] | None:
        """Unit vector of `along`, or None.

        Raises:
            TargetError: no such atom, or a direction of no length.
        """
        if isinstance(self.atom, bool) or not isinstance(self.atom, int | np.integer):
            raise TargetError(f"an atom is named by its index, a whole number, not {self.atom!r}")
        for index in (self.atom, self.along):
            if isinstance(index, int | np.integer) and not 0 <= index < len(atoms):
                raise TargetError(
                    f"there is no atom {index}: {atoms.symbols} has atoms 0 to {len(atoms) - 1}"
                )
        if self.along is None:
            return None
        if isinstance(self.along, int | np.integer):
            vector = atoms.get_distance(self.atom, int(self.along), mic=True, vector=True)
        else:
            vector = np.asarray(self.along, dtype=float)
        length = np.linalg.norm(vector)
        if vector.shape != (3,) or not np.isfinite(length) or length < 1e-12:
            raise TargetError(f"along={self.along!r} is no direction")
        return vector / length

    def of_rows(self, table: Decomposition) -> np.ndarray:
        """What each row adds, shape (rows, 3) or (rows,)."""
        direction = self.direction(table.structure)
        forces = table.on_atom(self.atom)
        return forces if direction is None else forces @ direction

    def of_prediction(self, atoms: Atoms, energy: float, forces: np.ndarray) -> np.ndarray:
        """The value that the rows should sum to."""
        direction = self.direction(atoms)
        return forces[self.atom] if direction is None else forces[self.atom] @ direction

    def __str__(self) -> str:
        along = "" if self.along is None else f" along {self.along}"
        return f"force on atom {self.atom}{along}"
