"""A panel with a slider for a bond, an angle, a dihedral or a vibration, and what the potential
says about each geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float

from interpmd.attribution.contributions import summed
from interpmd.decomposition import Decomposition
from interpmd.decomposition.assemble import decompose
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.errors import StructureError
from interpmd.markup import markup
from interpmd.plots import budget
from interpmd.plots.budgets import order_name
from interpmd.plots.curves import energy_scan
from interpmd.plots.molecule import draw_molecule, plane_of
from interpmd.plots.style import axes_in_a_row, unshown_axes
from interpmd.potentials.potential import Potential
from interpmd.potentials.sum import Prediction
from interpmd.potentials.uncertainty import Uncertainty, uncertainty
from interpmd.structures.files import Structures, one_structure
from interpmd.structures.movable import coordinate, proposals
from interpmd.units import number_sign
from interpmd.views.geometry.modes import vibrations
from interpmd.views.geometry.scan import Movable, scan
from interpmd.views.panels import Panel, Picture, side_by_side, table_html, trust
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Atoms up to which the normal modes are offered: their Hessian takes six evaluations per atom.
MOST_FOR_MODES = 40

#: Size of each picture in inches.
SMALL = (4.2, 3.5)


class GeometryLab(Panel):
    """Move a molecule by hand: energy, its split and the forces follow.

    It opens on the structure as it was given.

    Choose a bond, an angle, a dihedral or a normal mode and move the slider (by mouse, or by
    arrow keys). Left: the molecule with the forces on its atoms; middle: the energy along the
    coordinate with two standard deviations to either side; right: how the change of the energy
    since the first structure splits by body order, with the same numbers in a table below.

    Args:
        potential: an interpmd potential.
        atoms: a molecule; left as it is.
        indices: two, three or four atoms to begin with; the first proposal if None.
        order: largest body order of the split; "higher" is what lies above it.

    Raises:
        StructureError: the molecule has no bonds and no indices were given, or it is periodic.
    """

    def __init__(
        self,
        potential: Potential,
        atoms: Structures,
        indices: tuple[int, ...] | None = None,
        order: int = 3,
    ) -> None:
        atoms = one_structure(atoms)
        if atoms.pbc.any():
            raise StructureError("the geometry lab is for molecules, not for periodic structures")
        self.potential, self.start, self.order = potential, atoms.copy(), order
        self._choices = self._offered(indices)
        self._plane = plane_of(self.start)
        self._first = decompose(potential, self.start, order=order)
        self.coordinate_name = widgets.Dropdown(
            options=list(self._choices), description="move", layout={"width": "360px"}
        )
        self._pictures = [Picture() for _ in "123"]
        self._words, self._table = widgets.HTML(), widgets.HTML()
        self._controls = widgets.HBox(layout={"flex_flow": "wrap"})
        super().__init__(
            [
                self._controls,
                self._words,
                side_by_side(self._pictures),
                self._table,
            ]
        )
        self.coordinate_name.observe(lambda _: self._choose(), "value")
        self._choose()

    @property
    def coordinate(self) -> Movable:
        """What the slider sets."""
        return self._choices[str(self.coordinate_name.value)]

    @property
    def atoms(self) -> Atoms:
        """The molecule as it is now."""
        chosen, value = self.coordinate, float(self.slider.value)
        if abs(value - chosen.value(self.start)) < 1e-3 * chosen.step:
            return self.start.copy()  # sliders and formulas round
        return chosen.at(self.start, value)

    @property
    def table(self) -> Decomposition:
        """The table of the molecule as it is now."""
        return decompose(self.potential, self.atoms, order=self.order)

    def plot(self) -> tuple[Axes, ...]:
        """The molecule, the scan and the split side by side."""
        molecule, energies, split = axes_in_a_row((9.6, 3.4), 0.8, 1.2, 1)
        prediction = self.potential.predict_unwatched(self.atoms)
        self._draw_molecule(molecule, prediction)
        self._draw_scan(energies, prediction)
        self._draw_split(split, self.split())
        return molecule, energies, split

    def split(self) -> pd.DataFrame:
        """Energy of every body order: now, and its change since the first structure.

        Columns energy_eV, change_eV and change_std_eV; the sums are those of the molecule.
        """
        now, first = _by_order(self.table), _by_order(self._first)
        orders = sorted(now, key=lambda order: order or 99)
        change = np.array([now[order] - first.get(order, 0.0) for order in orders])
        columns = {
            "energy_eV": [now[order][0] for order in orders],
            "change_eV": change[:, 0],
            "change_std_eV": standard_deviation(change[:, 1:]),
        }
        return pd.DataFrame(columns, index=pd.Index(orders, name="body order"))

    def _offered(self, indices: tuple[int, ...] | None) -> dict[str, Movable]:
        choices: dict[str, Movable] = dict(proposals(self.start))
        if indices is not None:
            chosen = coordinate(self.start, *indices)
            symbols = self.start.get_chemical_symbols()
            name = "–".join(f"{symbols[i]}{i}" for i in indices)
            choices = {name + (" (closes a ring)" if chosen.ring else ""): chosen, **choices}
        if not choices:
            raise StructureError("no atoms are bonded: name two to four atoms with indices=")
        if len(self.start) <= MOST_FOR_MODES:
            choices |= vibrations(self.potential, self.start)
        return choices

    def _choose(self) -> None:
        """Another coordinate: its range, and the scan along it."""
        chosen = self.coordinate
        self.scan = scan(self.potential, self.start, chosen)
        # browsers put sliders on the grid of their steps, on which the first structure must lie
        now, (low, high) = chosen.value(self.start), chosen.limits(self.start)
        low = now - chosen.step * np.ceil((now - low) / chosen.step - 1e-6)
        high = now + chosen.step * np.floor((high - now) / chosen.step + 1e-6)
        # a new slider, so that late messages about the last coordinate do not move this one
        self.slider = widgets.FloatSlider(
            value=now,
            min=float(low),
            max=float(high),
            step=chosen.step,
            description=f"{chosen.quantity} ({chosen.unit})",
            style={"description_width": "initial"},
            layout={"width": "520px"},
            readout_format=".2f",
        )
        self.slider.observe(lambda _: self._draw(), "value")
        self._controls.children = [self.coordinate_name, self.slider]
        self._draw()

    def _draw(self) -> None:
        """What is quick is drawn first: the molecule, its place in the scan, then the split."""
        prediction = self.potential.predict_unwatched(self.atoms)
        molecule, energies, split = self._pictures
        axes = unshown_axes(SMALL)
        self._draw_molecule(axes, prediction)
        molecule.show(axes, f"the molecule and its forces: {axes.get_title()}", dpi=80)
        axes = unshown_axes(SMALL)
        self._draw_scan(axes, prediction)
        energies.show(axes, f"energy along {self.coordinate_name.value}", dpi=80)
        spread = uncertainty(self.potential, self.potential.batch(self.atoms))
        self._words.value = self._say(float(prediction.energy[0]), spread)
        table, axes = self.split(), unshown_axes(SMALL)
        self._draw_split(axes, table)
        split.show(axes, "change of the energy by body order; see the table below", dpi=80)
        named = table.set_axis([order_name(order) for order in table.index])
        named = named.rename(columns=lambda name: name.replace("_eV", " (eV)").replace("_", " "))
        self._table.value = table_html(named)

    def _say(self, energy: float, spread: Uncertainty) -> str:
        above, std = number_sign(energy - self.scan.lowest), float(spread.energy_std[0])
        return markup(
            "<b>{} = {} {}</b>: {} ± {} eV above the lowest of the scan; {}.",
            self.coordinate_name.value,
            f"{self.slider.value:.2f}",
            self.coordinate.unit,
            above,
            f"{std:.3f}",
            trust(float(spread.extrapolation.max())),
        )

    def _draw_molecule(self, ax: Axes, prediction: Prediction) -> None:
        forces = prediction.forces.detach().double().cpu().numpy()
        largest = int(np.linalg.norm(forces, axis=1).argmax())
        size = float(np.linalg.norm(forces[largest]))
        name = f"{self.start.symbols[largest]}{largest}"
        draw_molecule(
            self.atoms,
            forces=forces,
            title=f"forces; the largest\non {name}, {size:.2f} eV/Å",
            ax=ax,
            plane=self._plane,
        )

    def _draw_scan(self, ax: Axes, prediction: Prediction) -> None:
        energy_scan(
            self.scan.values,
            self.scan.energies - self.scan.lowest,
            self.scan.stds,
            (self.slider.value, float(prediction.energy[0]) - self.scan.lowest),
            f"{self.coordinate.quantity} ({self.coordinate.unit})",
            self.coordinate_name.value,
            ax,
        )

    def _draw_split(self, ax: Axes, table: pd.DataFrame) -> None:
        table = table.drop(index=1, errors="ignore")  # single atoms do not change
        names = [order_name(order) for order in table.index]
        budget(
            dict(zip(names, table.change_eV, strict=True)),
            dict(zip(names, table.change_std_eV, strict=True)),
            unit="eV",
            title="change since the first structure",
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"GeometryLab of {self.start.get_chemical_formula()}: {self.coordinate_name.value}"


def _by_order(table: Decomposition) -> dict[int, Float[np.ndarray, " energy_and_samples"]]:
    """Energy in eV and its deviations under samples of the posterior, summed by body order."""
    values = np.column_stack([table.energies, table.widened_samples])
    return summed([[int(order)] for order in table.order], values)
