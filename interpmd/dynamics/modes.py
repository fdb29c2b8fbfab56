"""Normal modes of a molecule by a potential."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from jaxtyping import Float

from interpmd import arguments
from interpmd.potentials.potential import Potential
from interpmd.structures.modes import hessian, modes_of

#: Wave number in 1/cm of a mode whose curvature is 1 eV/(Å² u).
WAVE_NUMBER = 1e10 * np.sqrt(units._e / units._amu) / (2 * np.pi * units._c * 100)


@dataclass(frozen=True, eq=False)
class NormalMode:
    """A normal mode.

    Attributes:
        displacement: of all atoms, that of the atom that moves most having length one.
        wave_number: 1/cm, negative if the mode is unstable.
    """

    displacement: Float[np.ndarray, "atoms 3"]
    wave_number: float

    @property
    def leader(self) -> int:
        """The atom that moves most."""
        return int(np.linalg.norm(self.displacement, axis=1).argmax())

    def displaced(self, atoms: Atoms, amplitude: float) -> Atoms:
        """A copy of a structure, the atom that moves most displaced by `amplitude` (Å)."""
        copy = atoms.copy()
        copy.positions += amplitude * self.displacement
        return copy


def normal_modes(potential: Potential, atoms: Atoms) -> list[NormalMode]:
    """The normal modes of a molecule, fastest first.

    Those of the structure as it is: only at a minimum or saddle point are the wave numbers those
    of vibrations. The Hessian comes from central differences of the forces.
    """

    arguments.masses_of(atoms)

    def forces(displaced: list[Atoms]) -> np.ndarray:
        return potential.predict_unwatched(displaced).forces.double().cpu().numpy()

    curvature_matrix = hessian(forces, atoms)
    displacements, curvatures = modes_of(atoms, curvature_matrix)
    modes = []
    for vector, curvature in zip(displacements[::-1], curvatures[::-1], strict=True):
        shape = vector.reshape(-1, 3)
        shape = shape / np.linalg.norm(shape, axis=1).max()
        number = float(np.sign(curvature) * np.sqrt(abs(curvature)) * WAVE_NUMBER)
        modes.append(NormalMode(shape, number))
    return modes
