"""The course of one run: what it starts from, its noise, and its frames as they are recorded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from tqdm.auto import tqdm

from interpmd import arguments
from interpmd.dynamics.asked import mover
from interpmd.dynamics.engines import Engine, Plan, engine_of, usual_engine
from interpmd.dynamics.engines.nose_hoover import KEY
from interpmd.dynamics.record import Record, engine_of_file, start
from interpmd.dynamics.trajectory import Trajectory
from interpmd.errors import ArgumentError
from interpmd.potentials.potential import Potential
from interpmd.structures.charges import tell_calculators
from interpmd.structures.devices import usable
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
    device: str | None = None

    def __post_init__(self) -> None:
        arguments.one_of(("float64", "float32"), precision=self.precision)
        arguments.count(steps=self.steps, interval=self.interval)
        arguments.count(0, equilibration=self.equilibration)


class Run:
    """One run; a block, during which its file belongs to it.

    Args:
        potential: a potential of interpmd on the device of the options, or any ASE calculator.
        atoms: the first structure; left as it is.
        plan, options: what it is to be.
        seed: of velocities and noise.
        out: trajectory file, None to keep the frames in memory.

    Attributes:
        moving: the structure that an engine moves.
        plan, options: as given.
        engine: its name: as asked for, as in the file, or what is usual.

    Raises:
        ArgumentError, StructureError: what makes no sense.
        Others: see `interpmd.dynamics.record.Record`, when the block begins.
    """

    def __init__(
        self,
        potential: Potential | Calculator | str,
        atoms: Atoms,
        plan: Plan,
        options: Options,
        seed: int,
        out: str | Path | None,
    ) -> None:
        arguments.seeds(seed=seed)
        potential = mover(potential)
        if out is not None and text_format(out):
            raise ArgumentError(
                f"out={str(out)!r}: a run grows in a .traj file; for text write its frames when "
                "it is done: ase.io.write('run.xyz', list(trajectory))"
            )
        check_structure(atoms)
        arguments.masses_of(atoms)
        plan.check(atoms)
        self.engine = options.engine or engine_of_file(out) or usual_engine(atoms, potential)
        self.plan, self.options, self._seed = plan, options, seed
        self.settings = self._settings(potential, atoms)
        self.moving = with_velocities(atoms, plan.temperature, seed)
        for of_another in ("time_fs", KEY):  # run, or the file that it was read from
            self.moving.info.pop(of_another, None)
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

    @property
    def cold(self) -> bool:
        """Whether it has to be equilibrated before its first frame."""
        return bool(self.options.equilibration) and not self._record.frames

    def heat(self) -> np.random.Generator:
        """Noise of the equilibration."""
        return np.random.default_rng([self._seed, 0, self.options.equilibration])

    def noise(self, step: int) -> np.random.Generator:
        """Noise of the stretch that begins at a step: each has its own, so that a run that goes on
        draws the same."""
        return np.random.default_rng([self._seed, step // self.options.interval])

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
            if KEY in held.info:
                moving.info[KEY] = held.info[KEY]
        self._frames[step] = held or self._record.add(moving, step)
        return held or moving

    def trajectory(self) -> Trajectory:
        """The frames until now."""
        times = np.array([*self._frames], dtype=float) * self.plan.timestep
        return Trajectory([*self._frames.values()], times, self.settings)

    def _settings(self, potential: Potential | Calculator | str, atoms: Atoms) -> dict[str, Any]:
        """What makes it the same simulation; what is as it always was is not named."""
        options = self.options
        settings = {
            **self.plan.settings(),
            "record_every": options.interval,
            "seed": self._seed,
            **start(potential, atoms),
        }
        if self.engine != "ase":
            settings["engine"] = self.engine
        if options.equilibration:
            settings["equilibration_steps"] = options.equilibration
        if options.precision != "float64":
            settings["precision"] = options.precision
        if options.device not in (None, "cpu"):
            settings["device"] = options.device
        return settings


def on_device(
    potential: Potential | Calculator | str, device: str | None
) -> Potential | Calculator:
    """A potential where it is to be evaluated: a copy, unless it is there already.

    Raises:
        ArgumentError: no such device, or a calculator, which computes where it wants.
    """
    potential = mover(potential)
    if device is None:
        return potential
    where = usable(device)
    if not isinstance(potential, Potential):
        raise ArgumentError(
            f"device={device!r} is for potentials of interpmd; {type(potential).__name__} has to "
            "be told by its own settings"
        )
    return potential if potential.device == where else copy.deepcopy(potential).to(where)


def follow(
    runs: Sequence[Run],
    progress: bool = True,
    stop_when: Callable[[Atoms], bool] | None = None,
) -> None:
    """Take runs of one plan to their last frames, all together; those that are there already are
    not computed.

    Args:
        runs: with the same options and engine.
        progress: whether to show a progress bar.
        stop_when: asked at every frame; true ends all runs.

    Raises:
        ArgumentError: `stop_when` is no function. Others: see `interpmd.dynamics.simulate`.
    """
    if not (stop_when is None or callable(stop_when)):
        raise ArgumentError(f"stop_when is a function of a frame, not {stop_when!r}")
    first = runs[0]
    engine, plan, options = first.engine, first.plan, first.options

    def several(of: Sequence[Run], plan: Plan) -> Engine:
        return engine_of(engine, [run.moving for run in of], plan)

    movers = {tuple(range(len(runs))): several(runs, plan)}
    with ExitStack() as open_runs:
        for run in runs:
            open_runs.enter_context(run)
        bar = open_runs.enter_context(tqdm(total=options.steps, unit="step", disable=not progress))
        if cold := [run for run in runs if run.cold]:
            heater = several(cold, plan.heating())
            heater.advance(options.equilibration, [run.heat() for run in cold])
        step = 0
        while True:
            frames = [run.take(step) for run in runs]
            if step >= options.steps or (stop_when and any(map(stop_when, frames))):
                return
            following = min(step + options.interval, options.steps)
            lacking = tuple(n for n, run in enumerate(runs) if run.lacks(following))
            if lacking:
                here = [runs[n] for n in lacking]
                if lacking not in movers:
                    movers = {lacking: several(here, plan)}
                movers[lacking].advance(following - step, [run.noise(step) for run in here])
            bar.update(following - step)
            step = following
