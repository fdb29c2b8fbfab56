"""What a ledger of events tells: what rises, which motion pays, who pays whom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from interpmd import arguments
from interpmd.attribution.gauges.base import Gauge
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.over_time.events.averages import Averages
from interpmd.attribution.over_time.events.exchange import exchanged
from interpmd.attribution.over_time.events.flow import Flow, flow_of
from interpmd.attribution.over_time.events.motions import Motions
from interpmd.dynamics.events import Event
from interpmd.errors import ReactionError
from interpmd.markup import markup, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: fs. Period of the fastest vibrations, over which the potential energy is averaged.
FASTEST = 10.0

#: Part of the rise to which what every row takes up should be known.
KNOWN = 0.15

#: Standard errors that a rise must exceed to have a time of its own.
SEEN = 3.0


@dataclass(frozen=True, eq=False)
class EventLedger:
    """Energies around the crossing, of all events.

    Attributes:
        data: dimensions event, time (fs, 0 at the crossing), interaction and motion.

            - stored (event, time, interaction) in eV: the energy that each interaction has taken
              up, counted from the crossing; they sum to the potential energy
            - gained (event, time, motion) in eV: the work done on each motion, counted from the
              crossing; they sum to the kinetic energy. Not there without velocities.
            - potential_energy, kinetic_energy, coordinate (event, time); weight (event)
        events: as they were used, all in one direction.
        gauge: of the interactions.
        motions: the vibrations, None without velocities.
    """

    data: xr.Dataset
    events: tuple[Event, ...]
    gauge: Gauge
    motions: Motions | None

    @cached_property
    def averages(self) -> Averages:
        """Means over events and their bootstrap."""
        attrs = self.data.attrs
        return Averages(self.data.weight.values, attrs["draws"], attrs["seed"])

    @property
    def times(self) -> Float[np.ndarray, " times"]:
        """fs, 0 at the crossing."""
        return self.data.time.values

    @property
    def crossing(self) -> int:
        """Place of the crossing among the times."""
        return int(np.abs(self.times).argmin())

    @property
    def foot(self) -> float:
        """Time before the crossing in fs at which the potential energy is lowest, its mean over
        events and over the 10 fs around, since bonds to hydrogen vibrate as fast."""
        return float(self.times[self._foot])

    @property
    def _foot(self) -> int:
        mean = self.averages.mean(self.data.potential_energy.values)[: self.crossing + 1]
        half = round(0.5 * FASTEST / (self.times[1] - self.times[0]))
        half = min(half, (len(mean) - 1) // 4)
        smooth = np.convolve(mean, np.full(2 * half + 1, 1 / (2 * half + 1)), mode="valid")
        return int(half + smooth.argmin())

    @property
    def _climbed(self) -> Float[np.ndarray, " events"]:
        return -np.asarray(self.data.potential_energy.values)[:, self._foot]

    @property
    def rise(self) -> tuple[float, float]:
        """Rise of the potential energy from the foot to the crossing in eV, and its standard
        error."""
        climbed = self._climbed
        return float(self.averages.mean(climbed)), float(self.averages.error(climbed))

    @property
    def uncertainty(self) -> float:
        """Largest standard error of what a row takes up, as a part of the rise of the potential
        energy; nan of a single event."""
        early = -self.data.stored.values[:, self._foot]
        return float(self.averages.error(early).max() / max(abs(self.rise[0]), 1e-12))

    def events_for(self, part: float = KNOWN) -> int:
        """How many events it takes until what every row takes up is known to a part of the rise:
        errors fall with the root of their number.

        Args:
            part: of the rise.

        Raises:
            ReactionError: a rise that is not known itself, or a single event.
        """
        arguments.positive(part=part)
        rise, error = self.rise
        if not rise > 2 * error:
            raise ReactionError(
                f"the rise of the potential energy, {rise:.3f} ± {error:.3f} eV, is not known by "
                "itself: take more events, or a coordinate whose middle is the top"
            )
        return int(np.ceil(len(self.events) * (self.uncertainty / part) ** 2))

    @property
    def _how_well(self) -> str:
        """In a sentence: to what part of the rise rows are known, and what more would take."""
        rise, error = self.rise
        if not rise > 2 * error:
            return "the rise is not known: take more events before reading rows"
        known = f"rows are known to {100 * self.uncertainty:.0f} % of the rise or better"
        more = self.events_for() - len(self.events)
        return known + (f"; {more} more events for {100 * KNOWN:.0f} %" if more > 0 else "")

    @property
    def closure_error(self) -> float:
        """Largest difference in eV of the sum of the interactions from the potential energy."""
        gap = self.data.stored.sum("interaction") - self.data.potential_energy
        return float(np.abs(gap).max())

    @property
    def exchanged(self) -> float:
        """Energy that the interactions exchange in an event in eV: the sum over interactions of
        how far each goes up and down, the mean over events."""
        stored = self.data.stored.values
        return float(np.ptp(stored, axis=1).sum(1).mean())

    @property
    def closure(self) -> float:
        """Closure error as a share of the energy that is exchanged."""
        return self.closure_error / max(self.exchanged, 1e-12)

    @property
    def kinetic_closure_error(self) -> float:
        """Largest difference in eV of the sum of the motions from the kinetic energy; nan without
        motions."""
        if "gained" not in self.data:
            return float("nan")
        gap = self.data.gained.sum("motion") - self.data.kinetic_energy
        return float(np.abs(gap).max())

    def rises(self) -> pd.DataFrame:
        """What takes up the barrier: a row for each interaction, the largest first.

        Columns, each with its standard error over events: energy taken up from the foot to the
        crossing (eV); its share of the rise of the potential energy; the time in fs at which half
        of it was there, where it is more than three standard errors; and what it gives back from
        the crossing to as long after it.
        """
        stored = self.data.stored.values
        frame = self._rows(-stored[:, self._foot], -self._late(stored), stored)
        frame.index = pd.Index(self.data.interaction.values, name="interaction")
        frame.insert(0, "kind", self.data.kind.values)
        return frame.iloc[np.argsort(-np.abs(frame["rise_eV"].to_numpy()), kind="stable")]

    def gates(self) -> pd.DataFrame:
        """Which motion pays: a row for each vibration, the one that gives most first.

        Columns, each with its standard error: kinetic energy given from the foot to the crossing
        (eV), its share of the rise, the time at which half was given, and what it gets back after
        the crossing; and the wave number.

        Raises:
            ReactionError: the frames have no velocities, or motions were not asked for.
        """
        if "gained" not in self.data:
            raise ReactionError(
                "motions need frames with velocities: shoot, or record them (im.simulate does), "
                "and take motions=True"
            )
        work = self.data.gained.values
        frame = self._rows(work[:, self._foot], self._late(work), -work)
        words = {"rise": "gives", "falls": "gets_back"}
        frame.columns = [
            next((name.replace(w, words[w]) for w in words if name.startswith(w)), name)
            for name in frame.columns
        ]
        frame.index = pd.Index(self.data.motion.values, name="motion")
        frame.insert(0, "wave_number", self.data.wave_number.values)
        return frame.iloc[np.argsort(-frame["gives_eV"].to_numpy(), kind="stable")]

    def exchange(self) -> xr.DataArray:
        """Who pays whom, from the foot to the crossing: the energy in eV that each interaction
        takes from each motion, mean over events, with its standard error in `error`.

        The sum over motions is what an interaction takes up, the sum over interactions what a
        motion gives.

        Raises:
            ReactionError: another gauge than "internal", or no motions.
        """
        if self.motions is None or not isinstance(self.gauge, InternalGauge):
            raise ReactionError(
                'who pays whom is told of the gauge "internal" and of frames with velocities; this '
                f'ledger has the gauge "{self.gauge.name}"'
            )
        each = np.stack([exchanged(e, self.gauge, self.motions, self.foot) for e in self.events])
        c = self.gauge.coordinates
        return xr.DataArray(
            self.averages.mean(each),
            {
                "interaction": list(c.labels),
                "motion": list(self.motions.labels),
                "error": (("interaction", "motion"), self.averages.error(each)),
            },
            ("interaction", "motion"),
            attrs={"units": "eV", "from_fs": self.foot},
        )

    def flow(self, groups: Any = None) -> Flow:
        """Energy that goes from group to group, from the foot to the crossing.

        Args:
            groups: lists of atoms; heavy atoms with their hydrogens if None, those that the
                coordinate is about by themselves.

        Raises:
            ReactionError: another gauge than "internal", or frames without velocities.
            FragmentError: groups that overlap or leave out atoms.
        """
        if self.motions is None or not isinstance(self.gauge, InternalGauge):
            raise ReactionError(
                'energy that flows between groups is told of the gauge "internal" and of frames '
                "with velocities"
            )
        return flow_of(self.events, self.gauge, self.averages, groups, self.foot)

    @property
    def verdict(self) -> str:
        """In a sentence: which motion opened the gate, if one gives more than three of its
        standard errors, and which interaction takes up most."""
        rises = self.rises()
        name, rise = rises["rise_eV"].idxmax(), self.rise[0]
        first = rises.loc[name]
        words = (
            f"{name} takes up {first['rise_eV']:.3f} ± {first['rise_error']:.3f} eV of "
            f"the {rise:.3f} eV by which the potential energy rises in the {-self.foot:.0f} fs "
            "before the crossing"
        )
        if "gained" not in self.data:
            return words
        gates = self.gates()
        gate = gates.iloc[0]
        given = f"{gate['gives_eV']:.3f} ± {gate['gives_error']:.3f} eV"
        if gate["gives_eV"] > SEEN * gate["gives_error"]:
            return f"the motion {gates.index[0]} opened the gate: it gives {given}; {words}"
        return f"no motion stands out ({gates.index[0]} gives {given}); {words}"

    def plot(self, most: int = 5, ax: Axes | None = None) -> Axes:
        """The energy of the interactions that rise most, with their standard errors."""
        return self._drawn("stored", list(self.rises().index[:most]), "potential_energy", ax)

    def plot_motions(self, most: int = 4, ax: Axes | None = None) -> Axes:
        """The energy of the motions that give most, with their standard errors."""
        return self._drawn("gained", list(self.gates().index[:most]), "kinetic_energy", ax)

    def _drawn(self, what: str, names: list[str], total: str, ax: Axes | None) -> Axes:
        from interpmd.plots.events import energies_around

        rows = list(self.data[what].dims)[2]
        curves = {}
        for name in [*names, "sum"]:
            values = (
                self.data[total] if name == "sum" else self.data[what].sel({rows: name})
            ).values
            curves[name] = (self.averages.mean(values), self.averages.error(values))
        word = "taken up" if what == "stored" else "gained"
        return energies_around(self.times, curves, self.foot, f"energy {word} (eV)", ax)

    def _late(self, values: Float[np.ndarray, "events times rows"]) -> np.ndarray:
        """Values as long after the crossing as the foot is before it, or at the end."""
        place = min(2 * self.crossing - self._foot, len(self.times) - 1)
        return values[:, place]

    def _rows(
        self,
        early: Float[np.ndarray, "events rows"],
        late: Float[np.ndarray, "events rows"],
        curves: Float[np.ndarray, "events times rows"],
    ) -> pd.DataFrame:
        means, errors = self.averages.mean(early), self.averages.error(early)
        drawn = self.averages.drawn(early)
        rise, drawn_rise = self.rise[0], self.averages.drawn(self._climbed)
        half, half_error = self._halves(curves, means, errors)
        return pd.DataFrame(
            {
                "rise_eV": means,
                "rise_error": errors,
                "share": means / rise,
                "share_error": self.averages.spread(drawn / drawn_rise[:, None]),
                "half_fs": half,
                "half_error": half_error,
                "falls_eV": self.averages.mean(late),
                "falls_error": self.averages.error(late),
            }
        )

    def _halves(
        self, curves: np.ndarray, means: np.ndarray, errors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """When half of the rise was there, the last time before the crossing."""
        part = slice(self._foot, self.crossing + 1)
        times = self.times[part]

        def half(mean: Float[np.ndarray, "times rows"]) -> np.ndarray:
            share = 1 - mean / np.where(mean[:1] == 0, 1, mean[:1])
            below = share < 0.5
            last = below.shape[0] - 1 - below[::-1].argmax(0)
            return np.where(below.any(0), times[last], times[0])

        found = half(self.averages.mean(curves[:, part]))
        drawn = np.stack([half(one) for one in self.averages.drawn(curves[:, part])[:100]])
        seen = np.abs(means) > SEEN * np.maximum(errors, 1e-12)
        return np.where(seen, found, np.nan), np.where(seen, self.averages.spread(drawn), np.nan)

    def __str__(self) -> str:
        d = self.data.attrs
        rise, error = self.rise
        return (
            f"{len(self.events)} events {d['states']}, gauge {d['gauge']}, forces of {d['model']}: "
            f"the potential energy rises by {rise:.3f} ± {error:.3f} eV in {-self.foot:.0f} fs; "
            f"rows close to {100 * self.closure:.2g} % of what they exchange. {self._how_well}. "
            f"{self.verdict}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>{}", self, table(self.rises().head(8).round(3)))
