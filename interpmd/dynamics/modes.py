"""Normal modes of a structure by a potential."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from jaxtyping import Float
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.asked import attached, snapshot
from interpmd.dynamics.record import start
from interpmd.dynamics.stages import Stages
from interpmd.markup import markup, table
from interpmd.plots.curves import sticks
from interpmd.potentials.potential import Potential
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.modes import hessian, modes_of
from interpmd.structures.threads import one_thread

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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


@dataclass(frozen=True, eq=False)
class NormalModes(Sequence[NormalMode]):
    """The normal modes of a structure, fastest first; a sequence of `NormalMode`.

    Attributes:
        modes: each of them.
        atoms: the structure.
        hessian: second derivatives of the energy in eV/Å², shape (3 atoms, 3 atoms).
    """

    modes: tuple[NormalMode, ...]
    atoms: Atoms
    hessian: Float[np.ndarray, "components components"]

    def __len__(self) -> int:
        return len(self.modes)

    @overload
    def __getitem__(self, index: int) -> NormalMode: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[NormalMode]: ...
    def __getitem__(self, index: int | slice) -> NormalMode | Sequence[NormalMode]:
        return self.modes[index]

    @property
    def wave_numbers(self) -> Float[np.ndarray, " modes"]:
        """1/cm, fastest first; those of unstable modes are negative."""
        return np.array([mode.wave_number for mode in self.modes])

    @property
    def unstable(self) -> int:
        """How many modes lead downhill: 0 of a minimum, 1 of a saddle point."""
        return int((self.wave_numbers < 0).sum())

    @property
    def zero_point_energy(self) -> float:
        """Half a quantum of each stable mode, in eV."""
        return float(0.5 * self.wave_numbers.clip(min=0.0).sum() * units.invcm)

    def to_frame(self) -> pd.DataFrame:
        """Wave number (1/cm) of each mode, and the atom that moves most."""
        symbols = self.atoms.get_chemical_symbols()
        leaders = [f"{symbols[mode.leader]}{mode.leader}" for mode in self.modes]
        return pd.DataFrame(
            {"wave_number_1/cm": self.wave_numbers, "moves_most": leaders}
        ).rename_axis("mode")

    def plot(self, ax: Axes | None = None) -> Axes:
        """A line at the wave number of each mode, as high as the part of the hydrogens in it."""
        light = self.atoms.numbers == 1
        moved = np.array([(mode.displacement**2).sum(1) for mode in self.modes])
        part = moved[:, light].sum(1) / moved.sum(1)
        return sticks(
            self.wave_numbers,
            part,
            x="wave number (cm⁻¹)",
            y="part of the hydrogens",
            title=str(self),
            ax=ax,
        )

    def __str__(self) -> str:
        return (
            f"{len(self)} normal modes of {self.atoms.get_chemical_formula()}, {self.unstable} of "
            f"them unstable; zero-point energy {self.zero_point_energy:.3f} eV"
        )

    def __repr__(self) -> str:
        return f"{self}\n{self.to_frame().round(1).head(12)}"

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self, table(self.to_frame().round(1).head(12)))


@one_thread()
def normal_modes(
    potential: Potential | Calculator | str,
    atoms: Structures,
    *,
    displacement: float = 0.01,
    out: str | Path | None = None,
    progress: bool = True,
) -> NormalModes:
    """The normal modes of a structure, fastest first.

    Those of the structure as it is: only at a minimum or saddle point are the wave numbers those
    of vibrations. The Hessian comes from central differences of the forces.

    Args:
        potential: an interpmd potential, or any calculator of ASE.
        atoms: the structure.
        displacement: Å, of the central differences.
        out: a .traj file of the displaced structures, from which the same call goes on; for
            calculators that take long.
        progress: whether to show a progress bar, of calculators that are asked one by one.

    Raises:
        StructureError: the structure cannot be used, or a mass is not above zero.
        OutputError, SimulationError, TrajectorySealError: of `out`, see `simulate`.

    Example:
        >>> import interpmd as im
        >>> from ase.build import molecule
        >>> potential = im.load("water")
        >>> relaxed = im.relax(potential, molecule("H2O"), progress=False).atoms
        >>> modes = im.normal_modes(potential, relaxed)
        >>> len(modes), modes.unstable
        (3, 0)
    """
    arguments.positive(displacement=displacement)
    still = one_structure(atoms).copy()
    arguments.masses_of(still)
    still.set_constraint()
    settings = {"search": "normal modes", "displacement": displacement, **start(potential, still)}

    def forces(displaced: list[Atoms]) -> np.ndarray:
        if isinstance(potential, Potential) and out is None:
            return potential.predict_unwatched(displaced).forces.double().cpu().numpy()
        with Stages(out, settings) as stages:
            done = stages.frames
            left = displaced[len(done) :]
            for atoms in tqdm(left, desc="modes", unit="structure", disable=not progress):
                done.append(snapshot(attached(atoms, potential)))
                stages.keep(done)
            stages.keep(done, now=True)
        return np.stack([frame.get_forces() for frame in done])

    matrix = hessian(forces, still, displacement)
    displacements, curvatures = modes_of(still, matrix)
    modes = []
    for vector, curvature in zip(displacements[::-1], curvatures[::-1], strict=True):
        shape = vector.reshape(-1, 3)
        shape = shape / np.linalg.norm(shape, axis=1).max()
        number = float(np.sign(curvature) * np.sqrt(abs(curvature)) * WAVE_NUMBER)
        modes.append(NormalMode(shape, number))
    return NormalModes(tuple(modes), still, matrix)
