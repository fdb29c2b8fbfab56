"""Molecular dynamics that runs while one watches: start, pause, stop, change the temperature."""

from __future__ import annotations

import asyncio
import contextlib
import html
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from interpmd.attribution import Force, explain
from interpmd.dynamics import Trajectory
from interpmd.errors import InterpmdError
from interpmd.keywords import renamed
from interpmd.plots.lines import energy_and_temperature
from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.plots.style import axes_in_a_row, unshown_axes
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.motion import advance, integrator, with_velocities
from interpmd.structures.systems import check_structure
from interpmd.units import number_sign
from interpmd.views.panels import Panel, Picture, side_by_side, trust
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Interactions drawn in the molecule.
SHOWN = 5


class LiveMD(Panel):
    """Langevin dynamics in the background of a notebook, with an explanation that follows.

    The dynamics is a task of the kernel's event loop: buttons and slider work while it runs, and
    other cells can be run between two pictures.

    Args:
        potential: an interpmd potential.
        atoms: the first structure; left as it is.
        temperature: K, of the first velocities and the thermostat.
        atom: whose force is explained.
        interval: steps of the dynamics between two pictures.
        timestep: fs.
        friction: 1/fs.
        order: largest body order of the explanation.
        seed: of velocities and thermostat.

    Attributes:
        frames: copies of the structure with velocities, one for each picture.
        times: of the frames in fs.
        energies: their potential energies in eV.
        temperatures: their instantaneous temperatures in K.

    Raises:
        StructureError, UnknownElementError: the structure cannot be evaluated.
    """

    @renamed(steps="interval", time_step="timestep")
    def __init__(
        self,
        potential: Potential,
        atoms: Structures,
        temperature: float = 300.0,
        atom: int = 0,
        interval: int = 10,
        timestep: float = 0.5,
        friction: float = 0.01,
        order: int = 3,
        seed: int = 0,
    ) -> None:
        atoms = one_structure(atoms)
        check_structure(atoms)
        potential.batch(atoms)
        self.potential, self.order = potential, order
        self.interval, self.timestep = interval, timestep
        self._first, self._seed, self._friction = atoms.copy(), seed, friction
        self._plane = plane_of(atoms)
        self._task: asyncio.Task | None = None
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
            options={f"{s}{i}": i for i, s in enumerate(symbols)}, value=atom, description="atom"
        )
        self._pictures = [Picture() for _ in "12"]
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
                side_by_side(self._pictures),
            ]
        )
        self.start_button.on_click(lambda _: self.start())
        self.pause_button.on_click(lambda _: self.pause())
        self.stop_button.on_click(lambda _: self.stop())
        self.temperature.observe(lambda _: self._set_temperature(), "value")
        self.atom.observe(lambda _: self._draw(), "value")
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

    def stop(self) -> None:
        """Stop; the next `start` begins afresh, and the record is kept until then."""
        self.pause()
        self._ended = True

    def plot(self) -> tuple[Axes, Axes]:
        """The molecule with its force, and energy and temperature by time."""
        left, right = axes_in_a_row((9.6, 3.8), 1, 1.3)
        self._draw_molecule(left)
        self._draw_strip(right)
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

    def _set_temperature(self) -> None:
        self._dynamics.set_temperature(temperature_K=float(self.temperature.value))

    async def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                try:
                    advance(self._dynamics, self.interval, float(self.temperature.value))
                    self._record()
                except InterpmdError as error:
                    self._words.value = f"<b>stopped</b>: {html.escape(str(error))}"
                    self._ended = True
                    return
                await asyncio.sleep(0.01)

    def _record(self) -> None:
        frame = self._atoms.copy()
        frame.calc = SinglePointCalculator(
            frame,
            energy=self._atoms.get_potential_energy(apply_constraint=False),
            forces=self._atoms.get_forces(apply_constraint=False),
        )
        self.frames.append(frame)
        self.times.append(self._dynamics.nsteps * self.timestep)
        self.energies.append(float(self._atoms.get_potential_energy(apply_constraint=False)))
        self.temperatures.append(float(frame.get_temperature()))
        self._draw()

    def _draw(self) -> None:
        drawn = (
            (self._draw_molecule, (4.2, 3.8), f"the molecule and the force on {self.atom.label}"),
            (self._draw_strip, (5.4, 3.8), "energy and temperature by time"),
        )
        for picture, (draw, shape, words) in zip(self._pictures, drawn, strict=True):
            axes = unshown_axes(shape)
            draw(axes)
            picture.show(axes, words, dpi=80)
        doubt = uncertainty(self.potential, self.potential.batch(self.frames[-1]))
        self._words.value = (
            f"{self.times[-1]:.0f} fs, {self.temperatures[-1]:.0f} K, "
            f"potential energy {number_sign(self.energies[-1], '.3f')} eV; "
            f"{len(self.frames)} frames; {trust(float(doubt.extrapolation.max()))}"
        )

    def _draw_molecule(self, ax: Axes) -> None:
        atoms, atom = self.frames[-1], self.atom.value
        explanation = explain(self.potential, atoms, Force(atom), order=self.order)
        force = np.asarray(explanation.total)
        along = explanation.flat(explanation.values)
        largest = np.argsort(-np.abs(along))[:SHOWN]
        drawn = [(explanation.members[k], float(along[k]), explanation.labels[k]) for k in largest]
        title = f"force on {self.atom.label}: {np.linalg.norm(force):.2f} eV/Å"
        draw_molecule(atoms, drawn, (atom, force), title, ax, plane=self._plane)

    def _draw_strip(self, ax: Axes) -> None:
        energy_and_temperature(
            np.array(self.times),
            np.array(self.energies),
            np.array(self.temperatures),
            float(self.temperature.value),
            ax,
        )

    def __repr__(self) -> str:
        return f"LiveMD of {self._first.symbols}: {len(self.frames)} frames"
