"""The course of one run: what it starts from, its noise, and its frames as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from interpmd import arguments
from interpmd.dynamics.engines import Engine, Plan, engine_of, usual_engine
from interpmd.dynamics.record import Record, engine_of_file, name, start
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError
from interpmd.potentials.potential import Potential
from interpmd.structures.charges import tell_calculators
from interpmd.structures.files import text_format
from interpmd.structures.motion import with_velocities
from interpmd.structures.systems import check_structure


@dataclass(frozen=True)
class Options:
    """How far and how a run goes, beside its plan; see `interpmd.dynamics.simulate`.

    Raises:
        ArgumentError: numbers that make no sense.
    """

    steps: int
    interval: int
    equilibration: int
    engine: str | None
    compile: bool
    precision: str

    def __post_init__(self) -> None:
        arguments.one_of(("float64", "float32"), precision=self.precision)
        arguments.count(steps=self.steps, interval=self.interval)
        arguments.count(0, equilibration=self.equilibration)


class Run:
    """One run; a block, during which its file belongs to it.

    Args:
        potential: a potential of interpmd, or any ASE calculator.
        atoms: the first structure; left as it is.
        plan, options: what it is to be.
        seed: of velocities and noise.
        out: trajectory file, None to keep the frames in memory.

    Attributes:
        moving: the structure that an engine moves.
        engine: its name: as asked for, as in the file, or what is usual.

    Raises:
        ArgumentError, StructureError: what makes no sense.
        Others: see `interpmd.dynamics.record.Record`, when the block begins.
    """

    def __init__(
        self,
        potential: Potential | Calculator,
        atoms: Atoms,
        plan: Plan,
        options: Options,
        seed: int,
        out: str | Path | None,
    ) -> None:
        arguments.seeds(seed=seed)
        if out is not None and text_format(out):
            raise ArgumentError(
                f"out={str(out)!r}: a run grows in a .traj file; for text write its frames when "
                "it is done: ase.io.write('run.xyz', list(trajectory))"
            )
        check_structure(atoms)
        arguments.masses_of(atoms)
        plan.check(atoms)
        self.engine = options.engine or engine_of_file(out) or usual_engine(atoms, potential)
        self._plan, self._options, self._seed = plan, options, seed
        self.settings = self._settings(potential, atoms)
        self.moving = with_velocities(atoms, plan.temperature, seed)
        self.moving.info.pop("time_fs", None)  # of the file that it was read from
        self.moving.calc = potential
        if not isinstance(potential, Potential):
            tell_calculators(self.moving)
        else:
            self.moving.calc = potential.calculator(options.compile, options.precision)
        self._record = Record(out, self.settings, options.interval)
        self._frames: dict[int, Atoms] = {}

    def __enter__(self) -> Self:
        self._record.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._record.__exit__(kind, error, trace)

    def mover(self) -> Engine:
        """An engine for this run alone."""
        return engine_of(self.engine, self.moving, self._plan)

    @property
    def cold(self) -> bool:
        """Whether it has to be equilibrated before its first frame."""
        return bool(self._options.equilibration) and not self._record.frames

    def heat(self) -> np.random.Generator:
        """Noise of the equilibration."""
        return np.random.default_rng([self._seed, 0, self._options.equilibration])

    def noise(self, step: int) -> np.random.Generator:
        """Noise of the stretch that begins at a step: each has its own, so that a run that goes on
        draws the same."""
        return np.random.default_rng([self._seed, step // self._options.interval])

    def lacks(self, step: int) -> bool:
        """Whether the frame of a step has still to be computed."""
        return step not in self._record.frames

    def take(self, step: int) -> Atoms:
        """Make the structure as it is at a step the next frame: as it was stored, or as it is now.

        Raises:
            OutputError: the disk is full; the file keeps the frames before.
        """
        moving = self.moving
        held = self._record.frames.get(step)
        if held is not None:
            moving.set_cell(held.cell)
            moving.set_positions(held.positions, apply_constraint=False)
            moving.set_momenta(held.get_momenta(), apply_constraint=False)
        self._frames[step] = held or self._record.add(moving, step)
        return held or moving

    def trajectory(self) -> Trajectory:
        """The frames until now."""
        times = np.array([*self._frames], dtype=float) * self._plan.timestep
        return Trajectory([*self._frames.values()], times, self.settings)

    def _settings(self, potential: Potential | Calculator, atoms: Atoms) -> dict[str, Any]:
        """What makes it the same simulation; what is as it always was is not named."""
        options = self._options
        settings = {
            **self._plan.settings(),
            "record_every": options.interval,
            "seed": self._seed,
            **start(atoms),
            "potential": name(potential),
        }
        if self.engine != "ase":
            settings["engine"] = self.engine
        if options.equilibration:
            settings["equilibration_steps"] = options.equilibration
        if options.precision != "float64":
            settings["precision"] = options.precision
        return settings
