"""The energy of a pair of atoms by their distance, term by term, with what is known about it."""

from __future__ import annotations

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
from interpmd.decomposition.training_data import element, seen_distances, single_terms
from interpmd.errors import ArgumentError
from interpmd.plots.curves import pair_energy
from interpmd.plots.style import png_of
from interpmd.potentials.potential import Potential
from interpmd.structures.seen import SeenDistances

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Default distances begin at this part of the sum of the covalent radii.
CLOSEST, POINTS = 0.7, 120


@dataclass(frozen=True, eq=False)
class PairCurve:
    """The pair rows of two elements at some distances.

    Attributes:
        elements: "O-H".
        distances: Å, shape (points,).
        terms: energy of each term's row in eV, shape (points,), by the name of the term.
        std: error bar of their sum in eV, that of a row of atoms, shape (points,).
        count: how many pairs of the training data lie within 0.05 Å, shape (points,); None where
            the data are not known.
    """

    elements: str
    distances: Float[np.ndarray, " points"]
    terms: dict[str, Float[np.ndarray, " points"]]
    std: Float[np.ndarray, " points"]
    count: Int[np.ndarray, " points"] | None = None

    @property
    def energy(self) -> Float[np.ndarray, " points"]:
        """All terms together in eV."""
        return np.sum(list(self.terms.values()), axis=0)

    @property
    def seen(self) -> Bool[np.ndarray, " points"]:
        """Where the training data have such a pair; everywhere if they are not known."""
        return np.ones(len(self.distances), bool) if self.count is None else self.count > 0

    def __str__(self) -> str:
        seen, low = self.distances[self.seen], int(self.energy.argmin())
        ends = f"from {seen[0]:.2f} to {seen[-1]:.2f} Å" if len(seen) else "nowhere"
        return (
            f"pair energy of {self.elements}: lowest {self.energy[low]:.3f} ± {self.std[low]:.3f} "
            f"eV at {self.distances[low]:.2f} Å; in the data {ends}"
        )

    __repr__ = __str__

    def to_frame(self) -> pd.DataFrame:
        """One line per distance: energy_eV, std_eV, in_data, and a column for each term."""
        frame = pd.DataFrame({"energy_eV": self.energy, "std_eV": self.std})
        if self.count is not None:
            frame["in_data"] = self.count
        for name, values in self.terms.items():
            frame[f"{name}_eV"] = values
        return frame.set_axis(pd.Index(self.distances, name="distance_A"))

    def plot(self, ax: Axes | None = None, band: bool = True, terms: bool = True) -> Axes:
        """The curve with two standard deviations to either side; hatched where there are no data.

        Args:
            ax: where to draw.
            band: whether to draw the band.
            terms: whether to draw the single terms as well, where there are several.
        """
        return pair_energy(
            self.distances, self.terms, self.std, self.count, self.elements, band, terms, ax
        )

    def _repr_png_(self) -> bytes:
        return png_of(self.plot())


def pair_curve(
    potential: Potential,
    first: str,
    second: str,
    distances: Sequence[float] | None = None,
    frames: str | Path | Iterable[Atoms] | SeenDistances | None = None,
) -> PairCurve:
    """The pair rows of two elements, as `interpmd.decompose` gives them for dimers.

    Args:
        potential: any.
        first, second: symbols.
        distances: Å, ascending; 120 from 0.7 times the sum of the covalent radii to the cutoff
            if None.
        frames: training data, to count how often each distance occurs; those of a shipped
            potential are read from a clone of the repository.

    Raises:
        UnknownElementError: an element that the potential does not know.
        ArgumentError: distances that do not ascend, or that are not above zero.
    """
    arguments.of_class(Potential, potential=potential)
    a, b = element(potential, first), element(potential, second)
    if distances is None:
        start = CLOSEST * (covalent_radii[a] + covalent_radii[b])
        last = potential.cutoff if potential.local_terms else 8.0
        distances = np.linspace(start, max(last, start + 1), POINTS)
    r = arguments.numbers_of(distances, "distances")
    if r[0] <= 0 or (np.diff(r) <= 0).any():
        raise ArgumentError("distances must be above 0 Å and ascend")
    numbers = np.tile([a, b, 0], (len(r), 1))
    sides = np.column_stack([r, np.full((len(r), 2), np.nan)])
    terms, deviations = {}, []
    for name, alone in single_terms(potential).items():
        terms[name], samples = few_atom_rows(alone, numbers, sides)
        if samples.shape[1]:
            deviations.append(samples)
    count = min((d.shape[1] for d in deviations), default=0)
    # posteriors of different terms are independent: any pairing is a joint draw
    joint = sum((d[:, :count] for d in deviations), np.zeros((len(r), count)))
    seen = seen_distances(potential, frames)
    return PairCurve(
        elements=f"{first}-{second}",
        distances=r,
        terms=terms,
        std=standard_deviation(joint) if count else np.zeros(len(r)),
        count=None if seen is None else seen.count(a, b, r),
    )
