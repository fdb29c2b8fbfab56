"""Molecular dynamics that runs while one watches: start, pause, stop, change the temperature."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd import arguments
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.methods.dispatch import explain, settled_gauge
from interpmd.attribution.named_atoms import atom_of
from interpmd.attribution.targets import Force
from interpmd.dynamics import Trajectory
from interpmd.errors import InterpmdError
from interpmd.keywords import renamed
from interpmd.markup import joined, markup
from interpmd.plots.lines import energy_and_temperature
from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.plots.style import axes_in_a_row
from interpmd.potentials.potential import Potential
from interpmd.structures.chemistry import bonds
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.motion import advance, integrator, temperature_of, with_velocities
from interpmd.structures.systems import check_structure
from interpmd.units import number_sign
from interpmd.views.live.stage import Stage
from interpmd.views.panels import Panel, trust
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Interactions drawn in the molecule, and the least contribution of one in eV/Å.
SHOWN, LEAST = 5, 0.005

#: Most frames in a second, and seconds of dynamics at a stretch, between which buttons work.
RATE, SLICE = 30.0, 0.02

#: Least seconds between two explanations, and between them at least so many times what one takes;
#: least seconds between two of the curves and words, for whose change browsers need long.
EXPLAINED, PART, WRITTEN = 0.5, 5.0, 0.25


class LiveMD(Panel):
    """Langevin dynamics in the background of a notebook, with an explanation that follows.

    The dynamics is a task of the kernel's event loop: buttons and slider work while it runs, and
    other cells can be run between two pictures. The browser draws as many frames as it can, and
    those that it has no time for are left out; the interactions are explained twice a second.

    Args:
        potential: an interpmd potential.
        atoms: the first structure; left as it is.
        temperature: K, of the first velocities and the thermostat.
        atom: whose force is explained, by index or name ("H8").
        interval: steps of the dynamics between two frames.
        timestep: fs.
        friction: 1/fs.
        order: largest body order of the explanation, by atoms; in the gauge that suits if None.
        seed: of velocities and thermostat.

    Attributes:
        frames: copies of the structure with velocities, every `interval` steps.
        times: of the frames in fs.
        energies: their potential energies in eV.
        temperatures: their instantaneous temperatures in K.
        explanation: the last one.

    Raises:
        StructureError, UnknownElementError: the structure cannot be evaluated.
        TargetError: there is no such atom.
    """

    @renamed(steps="interval", time_step="timestep")
    def __init__(
        self,
        potential: Potential,
        atoms: Structures,
        temperature: float = 300.0,
        atom: int | str = 0,
        interval: int = 10,
        timestep: float = 0.5,
        friction: float = 0.01,
        order: int | None = None,
        seed: int = 0,
    ) -> None:
        arguments.of_class(Potential, potential=potential)
        arguments.positive(temperature=temperature, timestep=timestep)
        arguments.count(interval=interval)
        arguments.seeds(seed=seed)
        arguments.not_negative(friction=friction)
        atoms = one_structure(atoms)
        check_structure(atoms)
        arguments.masses_of(atoms)
        potential.batch(atoms)
        self.potential, self.order = potential, order
        self.interval, self.timestep = interval, timestep
        self._first, self._seed, self._friction = atoms.copy(), seed, friction
        self._plane = plane_of(atoms)
        self._task: asyncio.Task | None = None
        self._gauge = self._suitable_gauge()
        self.start_button = widgets.Button(description="start", icon="play", tooltip="start")
        self.pause_button = widgets.Button(description="pause", icon="pause", tooltip="pause")
        self.stop_button = widgets.Button(
            description="stop", icon="stop", tooltip="stop, and start afresh next time"
        )
        self.temperature = widgets.IntSlider(
            value=round(temperature),
            min=10,
            max=2000,
            step=10,
            description="temperature (K)",
            style={"description_width": "initial"},
        )
        symbols = atoms.get_chemical_symbols()
        self.atom = widgets.Dropdown(
            options={f"{s}{i}": i for i, s in enumerate(symbols)},
            value=atom_of(atom, atoms),
            description="atom",
        )
        self.stage = Stage(atoms, self._plane)
        self._words = widgets.HTML()
        super().__init__(
            [
                widgets.HBox(
                    [
                        self.start_button,
                        self.pause_button,
                        self.stop_button,
                        self.temperature,
                        self.atom,
                    ],
                    layout={"flex_flow": "wrap"},
                ),
                self._words,
                self.stage,
            ]
        )
        self.start_button.on_click(lambda _: self.start())
        self.pause_button.on_click(lambda _: self.pause())
        self.stop_button.on_click(lambda _: self.stop())
        self.temperature.observe(lambda _: self._set_temperature(), "value")
        self.atom.observe(lambda _: self._stand(), "value")
        self._begin()

    @property
    def running(self) -> bool:
        """Whether the dynamics is running."""
        return self._task is not None and not self._task.done()

    @property
    def trajectory(self) -> Trajectory:
        """What was recorded, for `explain_trajectory` and the explorer."""
        about = {"ensemble": "nvt", "time_step_fs": self.timestep, "seed": self._seed}
        return Trajectory(list(self.frames), np.array(self.times), about)

    def start(self) -> None:
        """Run in the background, on the event loop that notebooks have.

        Raises:
            RuntimeError: there is no event loop, as in scripts; use `interpmd.simulate` there.
        """
        if self.running:
            return
        loop = asyncio.get_running_loop()
        if self._ended:
            self._begin()
        self._task = loop.create_task(self._run())

    def pause(self) -> None:
        """Pause; `start` goes on from here."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._stand()

    def stop(self) -> None:
        """Stop; the next `start` begins afresh, and the record is kept until then."""
        self.pause()
        self._ended = True

    def plot(self) -> tuple[Axes, Axes]:
        """The molecule with its force, and energy and temperature by time."""
        left, right = axes_in_a_row((9.6, 3.8), 1, 1.3)
        self._explain()
        force = np.asarray(self.explanation.total)
        drawn = [(tuple(row["atoms"]), row["value"], row["name"]) for row in self._rows]
        title = f"force on {self.atom.label}: {np.linalg.norm(force):.2f} eV/Å"
        draw_molecule(
            self.frames[-1], drawn, (self.atom.value, force), title, left, plane=self._plane
        )
        energy_and_temperature(
            *map(np.array, self._history()), float(self.temperature.value), right
        )
        return left, right

    def _begin(self) -> None:
        self._ended = False
        self._atoms = with_velocities(self._first, float(self.temperature.value), self._seed)
        self._atoms.calc = self.potential.calculator()
        self._dynamics = integrator(
            self._atoms,
            "nvt",
            float(self.temperature.value),
            self.timestep,
            self._friction,
            np.random.default_rng([self._seed, 0]),
        )
        self.frames: list[Atoms] = []
        self.times: list[float] = []
        self.energies: list[float] = []
        self.temperatures: list[float] = []
        self._record()
        self._stand()

    def _set_temperature(self) -> None:
        self._dynamics.set_temperature(temperature_K=float(self.temperature.value))

    async def _run(self) -> None:
        """Frames as fast as the browser and `RATE` allow, explanations now and then."""
        due = time.monotonic() + EXPLAINED
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                began = time.monotonic()
                try:
                    await self._advance()
                    self._record()
                    if time.monotonic() > due:
                        asked = time.monotonic()
                        self._explain()
                        now = time.monotonic()
                        due = now + max(EXPLAINED, PART * (now - asked))
                except InterpmdError as error:
                    self._words.value = markup("<b>stopped</b>: {}", error)
                    self._ended = True
                    return
                if self.stage.free:
                    self._show()
                await asyncio.sleep(max(0.001, began + 1 / RATE - time.monotonic()))

    async def _advance(self) -> None:
        """`interval` steps in slices, between which the kernel answers."""
        left, began = self.interval, time.monotonic()
        while left:
            advance(self._dynamics, 1, float(self.temperature.value))
            left -= 1
            if time.monotonic() - began > SLICE:
                await asyncio.sleep(0.001)
                began = time.monotonic()

    def _record(self) -> None:
        frame = self._atoms.copy()
        energy = self._atoms.get_potential_energy(apply_constraint=False)
        forces = self._atoms.get_forces(apply_constraint=False)
        frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
        self.frames.append(frame)
        self.times.append(self._dynamics.nsteps * self.timestep)
        self.energies.append(float(energy))
        self.temperatures.append(temperature_of(frame))

    def _stand(self) -> None:
        """Explain and show the last frame."""
        self._written = -np.inf
        self._explain()
        self._show()

    def _suitable_gauge(self) -> Gauge | None:
        """Made once, so that rows keep their names; None where an order was asked for."""
        return settled_gauge([self._first], Force(0)) if self.order is None else None

    def _explain(self) -> None:
        asked = {"gauge": self._gauge} if self.order is None else {"order": self.order}
        target = Force(self.atom.value)
        self.explanation = explain(self.potential, self.frames[-1], target, progress=False, **asked)
        along = self.explanation.flat(self.explanation.values)
        largest = np.argsort(-np.abs(along), kind="stable")[:SHOWN]
        self._rows = [
            {
                "atoms": [int(a) for a in self.explanation.members[k]],
                "value": float(along[k]),
                "name": self.explanation.labels[k],
            }
            for k in largest
            if abs(along[k]) >= LEAST
        ]
        self._bonds = bonds(self.frames[-1]).pairs.tolist()
        self._grade = self.explanation.certificate().grade

    def _history(self) -> tuple[list[float], list[float], list[float]]:
        return self.times, self.energies, self.temperatures

    def _show(self) -> None:
        frame, atom, history = self.frames[-1], self.atom.value, None
        if time.monotonic() - self._written > WRITTEN:
            self._written = time.monotonic()
            history = np.array(self._history())
            history[1] -= history[1, 0]
            words = (
                f"{self.times[-1]:.0f} fs, {self.temperatures[-1]:.0f} K, "
                f"potential energy {number_sign(self.energies[-1], '.3f')} eV; "
                f"{len(self.frames)} frames; "
            )
            self._words.value = joined([words, trust(self._grade)])
        state = {
            "number": len(self.frames),
            "atom": atom,
            "force": frame.get_forces(apply_constraint=False)[atom].tolist(),
            "bonds": self._bonds,
            "rows": self._rows,
            "thermostat": float(self.temperature.value),
            "words": f"the molecule and the force on {self.atom.label}",
        }
        self.stage.show(state, frame.positions, history)

    def __repr__(self) -> str:
        return f"LiveMD of {self._first.get_chemical_formula()}: {len(self.frames)} frames"
