"""A path: structures in their order, with their energies and how far along each of them is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from interpmd.errors import PathError
from interpmd.markup import markup, table
from interpmd.plots.paths import energy_profile
from interpmd.structures.coordinates.graph import unwrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: How paths are made, in words.
HOW = {
    "neb": "minimum-energy path (nudged elastic band)",
    "irc": "minimum-energy path (intrinsic reaction coordinate)",
    "scan": "scan",
}

#: Name and unit of how far along a path of least energy a structure is.
ARC = ("reaction coordinate", "Å √u")


@dataclass(frozen=True, eq=False)
class Path:
    """Structures along a path, with energies and forces.

    Attributes:
        frames: structures from the reactant to the product.
        coordinate: how far along each is, ascending or descending, shape (frames,). Of
            minimum-energy paths the mass-weighted length of the way, 0 at the highest point.
        quantity, unit: of the coordinate.
        how: "neb", "irc" or "scan".
        converged: whether the forces fell below what was asked for.
        settings: how it was made.
    """

    frames: Sequence[Atoms]
    coordinate: Float[np.ndarray, " frames"]
    quantity: str
    unit: str
    how: str
    converged: bool
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Atoms]:
        return iter(self.frames)

    def __getitem__(self, index: int | slice) -> Atoms | Path:
        if isinstance(index, slice):
            return replace(self, frames=self.frames[index], coordinate=self.coordinate[index])
        return self.frames[index]

    @property
    def energies(self) -> Float[np.ndarray, " frames"]:
        """eV."""
        return np.array([a.get_potential_energy(apply_constraint=False) for a in self.frames])

    @property
    def highest(self) -> int:
        """Number of the structure with the highest energy."""
        return int(self.energies.argmax())

    @property
    def top(self) -> Atoms:
        """The structure with the highest energy; of a converged path the transition state."""
        return self.frames[self.highest]

    @property
    def barrier(self) -> float:
        """Highest energy above the first in eV."""
        return float(self.energies.max() - self.energies[0])

    @property
    def reverse_barrier(self) -> float:
        """Highest energy above the last in eV."""
        return float(self.energies.max() - self.energies[-1])

    @property
    def reaction_energy(self) -> float:
        """Last energy less the first in eV."""
        return float(self.energies[-1] - self.energies[0])

    def reversed(self) -> Path:
        """From the product to the reactant."""
        sign = -1.0 if self.how != "scan" else 1.0
        return replace(self, frames=self.frames[::-1], coordinate=sign * self.coordinate[::-1])

    def to_frame(self) -> pd.DataFrame:
        """Coordinate, energy above the first (eV) and largest force (eV/Å) of each structure."""
        forces = [atoms.get_forces(apply_constraint=False) for atoms in self.frames]
        return pd.DataFrame(
            {
                f"{self.quantity} ({self.unit})": self.coordinate,
                "energy_eV": self.energies - self.energies[0],
                "largest_force_eV/A": [np.linalg.norm(f, axis=1).max() for f in forces],
            }
        ).rename_axis("frame")

    def plot(self, ax: Axes | None = None) -> Axes:
        """Energy above the first structure against the coordinate."""
        return energy_profile(
            self.coordinate,
            self.energies - self.energies[0],
            x=f"{self.quantity} ({self.unit})",
            title=f"{HOW[self.how]}\nof {self.frames[0].get_chemical_formula()}",
            ax=ax,
        )

    def __str__(self) -> str:
        word = "" if self.converged else ", not converged"
        return (
            f"{HOW[self.how]} of {self.frames[0].get_chemical_formula()}, {len(self)} "
            f"structures{word}: barrier {self.barrier:.3f} eV, back {self.reverse_barrier:.3f} eV"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self, table(self.to_frame().round(4)))


def along(frames: Sequence[Atoms], how: str, converged: bool, settings: dict[str, Any]) -> Path:
    """A path of structures with energies, 0 at the highest of them.

    Raises:
        PathError: fewer than two structures.
    """
    if len(frames) < 2:
        raise PathError(f"a path has two structures or more, not {len(frames)}")
    length = arc_length(frames)
    energies = [a.get_potential_energy(apply_constraint=False) for a in frames]
    length -= length[int(np.argmax(energies))]
    return Path(list(frames), length, *ARC, how, converged, settings)


def arc_length(frames: Sequence[Atoms]) -> Float[np.ndarray, " frames"]:
    """Mass-weighted length of the way from the first structure in Å u^½, without rotations.

    Each step is the root of the sum of m |dx|², the structures put upon each other as well as
    their masses allow (Eckart); periodic ones are not turned.
    """
    whole = unwrapped(frames)
    masses = frames[0].get_masses()
    steps = [0.0]
    for before, after in zip(whole[:-1], whole[1:], strict=True):
        old, new = (a.positions - a.get_center_of_mass() for a in (before, after))
        if not before.pbc.any():
            new = new @ _rotation(new, old, masses)
        steps.append(float(np.sqrt((masses[:, None] * (new - old) ** 2).sum())))
    return np.cumsum(steps)


def _rotation(
    moved: Float[np.ndarray, "atoms 3"],
    onto: Float[np.ndarray, "atoms 3"],
    masses: Float[np.ndarray, " atoms"],
) -> Float[np.ndarray, "3 3"]:
    """The rotation R by which moved @ R lies best upon the other (Kabsch)."""
    left, _, right = np.linalg.svd((masses[:, None] * moved).T @ onto)
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return left @ mirror @ right
