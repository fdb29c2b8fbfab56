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

from interpmd.decomposition.decomposition import standard_deviation
from interpmd.decomposition.few_atoms import few_atom_rows
from interpmd.decomposition.training_data import element, seen_distances, single_terms
from interpmd.errors import ArgumentError
from interpmd.plots.style import BLUE, GREY, SERIES, png_of
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
        distances: A, shape (points,).
        terms: energy of each term's row in eV, shape (points,), by the name of the term.
        std: posterior standard deviation of their sum in eV, shape (points,).
        count: how many pairs of the training data lie within 0.05 A, shape (points,); None where
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
        import matplotlib.pyplot as plt
        from matplotlib.patheffects import withStroke

        if ax is None:
            ax = plt.subplots(figsize=(6.0, 3.8), layout="constrained")[1]
        r, energy = self.distances, self.energy
        ax.set(xlim=(r[0], r[-1]), ylim=self._limits())
        if self.count is not None:
            self._data(ax, self.count)
        if band and self.std.any():
            ax.fill_between(
                r,
                energy - 2 * self.std,
                energy + 2 * self.std,
                color=BLUE,
                alpha=0.25,
                lw=0,
                zorder=2,
                label="± 2 std",
            )
        if terms and len(self.terms) > 1:
            for (name, values), (colour, _, style) in zip(
                self.terms.items(), SERIES[1:], strict=False
            ):
                # thin, with a white rim, above the sum: both are seen where a term is all of it
                ax.plot(
                    r,
                    values,
                    color=colour,
                    ls=style,
                    lw=1.5,
                    zorder=4,
                    label=name,
                    path_effects=[withStroke(linewidth=2.7, foreground="white")],
                )
        ax.plot(r, energy, color=BLUE, lw=4.0, zorder=3, label="pair energy")
        ax.axhline(0, color="black", lw=0.6, zorder=1)
        ax.set_xlabel(f"{self.elements} distance (Å)")
        ax.set_ylabel("pair energy (eV)")
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize=8, loc="upper right", framealpha=0.9)
        return ax

    def _limits(self) -> tuple[float, float]:
        """The well, not the wall: what is above a few depths of the well is cut off."""
        spread = np.minimum(self.std, 3 * np.abs(self.energy).max())
        if not self.seen.any():
            return -1.0, 1.0
        low = min(float((self.energy - 2 * spread)[self.seen].min(initial=-0.1)), -0.1)
        high = max(0.6 * abs(low), 0.1)
        # repulsive pairs have no well: what most of the data see
        high = max(high, float(np.quantile((self.energy + 2 * spread)[self.seen], 0.8)))
        return 1.1 * low, 1.1 * high

    def _data(self, ax: Axes, count: Int[np.ndarray, " points"]) -> None:
        """Hatching where no data are, and how often each distance occurs, from the bottom.

        Both in parts of the height of the picture, so that they stay whole in other limits.
        """
        r = self.distances
        edges = np.concatenate([r[:1], (r[1:] + r[:-1]) / 2, r[-1:]])
        switches = np.flatnonzero(np.diff([False, *(count == 0), False]))
        for number, (start, end) in enumerate(zip(switches[::2], switches[1::2], strict=True)):
            ax.axvspan(
                edges[start],
                edges[end],
                facecolor="none",
                edgecolor="#C8C8C8",
                hatch="///",
                lw=0,
                zorder=0,
                label="_" if number else "no data",
            )
        if count.any():
            # square roots, so that a distance which occurs once in a thousand is still seen
            ax.fill_between(
                r,
                0.22 * np.sqrt(count / count.max()),
                step="mid",
                color=GREY,
                alpha=0.45,
                lw=0,
                zorder=1,
                transform=ax.get_xaxis_transform(),
                label=f"data (tallest bar: {count.max()} pairs,\nheights as square roots)",
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
    """The pair rows of two elements, as `Potential.decompose` gives them for dimers.

    Args:
        potential: any.
        first, second: symbols.
        distances: A, ascending; 120 from 0.7 times the sum of the covalent radii to the cutoff
            if None.
        frames: training data, for how often each distance occurs in them; those of a shipped
            potential are found in a clone of the repository.

    Raises:
        UnknownElementError: an element that the potential does not know.
        ValueError: distances that do not ascend, or that are not above zero.
    """
    a, b = element(potential, first), element(potential, second)
    if distances is None:
        start = CLOSEST * (covalent_radii[a] + covalent_radii[b])
        last = potential.cutoff if potential.local_terms else 8.0
        distances = np.linspace(start, max(last, start + 1), POINTS)
    r = np.asarray(distances, dtype=float)
    if r.ndim != 1 or not len(r) or r[0] <= 0 or (np.diff(r) <= 0).any():
        raise ArgumentError("distances ascend and are above 0 A")
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
