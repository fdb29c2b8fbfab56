"""What the doctor finds: standard deviations of pair and triplet rows, geometry by geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from ase import Atoms
from jaxtyping import Float, Int

from interpmd.markup import markup, table
from interpmd.plots.determination import plot_determination
from interpmd.trust.proposal import propose

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Where geometries are worth a label, in units of the sum of the covalent radii: atoms do not
#: come closer at the temperatures of chemistry.
PHYSICAL = 0.7


@dataclass(frozen=True, eq=False, repr=False)
class Diagnosis:
    """How well each pair and triplet of elements is determined, and where.

    Attributes:
        table: one row for each dimer and trimer; see `to_frame`.
        numbers: atomic numbers of each geometry, 0 in the third place of dimers, shape
            (geometries, 3).
        sides: distances in Å between atoms 0–1, 0–2 and 1–2, NaN where there is no third atom,
            shape (geometries, 3).
        samples: deviations of the rows' energies under joint samples of the posterior in eV,
            shape (geometries, samples).
        threshold: a row is determined where its standard deviation is below this, in eV.
        level: level of theory of the potential.
        parts: closed-shell parts of the training molecules; see `interpmd.trust.closed_parts`.
        grades: largest extrapolation grade of an atom of each, shape (parts,).
    """

    table: pd.DataFrame
    numbers: Int[np.ndarray, "geometries 3"]
    sides: Float[np.ndarray, "geometries 3"]
    samples: Float[np.ndarray, "geometries samples"]
    threshold: float
    level: str | None = None
    parts: Sequence[Atoms] = ()
    grades: Float[np.ndarray, " parts"] = field(default_factory=lambda: np.zeros(0))

    def to_frame(self) -> pd.DataFrame:
        """A copy of the table.

        Columns: elements ("O-H"; in a triplet the atom at the angle stands in the middle), order
        (2 or 3), r1_A (and r2_A, angle_deg for triplets), energy_eV and std_eV of the row,
        determined (std_eV below the threshold), physical (no two atoms closer than `PHYSICAL`
        times the sum of their covalent radii) and, where training frames were given, in_data
        (how many pairs within 0.05 Å of that distance they hold; for a triplet, at the rarest of
        its sides within the cutoff) and drawn (a triplet that was cut out of a frame).
        """
        return self.table.copy()

    def summary(self) -> pd.DataFrame:
        """One row for each pair and triplet of elements, over its physical geometries.

        Columns: order, mean_std_eV, worst_std_eV, at (the worst geometry), determined (fraction
        of the geometries), undetermined_A (pairs: ranges of distances) and, where training frames
        were given, in_data_std_eV: the mean over the geometries that occur in them.
        """
        rows = {}
        physical = self.table[self.table.physical]
        for key, part in physical.groupby(["order", "elements"], sort=False):
            order, elements = cast(tuple[int, str], key)
            worst = part.loc[part.std_eV.idxmax()]
            place = f"{worst.r1_A:.2f} Å"
            if order == 3:
                place = f"{worst.r1_A:.2f}, {worst.r2_A:.2f} Å, {worst.angle_deg:.0f}°"
            rows[elements, order] = {
                "mean_std_eV": part.std_eV.mean(),
                "worst_std_eV": worst.std_eV,
                "at": place,
                "determined": part.determined.mean(),
            }
            if "in_data" in part:
                seen = part[part.drawn] if order == 3 else part[part.in_data > 0]
                rows[elements, order]["in_data_std_eV"] = seen.std_eV.mean()
            rows[elements, order]["undetermined_A"] = ranges(part) if order == 2 else ""
        frame = pd.DataFrame.from_dict(rows, orient="index")
        frame.index = pd.MultiIndex.from_tuples(rows, names=["elements", "order"])
        frame = frame.reset_index("order")
        worst_first = frame.sort_values(["order", "mean_std_eV"], ascending=[True, False])
        return worst_first.reindex(columns=["order", *frame.columns.drop("order")])

    def closed_parts(self) -> pd.DataFrame:
        """Closed-shell parts by composition: how many were looked at, and their grades.

        Columns: parts, median_grade, largest_grade; above 1 the data do not vouch for a part.
        """
        names = [part.get_chemical_formula() for part in self.parts]
        grades = pd.Series(self.grades, dtype=float).groupby(pd.Index(names, name="part"))
        table = grades.agg(["size", "median", "max"])
        table.columns = ["parts", "median_grade", "largest_grade"]
        return table.sort_values("largest_grade", ascending=False)

    def proposal(self, most: int = 200, parts: str = "closed") -> list[Atoms]:
        """What to label: closed-shell parts, or single atoms, dimers and trimers ("radicals").

        See `interpmd.trust.proposal.propose`.
        """
        return propose(self, most, parts)

    def plot(self) -> tuple[Axes, ...]:
        """Curve and error band of every pair, mean error bar of every triplet."""
        return tuple(plot_determination(self.table, self.summary(), self.threshold).axes)

    def __str__(self) -> str:
        return f"{self._headline()}\n{self._shown().to_string(na_rep='')}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = table(self._shown(), na_rep="")
        return markup("<div><b>{}</b>{}</div>", self._headline(), rows)

    def _shown(self, most: int = 12) -> pd.DataFrame:
        """All pairs and the worst triplets of the summary, rounded."""
        table = self.summary().round(3)
        return table.loc[(table.order == 2) | ((table.order == 3).cumsum() <= most)]

    def _headline(self) -> str:
        physical = self.table[self.table.physical]
        parts = [
            f"{int(part.determined.sum())} of {len(part)} {name} rows"
            for name, order in (("pair", 2), ("triplet", 3))
            if len(part := physical[physical.order == order])
        ]
        text = f"determined to {self.threshold:g} eV: {', '.join(parts)}"
        if len(self.parts):
            text += f"; on the data: {(self.grades <= 1).sum()} of {len(self.parts)} closed parts"
        return text


def ranges(pairs: pd.DataFrame) -> str:
    """Ranges of distances in Å at which a pair is not determined, such as "0.6–0.8, 2.1–4.0"."""
    part = pairs.sort_values("r1_A")
    r, open_ = part.r1_A.to_numpy(), ~part.determined.to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], open_, [False]]).astype(int)))
    return ", ".join(
        f"{r[a]:.1f}–{r[b - 1]:.1f}" for a, b in zip(edges[::2], edges[1::2], strict=True)
    )
