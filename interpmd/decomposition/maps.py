"""The energy of a triplet beyond its pairs, over two distances or a distance and an angle."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from ase import Atoms
from ase.data import covalent_radii
from jaxtyping import Bool, Float, Int

from interpmd import arguments
from interpmd.decomposition.decomposition import standard_deviation
from interpmd.decomposition.few_atoms import few_atom_rows
from interpmd.decomposition.training_data import element, seen_distances
from interpmd.errors import ArgumentError
from interpmd.plots.maps import energy_map
from interpmd.plots.style import png_of
from interpmd.potentials.potential import Potential
from interpmd.structures.seen import SeenDistances

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Default grids: points of each axis, and the part of the sum of the covalent radii where
#: distances begin. Closer pairs of ends are left out.
POINTS, CLOSEST = 31, 0.8


@dataclass(frozen=True, eq=False)
class TripletMap:
    """Triplet rows of three elements on a grid.

    Attributes:
        elements: "H-O-H", the atom at the angle in the middle.
        first: distances in Å from the middle atom to the first, shape (columns,).
        second: distances in Å to the last atom, or angles in degrees, shape (rows,).
        fixed: what does not vary, in words: "angle 104°" or "H–O 0.96 Å".
        by_angle: whether `second` are angles.
        energy: eV, shape (rows, columns); not a number where atoms would overlap.
        std: error bar in eV, that of a row of atoms, of the same shape.
        count: how often the rarest side occurs in the training data, of the same shape; None
            if they are not known.
    """

    elements: str
    first: Float[np.ndarray, " columns"]
    second: Float[np.ndarray, " rows"]
    fixed: str
    by_angle: bool
    energy: Float[np.ndarray, "rows columns"]
    std: Float[np.ndarray, "rows columns"]
    count: Int[np.ndarray, "rows columns"] | None = None

    @property
    def seen(self) -> Bool[np.ndarray, "rows columns"]:
        """Where the training data have all sides; everywhere if they are not known."""
        return np.ones(self.energy.shape, bool) if self.count is None else self.count > 0

    def to_frame(self) -> pd.DataFrame:
        """One line per point of the grid."""
        a, b, c = self.elements.split("-")
        columns, rows = np.meshgrid(self.first, self.second)
        frame = pd.DataFrame(
            {
                f"{a}{b}_A": columns.ravel(),
                "angle_deg" if self.by_angle else f"{b}{c}_A": rows.ravel(),
                "energy_eV": self.energy.ravel(),
                "std_eV": self.std.ravel(),
            }
        )
        if self.count is not None:
            frame["in_data"] = self.count.ravel()
        return frame.dropna()

    def plot(self, ax: Axes | None = None) -> Axes:
        """Colours and labelled contours; hatched where a side does not occur in the data."""
        a, b, c = self.elements.split("-")
        second = "angle (degrees)" if self.by_angle else f"{b}–{c} distance (Å)"
        return energy_map(
            self.first,
            self.second,
            self.energy,
            self.seen,
            (f"{a}–{b} distance (Å)", second),
            "triplet energy (eV)",
            f"{a}–{b}–{c}, {self.fixed}",
            ax,
        )

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())


def triplet_map(
    potential: Potential,
    elements: Sequence[str],
    angle: float | None = None,
    distance: float | None = None,
    points: int = POINTS,
    frames: str | Path | Iterable[Atoms] | SeenDistances | None = None,
) -> TripletMap:
    """Triplet rows, as `interpmd.decompose` gives them for trimers.

    Args:
        potential: any.
        elements: three symbols, the atom at the angle in the middle: ("H", "O", "H").
        angle: in degrees; the map is over both distances.
        distance: in Å, from the middle atom to the last; the map is over the other distance and
            the angle. Give one of the two.
        points: of each axis.
        frames: training data; those of a shipped potential are read from a clone of the
            repository.

    Raises:
        UnknownElementError: an element that the potential does not know.
        ArgumentError: both or neither of angle and distance, or values that make no sense.
    """
    arguments.of_class(Potential, potential=potential)
    if (angle is None) == (distance is None):
        raise ArgumentError("give the angle in degrees, or the distance to the last atom in Å")
    if (angle is not None and not 0 < angle <= 180) or (distance is not None and distance <= 0):
        raise ArgumentError("angles lie above 0 and up to 180 degrees, distances above 0 Å")
    a, b, c = (element(potential, symbol) for symbol in elements)
    last = potential.cutoff if potential.local_terms else 6.0
    first = np.linspace(CLOSEST * (covalent_radii[a] + covalent_radii[b]), 0.98 * last, points)
    if angle is not None:
        second = np.linspace(CLOSEST * (covalent_radii[b] + covalent_radii[c]), 0.98 * last, points)
        fixed = f"angle {angle:.0f}°"
        ba, bc = np.meshgrid(first, second)
        cosine = np.full(ba.shape, np.cos(np.radians(angle)))
    else:
        second = np.linspace(30.0, 180.0, points)
        fixed = f"{elements[1]}–{elements[2]} {distance:.2f} Å"
        ba, degrees = np.meshgrid(first, second)
        bc, cosine = np.full(ba.shape, distance), np.cos(np.radians(degrees))
    ac = np.sqrt(np.clip(ba**2 + bc**2 - 2 * ba * bc * cosine, 0, None))
    sides = np.stack([ba.ravel(), bc.ravel(), ac.ravel()], axis=1)
    apart = sides[:, 2] >= CLOSEST * (covalent_radii[a] + covalent_radii[c])
    numbers = np.tile([b, a, c], (len(sides), 1))
    rows, samples = few_atom_rows(copy.deepcopy(potential).double(), numbers[apart], sides[apart])
    energy, std = np.full(len(sides), np.nan), np.full(len(sides), np.nan)
    energy[apart] = rows
    std[apart] = standard_deviation(samples) if samples.shape[1] else 0.0
    seen = seen_distances(potential, frames)
    return TripletMap(
        elements="-".join(elements),
        first=first,
        second=second,
        fixed=fixed,
        by_angle=distance is not None,
        energy=energy.reshape(ba.shape),
        std=std.reshape(ba.shape),
        count=None if seen is None else seen.rarest(numbers, sides).reshape(ba.shape),
    )
