"""What a simulation returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from interpmd.dynamics.engines.nose_hoover import KEY
from interpmd.dynamics.export import other_format, write_for_others
from interpmd.errors import ArgumentError
from interpmd.markup import markup, table
from interpmd.plots import time_lines
from interpmd.structures.files import write_new
from interpmd.structures.motion import temperature_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Trajectory:
    """Frames of a simulation, evenly spaced in time; the last one may come sooner.

    Attributes:
        frames: structures with velocities, energies and forces, as ASE reads them.
        times: fs, shape (frames,).
        settings: how it was made: ensemble, temperature, time step, seed, version.

    Example:
        >>> from ase.build import molecule
        >>> import interpmd as im
        >>> run = im.simulate(im.load("water"), molecule("H2O"), steps=40, seed=0, progress=False)
        >>> len(run), run.times.tolist(), run.positions.shape
        (5, [0.0, 5.0, 10.0, 15.0, 20.0], (5, 3, 3))
        >>> bool(abs(run.total_energies - run.total_energies[0]).max() < 0.01)  # eV
        True
    """

    frames: Sequence[Atoms]
    times: Float[np.ndarray, " frames"]
    settings: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Atoms]:
        return iter(self.frames)

    def __getitem__(self, index: int | slice) -> Atoms | Trajectory:
        if isinstance(index, slice):
            return replace(self, frames=self.frames[index], times=self.times[index])
        return self.frames[index]

    @property
    def positions(self) -> Float[np.ndarray, "frames atoms 3"]:
        """Å."""
        return np.stack([atoms.positions for atoms in self.frames])

    @property
    def potential_energies(self) -> Float[np.ndarray, " frames"]:
        """The potential energies in eV, without what constraints (springs) add."""
        return np.array(
            [atoms.get_potential_energy(apply_constraint=False) for atoms in self.frames]
        )

    @property
    def total_energies(self) -> Float[np.ndarray, " frames"]:
        """Potential and kinetic energies in eV."""
        kinetic = np.array([atoms.get_kinetic_energy() for atoms in self.frames])
        return self.potential_energies + kinetic

    @property
    def conserved_energies(self) -> Float[np.ndarray, " frames"]:
        """What the equations of motion keep, in eV: total energies and, with
        `thermostat="nose_hoover"`, those of the chain."""
        chain = [atoms.info.get(KEY, [0.0])[-1] for atoms in self.frames]
        return self.total_energies + np.array(chain)

    @property
    def temperatures(self) -> Float[np.ndarray, " frames"]:
        """Instantaneous temperatures in K of the motion within the structure; see
        `interpmd.structures.motion.temperature_of`.

        Velocities are those of the time of their positions. With Langevin dynamics by OpenMM and
        TorchSim positions are right to high order in the timestep h, while such velocities are a
        little too slow: a vibration of angular frequency ω has 1 − (ωh)²/4 of its temperature,
        which for O-H bonds at h = 1 fs is 0.88 (water as a whole: 0.97).
        """
        return np.array([temperature_of(atoms) for atoms in self.frames])

    def drift(self) -> float:
        """Slope of the total energy in meV per atom and ps, by least squares."""
        if len(self) < 2:
            raise ArgumentError("the drift needs at least two frames")
        slope = np.polyfit(self.times / 1000, self.total_energies, 1)[0]
        return float(1000 * slope / len(self.frames[0]))

    def to_frame(self) -> pd.DataFrame:
        """Time, energies and temperature of each frame."""
        return pd.DataFrame(
            {
                "time_fs": self.times,
                "potential_energy_eV": self.potential_energies,
                "total_energy_eV": self.total_energies,
                "temperature_K": self.temperatures,
            }
        )

    def write(self, path: str | Path, topology: str | Path | None = None) -> None:
        """Write it whole, to a new file, in the format that its name says.

        .xyz, .extxyz: with velocities, energies and forces, as ASE reads them. .trr: with
        velocities and forces, for MDAnalysis and MDTraj; .dcd, .xtc: without. These three come
        with a topology beside them; see `interpmd.dynamics.export`.

        Raises:
            ArgumentError: another ending.
            OutputError: the file is there already, or cannot be written.
            MissingPackageError: .dcd, .xtc and .trr need MDAnalysis.
        """
        if other_format(path):
            write_for_others(path, self.frames, self.times, topology)
            return
        write_new(path, self.frames)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Potential and total energy against time, relative to the first frame."""
        zero = self.potential_energies[0]
        series = {"potential": self.potential_energies - zero, "total": self.total_energies - zero}
        return time_lines(self.times, series, unit="energy − first (eV)", ax=ax)

    def __str__(self) -> str:
        atoms = self.frames[0].get_chemical_formula() if len(self) else "no atoms"
        ensemble = self.settings.get("ensemble", "")
        span = self.times[-1] - self.times[0] if len(self) else 0.0
        return f"{ensemble} trajectory of {atoms}: {len(self)} frames, {span:.1f} fs"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>{}", self, table(self.to_frame().describe().round(4)))
