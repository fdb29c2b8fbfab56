"""The reaction force: where along a path the atoms are moved, and where the bonds change.

Of the energy E(s) along a reaction coordinate it is F = -dE/ds. Its minimum alpha lies before the
top, its maximum beta behind it, and with the reactant R, the top T and the product P they bound
four regions with the works

    W1 = E(alpha) - E(R),  W2 = E(T) - E(alpha),  W3 = E(beta) - E(T),  W4 = E(P) - E(beta)

(Toro-Labbé, J. Phys. Chem. A 103, 4398, 1999; Toro-Labbé et al., J. Phys. Chem. A 111, 5921, 2007).
W1 + W2 is the barrier, all four the energy of the reaction. W1 is read as the work of preparing the
structure, W2 as that of the transition to new bonds. Rows are energies, so that each has its four
works. Curves between frames are cubic splines, linear in the data: works of rows sum to the works.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float
from scipy.interpolate import CubicSpline

from interpmd.errors import PathError
from interpmd.markup import markup, table
from interpmd.plots.paths import force_regions
from interpmd.units import number_sign, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORKS = ("W1", "W2", "W3", "W4")

#: Frames below which there is no telling where the force has its extremes.
FEWEST = 5


@dataclass(frozen=True, eq=False)
class ReactionForce:
    """Regions of a path by its reaction force, and the works in them.

    Attributes:
        rows: W1 to W4 of each interaction in eV, the largest first.
        works: W1 to W4 of the path in eV, the sums of the rows.
        bounds: places of reactant, alpha, top, beta and product along the coordinate.
        coordinate: fine places along the path, shape (points,).
        energy: above the reactant in eV, shape (points,).
        force: in eV per unit of the coordinate, shape (points,).
        axis: name and unit of the coordinate.
    """

    rows: pd.DataFrame
    works: pd.Series
    bounds: pd.Series
    coordinate: Float[np.ndarray, " points"]
    energy: Float[np.ndarray, " points"]
    force: Float[np.ndarray, " points"]
    axis: str

    @property
    def barrier(self) -> float:
        """W1 + W2 in eV."""
        return float(self.works["W1"] + self.works["W2"])

    @property
    def residual(self) -> float:
        """Largest difference in eV between the works and the sums of those of the rows."""
        return float(np.abs(self.rows.sum() - self.works).max())

    @property
    def headline(self) -> str:
        """What share of the barrier is W1, and which interaction does most of W1 and of W2."""
        share = 100 * self.works["W1"] / self.barrier
        first, second = (self.rows[w].abs().idxmax() for w in ("W1", "W2"))
        return (
            f"barrier {self.barrier:.3f} eV: {share:.0f} % before the force is strongest (W1, most "
            f"of {first}), {100 - share:.0f} % from there to the top (W2, most of {second})"
        )

    def to_frame(self) -> pd.DataFrame:
        """W1 to W4 of each interaction in eV, and their sums."""
        frame = self.rows.copy()
        frame.loc["sum"] = self.works
        return frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Energy and force along the path, with the four regions and their works."""
        return force_regions(
            self.coordinate,
            self.energy,
            self.force,
            self.bounds.to_numpy(),
            [f"{name} {number_sign(value, '+.3f')}" for name, value in self.works.items()],
            x=self.axis,
            ax=ax,
        )

    def __repr__(self) -> str:
        return f"{self.headline}\n{self._short()}"

    def _repr_html_(self) -> str:
        return markup("<p><b>{}</b></p>{}", self.headline, table(self._short()))

    def _short(self) -> pd.DataFrame:
        frame = self.rows.head(12).copy()
        if len(self.rows) > 12:
            frame.loc[f"{len(self.rows) - 12} others"] = self.rows.iloc[12:].sum()
        frame.loc["sum"] = self.works
        return frame.rename_axis("eV").round(4)


def reaction_force(dataset: xr.Dataset, points: int = 201) -> ReactionForce:
    """Regions and works of a path.

    Args:
        dataset: of `explain_path`, over one barrier.
        points: of the fine curves.

    Raises:
        PathError: fewer than five frames, no top inside, or no strongest force before or behind it.
    """
    places, values = dataset.along.values, dataset.value.values
    if len(places) < FEWEST:
        raise PathError(f"the reaction force needs {FEWEST} frames or more, not {len(places)}")
    turned = places[0] > places[-1]
    s = -places if turned else places
    rows = CubicSpline(s, values)
    total = CubicSpline(s, values.sum(1))
    bounds = _bounds(total, s)
    works = np.diff(total(bounds))
    names = [str(name) for name in dataset.interaction.values]
    frame = pd.DataFrame(np.diff(rows(bounds), axis=0).T, index=names, columns=list(WORKS))
    size = frame.abs().max(axis=1).sort_values(ascending=False, kind="stable")
    fine = np.linspace(s[0], s[-1], points)
    sign = -1.0 if turned else 1.0
    about = dataset.along.attrs
    return ReactionForce(
        frame.loc[size.index].rename_axis("interaction"),
        pd.Series(works, index=list(WORKS)),
        pd.Series(sign * bounds, index=["reactant", "alpha", "top", "beta", "product"]),
        sign * fine,
        total(fine) - total(s[0]),
        -sign * total(fine, 1),
        with_unit(about["long_name"], about["units"]),
    )


def _bounds(total: CubicSpline, s: Float[np.ndarray, " frames"]) -> Float[np.ndarray, " 5"]:
    """Reactant, alpha, top, beta and product."""
    slope = total.derivative()
    flat = slope.roots(extrapolate=False)
    curved = total(flat, 2) if len(flat) else np.zeros(0)
    tops = flat[(curved < 0) & (flat > s[0]) & (flat < s[-1])]
    if not len(tops):
        raise PathError(
            "the energy has no top inside the path, so that there is no reaction force to divide; "
            "take a path over a barrier"
        )
    top = tops[np.argmax(total(tops))]
    steep = slope.derivative().roots(extrapolate=False)
    before, behind = steep[(steep > s[0]) & (steep < top)], steep[(steep > top) & (steep < s[-1])]
    if not len(before) or not len(behind):
        side = "before" if not len(before) else "behind"
        raise PathError(
            f"the force has no extreme {side} the top: the path ends too near to it; begin and end "
            "in minima"
        )
    alpha, beta = before[np.argmax(slope(before))], behind[np.argmin(slope(behind))]
    return np.array([s[0], alpha, top, beta, s[-1]])
