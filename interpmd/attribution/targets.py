"""What can be explained: the energy, forces, torques, the power of forces.

Every target is a linear functional of the energy and the forces,

    target = a E + sum over atoms of b_atom . F_atom,

with coefficients that the whole structure fixes. So whatever splits E and F exactly splits every
target exactly, and a target of a part of the structure is well defined: absent atoms feel nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
from ase import Atoms, units
from jaxtyping import Float

from interpmd.attribution.named_atoms import checked, in_words, indexed, names_of
from interpmd.decomposition import Decomposition
from interpmd.decomposition.posterior import force_samples
from interpmd.errors import MethodError, TargetError
from interpmd.potentials.potential import Potential
from interpmd.structures.chemistry import both_ways, lewis_bonds


@dataclass(frozen=True)
class Functional:
    """Coefficients of a target, one set for each of its components.

    Attributes:
        energy: shape (components,).
        forces: shape (components, atoms, 3).
        vector: whether the target is a vector, else a number with one component.
    """

    energy: Float[np.ndarray, " components"]
    forces: Float[np.ndarray, "components atoms 3"]
    vector: bool = False

    def of(
        self, energies: Float[np.ndarray, " structures"], forces: np.ndarray
    ) -> Float[np.ndarray, "structures components"]:
        """The target of energies and forces, shapes (structures,) and (structures, atoms, 3)."""
        return np.outer(energies, self.energy) + np.einsum("snx,cnx->sc", forces, self.forces)

    def of_rows(self, table: Decomposition) -> Float[np.ndarray, "rows components"]:
        """What each row of a table adds."""
        values = np.outer(table.energies, self.energy)
        owner, atoms = table.owner, table.member_atoms
        for component, weights in enumerate(self.forces):
            if weights.any():
                product = (table.member_forces * weights[atoms]).sum(1)
                values[:, component] += np.bincount(owner, product, len(table))
        return values

    def samples_of_rows(
        self, table: Decomposition, potential: Potential, progress: bool = False
    ) -> Float[np.ndarray, "rows components samples"]:
        """Deviations of what each row adds, under joint samples of the posterior."""
        samples = self.energy[:, None] * table.samples[:, None]
        if samples.size and self.forces.any():
            samples = samples + force_samples(potential, table, self.forces, progress)
        return samples

    def shaped(self, values: Float[np.ndarray, "... components"]) -> np.ndarray:
        """Values as a user expects them: the last axis only where the target is a vector."""
        return values if self.vector else values[..., 0]


class Target(ABC):
    """What is explained; `unit` is eV, eV/A or eV/fs."""

    unit: ClassVar[str]

    @abstractmethod
    def functional(self, atoms: Atoms) -> Functional:
        """Coefficients for a structure.

        Raises:
            TargetError: the target does not exist in it.
        """

    @abstractmethod
    def named(self, atoms: Atoms | None = None) -> str:
        """What it is in words, with the symbols of a structure; with bare numbers without one."""

    def __str__(self) -> str:
        return self.named()


@dataclass(frozen=True)
class Energy(Target):
    """The total energy in eV.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> water = im.load("water")
        >>> round(im.explain(water, molecule("H2O"), im.Energy()).total)  # by GFN2-xTB
        -138
    """

    unit = "eV"

    def functional(self, atoms: Atoms) -> Functional:
        return Functional(np.ones(1), np.zeros((1, len(atoms), 3)))

    def named(self, atoms: Atoms | None = None) -> str:
        return "energy"


@dataclass(frozen=True)
class Force(Target):
    """The force on an atom, or the net force on several, in eV/A.

    Args:
        atom: index of the atom or its name ("H8", as labels have it), or those of a fragment's
            atoms.
        along: None for the whole vector; a vector, or another atom, for the component in that
            direction (positive towards it; of a fragment, seen from the mean of its positions).

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> h2o, water = molecule("H2O"), im.load("water")
        >>> im.explain(water, h2o, im.Force(1)).total.shape  # a vector
        (3,)
        >>> towards = im.explain(water, h2o, im.Force(1, along=0)).total  # towards the oxygen
        >>> bond = h2o.get_distance(1, 0, vector=True)
        >>> vector = im.explain(water, h2o, im.Force(1)).total
        >>> bool(abs(vector @ bond / h2o.get_distance(1, 0) - towards) < 1e-12)
        True
        >>> im.Force("H1", along="O0") == im.Force(1, along=0)
        True
    """

    atom: int | str | Sequence[int | str]
    along: int | str | Sequence[float] | None = None
    unit = "eV/A"

    def __post_init__(self) -> None:
        object.__setattr__(self, "atom", indexed(self.atom))
        along = indexed(self.along)
        if isinstance(along, tuple):  # a vector of whole numbers is that vector
            along = tuple(float(x) if type(x) is int else x for x in along)
        object.__setattr__(self, "along", along)

    @property
    def indices(self) -> list[int]:
        """The atoms on which the force acts."""
        return cast("list[int]", list(self.atom) if isinstance(self.atom, tuple) else [self.atom])

    def direction(self, atoms: Atoms) -> Float[np.ndarray, 3] | None:
        """Unit vector of `along`, or None.

        Raises:
            TargetError: no such atom, or a direction of no length.
        """
        chosen = checked(self.indices, atoms)
        if self.along is None:
            return None
        if isinstance(self.along, int):
            (other,) = checked([self.along], atoms)
            if chosen == [other]:
                raise TargetError(
                    f"along={other} is the atom on which the force acts, so that it is no "
                    "direction; name another atom, or give a vector"
                )
            if len(chosen) == 1:
                vector = atoms.get_distance(chosen[0], other, mic=True, vector=True)
            else:
                vector = atoms.positions[other] - atoms.positions[chosen].mean(0)
        else:
            try:
                vector = np.asarray(self.along, dtype=float)
            except (TypeError, ValueError):
                vector = np.empty(0)
        length = np.linalg.norm(vector)
        if vector.shape != (3,) or not np.isfinite(length) or length < 1e-12:
            raise TargetError(
                f"along={self.along!r} is no direction; give another atom, by index or name, or a "
                "vector of three numbers that are not all 0"
            )
        return vector / length

    def functional(self, atoms: Atoms) -> Functional:
        direction = self.direction(atoms)
        axes = np.eye(3) if direction is None else direction[None]
        forces = np.zeros((len(axes), len(atoms), 3))
        forces[:, self.indices] = axes[:, None]
        return Functional(np.zeros(len(axes)), forces, vector=direction is None)

    def named(self, atoms: Atoms | None = None) -> str:
        words = f"force on {in_words(self.indices, atoms)}"
        if self.along is None:
            return words
        if isinstance(self.along, int):
            return f"{words} towards {in_words([self.along], atoms)}"
        return f"{words} along ({', '.join(f'{float(x):g}' for x in self.along)})"


@dataclass(frozen=True)
class Torque(Target):
    """The torque about the middle bond of a dihedral angle, -dE/dphi in eV (per radian).

    The side of the last atom turns as a rigid body about the axis from the second to the third
    atom, everything else stands still: torque = sum over that side of (axis x (r - r_3)) . F.

    Args:
        dihedral: four atoms in a row, by index or name.
        rotates: atoms that turn; all that hang on the third atom if the middle bond is cut, if
            None. A hydrogen between two atoms hangs on the nearer.
    """

    dihedral: Sequence[int | str]
    rotates: Sequence[int | str] | None = None
    unit = "eV"

    def __post_init__(self) -> None:
        object.__setattr__(self, "dihedral", indexed(self.dihedral))
        object.__setattr__(self, "rotates", indexed(self.rotates))

    def functional(self, atoms: Atoms) -> Functional:
        four = self.dihedral if isinstance(self.dihedral, tuple) else ()
        if len(four) != 4 or len(set(four)) != 4:
            raise TargetError(f"a dihedral has four different atoms, not {self.dihedral!r}")
        _, second, third, last = checked(four, atoms)
        turning = self._side(atoms, second, third, last)
        axis = atoms.get_distance(second, third, mic=True, vector=True)
        axis /= np.linalg.norm(axis)
        arms = np.array([atoms.get_distance(third, a, mic=True, vector=True) for a in turning])
        forces = np.zeros((1, len(atoms), 3))
        forces[0, turning] = np.cross(axis, arms)
        return Functional(np.zeros(1), forces)

    def _side(self, atoms: Atoms, second: int, third: int, last: int) -> list[int]:
        if self.rotates is not None:
            return checked(self.rotates, atoms)
        linked = both_ways(lewis_bonds(atoms))[0].tolist()
        reached, waiting = {third}, [third]
        while waiting:
            atom = waiting.pop()
            for i, j in linked:
                if i == atom and j not in reached and {i, j} != {second, third}:
                    reached.add(j)
                    waiting.append(j)
        if second in reached:
            raise TargetError(
                f"atoms {second} and {third} are in a ring, so that no side can turn; name the "
                "atoms that shall turn with rotates=[...]"
            )
        return sorted(reached | {last})

    def named(self, atoms: Atoms | None = None) -> str:
        if atoms is None:
            return f"torque about dihedral {'-'.join(map(str, self.dihedral))}"
        return f"torque about {'–'.join(names_of(self.dihedral, atoms))}"


@dataclass(frozen=True)
class Power(Target):
    """The power of the forces on atoms, sum of F_i . v_i, in eV/fs: how fast they gain kinetic
    energy. The structure must have velocities.

    Args:
        atoms: indices or names; all atoms if None.
    """

    atoms: Sequence[int | str] | None = None
    unit = "eV/fs"

    def __post_init__(self) -> None:
        object.__setattr__(self, "atoms", indexed(self.atoms))

    def functional(self, atoms: Atoms) -> Functional:
        chosen = self.indices(atoms)
        if not atoms.has("momenta"):
            raise TargetError(
                "the power of a force needs velocities, and this structure has none; take a frame "
                "of im.simulate, or set them with atoms.set_velocities(...)"
            )
        forces = np.zeros((1, len(atoms), 3))
        forces[0, chosen] = atoms.get_velocities()[chosen] * units.fs
        return Functional(np.zeros(1), forces)

    def indices(self, atoms: Atoms) -> list[int]:
        """The atoms whose power it is."""
        return list(range(len(atoms))) if self.atoms is None else checked(self.atoms, atoms)

    def named(self, atoms: Atoms | None = None) -> str:
        if self.atoms is None:
            return "power on all atoms"
        return f"power on {in_words(self.atoms, atoms)}"


def as_target(given: Any) -> Target:
    """What is asked about: a target, the energy if None.

    Raises:
        MethodError: anything else.
    """
    target = Energy() if given is None else given
    if not isinstance(target, Target):
        raise MethodError(f"the target is Energy(), Force(atom) or Torque(...), not {target!r}")
    return target
