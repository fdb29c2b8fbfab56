"""A panel to look at the curves and maps of a potential."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols, covalent_radii

from interpmd import arguments
from interpmd.decomposition.curves import PairCurve, pair_curve
from interpmd.decomposition.maps import TripletMap, triplet_map
from interpmd.decomposition.training_data import seen_distances
from interpmd.errors import UnknownElementError
from interpmd.markup import markup
from interpmd.plots.style import axes_in_a_row, unshown_axes
from interpmd.potentials.potential import Potential
from interpmd.views.panels import Panel, Picture, table_html
from interpmd.views.toolkit import widgets

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Part of the bonds of the most frequent partner below which another one is rare.
RARE = 0.2

#: Size of each picture in inches.
PICTURE = (5.2, 3.9)


class PotentialInspector(Panel):
    """What has the network learned? Pair curves with error bands, and triplet energies as maps.

    Both are rows of the table of dimers and trimers, grey where the training data have no such
    distances. It opens on the most frequent bond, and on the angle of its atoms' most frequent
    bonds. Choose elements, angle and distance; the table below has the same numbers.

    Args:
        potential: any.
        frames: training data; if None, those of a shipped potential are taken from a clone of
            the repository, and those of a fit from the counts that its card holds. Nothing is grey
            where they are not known.
        elements: symbols to choose among, those of the potential if None.

    Raises:
        UnknownElementError: the potential takes all elements, and none were given.
    """

    def __init__(
        self,
        potential: Potential,
        frames: str | Path | Iterable[Atoms] | None = None,
        elements: Iterable[str] | None = None,
    ) -> None:
        arguments.of_class(Potential, potential=potential)
        self.potential = potential
        known = [chemical_symbols[z] for z in potential.elements or ()]
        symbols = list(elements or known)
        if not symbols:
            raise UnknownElementError(
                "the potential takes all elements; say which to look at, as in elements=['Si']"
            )
        self.seen = seen_distances(potential, frames)
        pairs = ["-".join(p) for p in itertools.combinations_with_replacement(symbols, 2)]
        triplets = [
            f"{a}-{b}-{c}"
            for b in symbols
            for a, c in itertools.combinations_with_replacement(symbols, 2)
        ]
        wide = {"layout": {"width": "auto"}, "style": {"description_width": "6.5em"}}
        self.pair = widgets.Dropdown(options=pairs, description="pair", **wide)
        self.band = widgets.Checkbox(value=True, description="error band", indent=False)
        self.terms = widgets.Checkbox(value=True, description="single terms", indent=False)
        self.triplet = widgets.Dropdown(options=triplets, description="triplet", **wide)
        self.over = widgets.Dropdown(
            options={"two distances": "angle", "distance and angle": "distance"},
            description="map over",
            **wide,
        )
        self.angle = widgets.IntSlider(
            value=105, min=30, max=180, step=5, description="angle (°)", **wide
        )
        self.distance = widgets.FloatSlider(
            value=1.0, min=0.6, max=4.0, step=0.05, description="distance (Å)", **wide
        )
        self._pictures = [Picture() for _ in "12"]
        self._table = widgets.HTML()
        self._note = widgets.HTML(self._words())
        curve = widgets.VBox(
            [
                widgets.HBox([self.pair, self.band, self.terms], layout={"flex_flow": "wrap"}),
                self._pictures[0],
            ],
            layout={"width": "460px"},
        )
        surface = widgets.VBox(
            [
                widgets.HBox([self.triplet, self.over], layout={"flex_flow": "wrap"}),
                self.angle,
                self.distance,
                self._pictures[1],
            ],
            layout={"width": "460px"},
        )
        numbers = widgets.Accordion([self._table], titles=["the same as numbers"])
        super().__init__(
            [
                self._note,
                widgets.HBox([curve, surface], layout={"flex_flow": "row wrap"}),
                numbers,
            ]
        )
        for control in (self.pair, self.band, self.terms):
            control.observe(lambda _: self._draw_curve(), "value")
        for control in (self.angle, self.distance, self.over):
            control.observe(lambda _: self._draw_map(), "value")
        self._open(symbols)
        self.triplet.observe(lambda _: self._new_triplet(), "value")
        self._new_triplet()
        self._draw_curve()

    @property
    def curve(self) -> PairCurve:
        """The curve in the left picture."""
        first, second = str(self.pair.value).split("-")
        return pair_curve(self.potential, first, second, frames=self.seen)

    @property
    def map(self) -> TripletMap:
        """The map in the right picture."""
        elements = str(self.triplet.value).split("-")
        if self.over.value == "angle":
            return triplet_map(self.potential, elements, self.angle.value, frames=self.seen)
        return triplet_map(self.potential, elements, distance=self.distance.value, frames=self.seen)

    def plot(self) -> tuple[Axes, Axes]:
        """Both pictures side by side."""
        left, right = axes_in_a_row((9.6, 4.2), 1, 1)
        self.curve.plot(left, self.band.value, self.terms.value)
        self.map.plot(right)
        return left, right

    def _draw_curve(self) -> None:
        curve = self.curve
        axes = unshown_axes(PICTURE)
        self._pictures[0].show(
            curve.plot(axes, self.band.value, self.terms.value),
            f"pair energy of {curve.elements} by distance",
        )
        self._table.value = table_html(curve.to_frame().iloc[::6])

    def _draw_map(self) -> None:
        self.angle.layout.display = None if self.over.value == "angle" else "none"
        self.distance.layout.display = None if self.over.value == "distance" else "none"
        shown = self.map
        self._pictures[1].show(
            shown.plot(unshown_axes(PICTURE)),
            f"triplet energy of {shown.elements}, {shown.fixed}",
        )

    def _new_triplet(self) -> None:
        """Show another triplet, at the usual length of its bond."""
        _, b, c = (chemical_symbols.index(s) for s in str(self.triplet.value).split("-"))
        self.distance.value = round(float(covalent_radii[b] + covalent_radii[c]), 2)
        self._draw_map()

    def _open(self, symbols: list[str]) -> None:
        """Begin with the most frequent bond, and with the most frequent angle at its atoms."""
        counts = {} if self.seen is None else self.seen.bonds()
        named = {
            tuple(chemical_symbols[z] for z in pair): count
            for pair, count in counts.items()
            if count and {chemical_symbols[z] for z in pair} <= set(symbols)
        }
        if not named:
            return
        bond = next(iter(named))
        ends = {"-".join(bond), "-".join(reversed(bond))}
        self.pair.value = next(pair for pair in self.pair.options if pair in ends)
        middle = max(bond, key=lambda symbol: atomic_numbers[symbol])
        partners = Counter()
        for (first, second), count in named.items():
            if middle in (first, second):
                partners[second if first == middle else first] += count * (
                    2 if first == second else 1
                )
        (a, first), *others = partners.most_common(2)
        # a partner that is rare, as O of O in water, makes no angle to begin with
        c = next((symbol for symbol, count in others if count > RARE * first), a)
        wanted = {f"{a}-{middle}-{c}", f"{c}-{middle}-{a}"}
        self.triplet.value = next(t for t in self.triplet.options if t in wanted)

    def _words(self) -> str:
        name = self.potential.card.level or ", ".join(self.potential.terms)
        data = (
            "training data not known: nothing is grey (pass frames=)"
            if self.seen is None
            else "grey: no such distance in the training data"
        )
        return markup(
            "<b>What has the potential learned?</b> {}. Energies of isolated pairs and "
            "triplets, band ± 2 std of the posterior; {}.",
            name,
            data,
        )

    def __repr__(self) -> str:
        return f"PotentialInspector of {self.potential.card.level}: {self.pair.value}"
