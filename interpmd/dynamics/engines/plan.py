"""What a simulation is to be, whichever engine moves the atoms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from ase import Atoms, units

from interpmd import arguments
from interpmd.errors import ArgumentError

Ensemble = Literal["nve", "nvt", "npt"]
Thermostat = Literal["langevin", "bussi", "nose_hoover"]


@dataclass(frozen=True)
class Plan:
    """Ensemble and how it is kept.

    Attributes:
        ensemble: "nve"; "nvt"; "npt".
        temperature: K. timestep: fs.
        thermostat: "langevin", or "bussi", which rescales all velocities by a random factor and
            leaves the motion nearly as it is in nve; or "nose_hoover", which rescales them without
            noise by a chain of three thermostats.
        friction: of Langevin dynamics in 1/fs; the relaxation time of "bussi" is its inverse, and
            so is that of "nose_hoover" (`Tdamp` of LAMMPS).
        pressure: bar. barostat_time: relaxation time of the volume in fs. compressibility: 1/bar,
            a rough one will do; it sets the pace of the barostat, not what it keeps.
    """

    ensemble: Ensemble = "nve"
    temperature: float = 300.0
    timestep: float = 0.5
    thermostat: Thermostat = "langevin"
    friction: float = 0.01
    pressure: float = 1.0
    barostat_time: float = 1000.0
    compressibility: float = 4.6e-5

    def check(self, atoms: Atoms) -> None:
        """Raise what makes no sense, also for this structure.

        Raises:
            ArgumentError: an unknown word, a number, or npt without three periodic directions.
        """
        arguments.one_of(("nve", "nvt", "npt"), ensemble=self.ensemble)
        arguments.one_of(get_args(Thermostat), thermostat=self.thermostat)
        arguments.positive(temperature=self.temperature, timestep=self.timestep)
        arguments.not_negative(friction=self.friction)
        if self.nose_hoover:
            arguments.positive(friction=self.friction)
        arguments.positive(barostat_time=self.barostat_time, compressibility=self.compressibility)
        arguments.finite(pressure=self.pressure)
        if self.ensemble == "npt" and not atoms.pbc.all():
            raise ArgumentError(
                "ensemble='npt' needs a cell that is periodic in three directions; "
                f"{atoms.symbols} has pbc={atoms.pbc.tolist()}"
            )

    @property
    def langevin(self) -> bool:
        """Whether each step has friction and noise of its own."""
        return self.ensemble != "nve" and self.thermostat == "langevin"

    @property
    def bussi(self) -> bool:
        """Whether all velocities are rescaled."""
        return self.ensemble != "nve" and self.thermostat == "bussi"

    @property
    def nose_hoover(self) -> bool:
        """Whether a chain of thermostats rescales all velocities."""
        return self.ensemble != "nve" and self.thermostat == "nose_hoover"

    @property
    def thermal_energy(self) -> float:
        """kT in eV."""
        return units.kB * self.temperature

    def heating(self) -> Plan:
        """That of the equilibration before a run: Langevin dynamics in the same cell."""
        return replace(self, ensemble="nvt", thermostat="langevin")

    def settings(self) -> dict[str, Any]:
        """What of it makes it the same simulation, JSON values."""
        settings: dict[str, Any] = {
            "ensemble": self.ensemble,
            "temperature_K": self.temperature,
            "time_step_fs": self.timestep,
            "friction_per_fs": None if self.ensemble == "nve" else self.friction,
        }
        if self.bussi or self.nose_hoover:
            settings["thermostat"] = self.thermostat
        if self.ensemble == "npt":
            settings |= {
                "pressure_bar": self.pressure,
                "barostat_time_fs": self.barostat_time,
                "compressibility_per_bar": self.compressibility,
            }
        return settings
