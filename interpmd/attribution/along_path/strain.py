"""Activation strain, or distortion and interaction, of fragments along a path: what deforming them
costs, and what they gain by each other.

    E(s) - sum over fragments of E_X(reference) = sum over X of strain_X(s) + interaction(s)

with strain_X = E_X(s) - E_X(reference) of each fragment by itself, and the interaction all rows of
two fragments and more (Bickelhaupt and Houk, Angew. Chem. Int. Ed. 56, 10070, 2017, equations 1 and
2; Ess and Houk, J. Am. Chem. Soc. 129, 10646, 2007). Both are rows of one table: those of a single
player, and all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from ase import Atoms
from jaxtyping import Float

from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.molecules import MoleculesGauge
from interpmd.attribution.models import Model
from interpmd.attribution.relaxation import relaxed
from interpmd.errors import PathError
from interpmd.markup import markup, table
from interpmd.plots.paths import row_lines
from interpmd.units import number_sign, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class ActivationStrain:
    """Strain of each fragment and interaction of all along a path.

    Attributes:
        strain: in eV, a column for each fragment, a line for each frame.
        interaction: in eV, a column for each pair, triple, ... of fragments.
        total: energy of the path above that of the fragments of reference in eV, shape (frames,),
            from the model itself.
        reference: "relaxed" fragments, or the "first" frame.
        axis: name and unit of the coordinate, which is the index of the tables.
    """

    strain: pd.DataFrame
    interaction: pd.DataFrame
    total: Float[np.ndarray, " frames"]
    reference: str
    axis: str

    def __len__(self) -> int:
        return len(self.total)

    @property
    def residual(self) -> float:
        """Largest difference in eV between strain plus interaction and the model's own energy."""
        rows = self.strain.sum(axis=1) + self.interaction.sum(axis=1)
        return float(np.abs(rows.to_numpy() - self.total).max())

    @property
    def highest(self) -> int:
        """Number of the frame with the highest energy."""
        return int(self.total.argmax())

    @property
    def headline(self) -> str:
        """Strain and interaction at the top, or in the well where that is deeper."""
        high = self.total.max() >= -self.total.min()
        frame = self.highest if high else int(self.total.argmin())
        strain = float(self.strain.iloc[frame].sum())
        where = f"{'at the top' if high else 'in the well'} ({self.strain.index[frame]:.4g})"
        between = float(self.interaction.iloc[frame].sum())
        return (
            f"{where} {number_sign(float(self.total[frame]), '+.3f')} eV = strain "
            f"{number_sign(strain, '+.3f')} eV, interaction {number_sign(between, '+.3f')} eV"
        )

    def to_frame(self) -> pd.DataFrame:
        """Strain of each fragment, interactions, and the total, in eV along the path."""
        strain = self.strain.add_prefix("strain of ")
        return pd.concat([strain, self.interaction], axis=1).assign(total=self.total)

    def plot(self, most: int = 6, ax: Axes | None = None) -> Axes:
        """Strain, interaction and total along the path."""
        series = {
            f"strain of {name}": column.to_numpy() for name, column in self.strain.items()
        } | {str(name): column.to_numpy() for name, column in self.interaction.items()}
        words = "fragments apart" if self.reference == "relaxed" else "the first frame"
        return row_lines(
            self.strain.index.to_numpy(dtype=float),
            series,
            most,
            x=self.axis,
            y=f"energy above {words} (eV)",
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"{self.headline}\n{self.to_frame().round(4)}"

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self.headline, table(self.to_frame().round(4)))


def activation_strain(
    model: Model,
    frames: Sequence[Atoms],
    gauge: Gauge,
    dataset: xr.Dataset,
    absolute: Float[np.ndarray, "frames rows"],
    reference: str = "relaxed",
) -> ActivationStrain:
    """Strain and interaction along a path.

    Args:
        model: what was asked.
        frames: of the path.
        gauge: with players.
        dataset: of `explain_path`.
        absolute: energies of its rows in eV.
        reference: "relaxed": each fragment by itself, relaxed from its shape in the first frame;
            "first": all rows less those of the first frame.

    Raises:
        PathError: another reference, or relaxed parts of a molecule, which are closed with
            hydrogen.
        ModelError: a fragment that does not relax.
    """
    if reference not in ("relaxed", "first"):
        raise PathError(f'the reference is "relaxed" or "first", not {reference!r}')
    names = [str(name) for name in dataset.interaction.values]
    orders = dataset["order"].values
    alone = [row for row, order in enumerate(orders) if order == 1]
    others = [row for row, order in enumerate(orders) if order != 1]
    if reference == "first":
        values = absolute - absolute[0]
        total = dataset.predicted.values
    else:
        if not isinstance(gauge, MoleculesGauge):
            raise PathError(
                "groups of a molecule have no relaxed shape of their own, since hydrogen closes "
                'them: take strain(reference="first")'
            )
        values, zero = absolute.copy(), 0.0
        for row in alone:
            members = [int(a) for a in str(dataset["atoms"].values[row]).split("-")]
            part = frames[0][members]
            energy = model.energy(relaxed(model, part) if len(part) > 1 else part)
            values[:, row] -= energy
            zero += energy
        total = np.array([model.energy(frame) for frame in frames]) - zero
    about = dataset.along.attrs
    axis = with_unit(about["long_name"], about["units"])
    index = pd.Index(dataset.along.values, name=axis)
    return ActivationStrain(
        pd.DataFrame(values[:, alone], index, [names[row] for row in alone]),
        pd.DataFrame(values[:, others], index, [names[row] for row in others]),
        total,
        reference,
        axis,
    )
