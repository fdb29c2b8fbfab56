"""A panel with a slider for a bond, an angle or a dihedral, and what the potential says to it."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import pandas as pd
import torch
from ase import Atoms
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from interpmd.decomposition import Decomposition
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.decomposition.few_atoms import sites_and_samples
from interpmd.errors import StructureError
from interpmd.potentials.potential import Potential
from interpmd.potentials.uncertainty import uncertainty
from interpmd.views.geometry.coordinates import Coordinate, coordinate, proposals
from interpmd.views.molecule import draw_molecule
from interpmd.views.panels import Panel, Picture
from interpmd.views.style import BLUE, ORANGE

#: Points of the scan.
POINTS = 41


class GeometryLab(Panel):
    """Move a molecule by hand: energy, its split and the forces follow.

    Choose a bond, an angle or a dihedral and move the slider (by mouse, or by arrow keys). Left:
    the molecule with the force on every atom; right: the energy along the coordinate with two
    standard deviations to either side; below: the energy by body order at the present value.

    Args:
        potential: an interpmd potential.
        atoms: a molecule; left as it is.
        indices: two, three or four atoms to begin with; the first proposal if None.
        order: largest body order of the table.

    Raises:
        StructureError: a molecule without bonds, and no indices given; periodic structures.
    """

    def __init__(
        self,
        potential: Potential,
        atoms: Atoms,
        indices: tuple[int, ...] | None = None,
        order: int = 3,
    ) -> None:
        if atoms.pbc.any():
            raise StructureError("the geometry lab is for molecules, not for periodic structures")
        self.potential, self.start, self.order = potential, atoms.copy(), order
        choices = proposals(self.start)
        if indices is not None:
            chosen = coordinate(self.start, *indices)
            symbols = atoms.get_chemical_symbols()
            name = "–".join(f"{symbols[i]}{i}" for i in indices)
            choices = {name + (" (closes a ring)" if chosen.ring else ""): chosen, **choices}
        if not choices:
            raise StructureError("no atoms are bonded: name two to four atoms with indices=")
        self._choices = choices
        self.coordinate_name = widgets.Dropdown(
            options=list(choices), description="move", layout={"width": "320px"}
        )
        self.slider = widgets.FloatSlider(
            min=-1e9, max=1e9, description="value", layout={"width": "560px"}, readout_format=".2f"
        )
        self._pictures = [Picture() for _ in "12"]
        self._words, self._table = widgets.HTML(), widgets.HTML()
        self._drawing = False
        super().__init__(
            [
                widgets.HBox([self.coordinate_name, self.slider], layout={"flex_flow": "wrap"}),
                self._words,
                widgets.HBox(self._pictures, layout={"flex_flow": "row wrap"}),
                self._table,
            ]
        )
        self.coordinate_name.observe(lambda _: self._choose(), "value")
        self.slider.observe(lambda _: self._draw(), "value")
        self._choose()

    @property
    def coordinate(self) -> Coordinate:
        """The coordinate that the slider sets."""
        return self._choices[self.coordinate_name.value]

    @property
    def atoms(self) -> Atoms:
        """The molecule as it stands now."""
        return self.coordinate.at(self.start, self.slider.value)

    @property
    def table(self) -> Decomposition:
        """The table of the molecule as it stands now."""
        return self.potential.decompose(self.atoms, order=self.order)

    def plot(self) -> tuple[Axes, Axes]:
        """The molecule and the scan side by side."""
        figure = Figure(figsize=(9.6, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        self._draw_molecule(left)
        self._draw_scan(right)
        return left, right

    def _choose(self) -> None:
        """Another coordinate: its range, and the scan along it."""
        size, now = len(self.coordinate.atoms), self.coordinate.value(self.start)
        low, high = {2: (0.7 * now, 1.8 * now), 3: (60.0, 180.0), 4: (now - 180, now + 180)}[size]
        self._drawing = True
        self.slider.min, self.slider.max = -1e9, 1e9
        self.slider.value = now
        self.slider.min, self.slider.max = min(low, now), max(high, now)
        self.slider.step = 0.01 if size == 2 else 1.0
        self.slider.description = "distance (Å)" if size == 2 else "angle (°)"
        self.slider.style.description_width = "initial"
        self._drawing = False
        self.values: Float[np.ndarray, " points"] = np.linspace(
            self.slider.min, self.slider.max, POINTS
        )
        batch = self.potential.batch([self.coordinate.at(self.start, v) for v in self.values])
        with torch.no_grad():
            sites = sites_and_samples(self.potential, batch, self.potential.neighbours(batch))
        found = sites.double().cpu().numpy().reshape(POINTS, len(self.start), -1).sum(1)
        self.energies: Float[np.ndarray, " points"] = found[:, 0]
        self.stds = standard_deviation(found[:, 1:]) if found.shape[1] > 1 else 0 * found[:, 0]
        self._draw()

    def _draw(self) -> None:
        if self._drawing:
            return
        atoms, size = self.atoms, len(self.coordinate.atoms)
        now = uncertainty(self.potential, self.potential.batch(atoms))
        energy = float(self.potential.predict(atoms).energy[0])
        grade = float(now.extrapolation.max())
        trust = (
            "inside the training data"
            if grade <= 1
            else f"<b>beyond the training data</b> (extrapolation grade {grade:.1f}): do not trust"
        )
        unit = "Å" if size == 2 else "°"
        self._words.value = (
            f"<b>{self.coordinate_name.value} = {self.slider.value:.2f} {unit}</b>: "
            f"{energy - self.energies.min():+.3f} ± {float(now.energy_std[0]):.3f} eV above the "
            f"lowest of the scan; {trust}."
        )
        drawn = (
            (self._draw_molecule, (4.2, 3.6), "the molecule and its largest force"),
            (self._draw_scan, (5.4, 3.6), f"energy along {self.coordinate_name.value}"),
        )
        for picture, (draw, shape, words) in zip(self._pictures, drawn, strict=True):
            axes = Figure(figsize=shape, layout="constrained").subplots()
            draw(axes)
            picture.show(axes, words, dpi=80)
        orders = self.table.by("order")[["energy_eV", "energy_std_eV", "rows"]].round(3)
        self._table.value = pd.DataFrame(orders).to_html()

    def _draw_molecule(self, ax: Axes) -> None:
        atoms = self.atoms
        forces = self.potential.predict(atoms).forces.detach().cpu().numpy()
        largest = int(np.linalg.norm(forces, axis=1).argmax())
        size = float(np.linalg.norm(forces[largest]))
        draw_molecule(
            atoms,
            force=(largest, forces[largest]),
            title=f"largest force {size:.2f} eV/Å, on {atoms.symbols[largest]}{largest}",
            ax=ax,
        )

    def _draw_scan(self, ax: Axes) -> None:
        energies = self.energies - self.energies.min()
        ax.fill_between(
            self.values,
            energies - 2 * self.stds,
            energies + 2 * self.stds,
            color=BLUE,
            alpha=0.25,
            lw=0,
            label="± 2 std",
        )
        ax.plot(self.values, energies, color=BLUE, label="potential")
        here = float(self.potential.predict(self.atoms).energy[0]) - self.energies.min()
        ax.plot(self.slider.value, here, "o", color=ORANGE, ms=10, label="now")
        size = len(self.coordinate.atoms)
        top = float(np.quantile(energies, 0.9)) + 0.2
        ax.set_ylim(-0.05 * top, max(1.2 * top, 1.1 * here))
        unit = "distance (Å)" if size == 2 else "degrees"
        ax.set(xlabel=f"{self.coordinate_name.value} {unit}", ylabel="energy (eV)")
        ax.legend(fontsize=8)
        ax.spines[["top", "right"]].set_visible(False)

    def __repr__(self) -> str:
        return f"GeometryLab of {self.start.symbols}: {self.coordinate_name.value}"
