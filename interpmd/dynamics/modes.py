"""Normal modes of a molecule as coordinates that a slider can set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms, units
from jaxtyping import Float

from interpmd.potentials.potential import Potential
from interpmd.structures.modes import hessian, modes_of

#: Largest displacement in Å, of the atom that moves most.
REACH = 0.5

#: Wave number in 1/cm of a mode whose curvature is 1 eV/(Å² u).
WAVE_NUMBER = 1e10 * np.sqrt(units._e / units._amu) / (2 * np.pi * units._c * 100)


@dataclass(frozen=True, eq=False)
class NormalMode:
    """A normal mode; its value is the displacement in Å of the atom that moves most.

    Args:
        displacement: of all atoms, shape (atoms, 3), that of the largest having length one.
        wave_number: 1/cm, negative if the mode is unstable.
    """

    displacement: Float[np.ndarray, "atoms 3"]
    wave_number: float

    quantity, unit, step = "displacement", "Å", 0.01

    def value(self, atoms: Atoms) -> float:
        """Modes begin at the first structure."""
        return 0.0

    def limits(self, atoms: Atoms) -> tuple[float, float]:
        """Where the slider ends."""
        return -REACH, REACH

    def at(self, atoms: Atoms, value: float) -> Atoms:
        """A copy of `atoms` displaced along the mode."""
        copy = atoms.copy()
        copy.positions += value * self.displacement
        return copy

    def words(self, atoms: Atoms) -> str:
        """The name: wave number, and the atom that moves most."""
        most = int(np.linalg.norm(self.displacement, axis=1).argmax())
        number = f"{abs(self.wave_number):.0f}{'i' if self.wave_number < 0 else ''}"
        return f"vibration {number} cm⁻¹, most of {atoms.symbols[most]}{most}"


def normal_modes(potential: Potential, atoms: Atoms) -> dict[str, NormalMode]:
    """The normal modes of a molecule by name, fastest first.

    Those of the structure as it is: only at a minimum or saddle point are the wave numbers those
    of vibrations. The Hessian comes from central differences of the forces.
    """
    curvature_matrix = hessian(
        lambda displaced: potential.predict(displaced).forces.double().cpu().numpy(), atoms
    )
    displacements, curvatures = modes_of(atoms, curvature_matrix)
    modes = {}
    for vector, curvature in reversed(list(zip(displacements, curvatures, strict=True))):
        shape = vector.reshape(-1, 3)
        shape = shape / np.linalg.norm(shape, axis=1).max()
        number = float(np.sign(curvature) * np.sqrt(abs(curvature)) * WAVE_NUMBER)
        mode = NormalMode(shape, number)
        modes[mode.words(atoms)] = mode
    return modes
