"""Normal modes as coordinates that a slider can set."""

from __future__ import annotations

from dataclasses import dataclass

from ase import Atoms

from interpmd.dynamics.modes import NormalMode, normal_modes
from interpmd.potentials.potential import Potential

#: Largest displacement in Å, of the atom that moves most.
REACH = 0.5


@dataclass(frozen=True, eq=False)
class Vibration:
    """A normal mode; its value is the displacement in Å of the atom that moves most.

    Args:
        mode: of the first structure.
    """

    mode: NormalMode

    quantity, unit, step = "displacement", "Å", 0.01

    def value(self, atoms: Atoms) -> float:
        """Zero: displacements are counted from the first structure."""
        return 0.0

    def limits(self, atoms: Atoms) -> tuple[float, float]:
        """Where the slider ends."""
        return -REACH, REACH

    def at(self, atoms: Atoms, value: float) -> Atoms:
        """A copy of `atoms` displaced along the mode."""
        return self.mode.displaced(atoms, value)

    def name(self, atoms: Atoms) -> str:
        """Wave number, and the atom that moves most."""
        number, leader = self.mode.wave_number, self.mode.leader
        return (
            f"vibration {abs(number):.0f}{'i' if number < 0 else ''} cm⁻¹, "
            f"most of {atoms.symbols[leader]}{leader}"
        )


def vibrations(potential: Potential, atoms: Atoms) -> dict[str, Vibration]:
    """The normal modes of a molecule by name, fastest first; see `normal_modes`."""
    movable = [Vibration(mode) for mode in normal_modes(potential, atoms)]
    return {vibration.name(atoms): vibration for vibration in movable}
