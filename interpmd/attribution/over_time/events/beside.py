"""Another model's ledger on the same frames: whether the model has the right reason.

Rows of internal coordinates and motions need forces only, so that a quantum method has a ledger as
well. Where it is dear it is asked at some frames: what differs, its forces less the model's, varies
slowly, and between the frames a spline stands for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.interpolate import CubicSpline

from interpmd import arguments
from interpmd.attribution.certificate import Check
from interpmd.attribution.gauges.coordinates import InternalGauge
from interpmd.attribution.models import as_model
from interpmd.attribution.over_time.events.assemble import assembled
from interpmd.attribution.over_time.events.result import EventLedger
from interpmd.attribution.over_time.events.stored import crossing_frames
from interpmd.dynamics.events import Event
from interpmd.errors import ReactionError
from interpmd.markup import markup, table
from interpmd.potentials.potential import Potential
from interpmd.reference.labelling import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Frames at which a spline is known, at least.
KNOTS = 4


@dataclass(frozen=True, eq=False)
class Beside:
    """Two ledgers of the same events, from the foot of the rise to the crossing.

    What the reference says is what the model says of all its events, plus the difference on the
    events that both saw: that differs little from event to event, so that a few suffice.

    Attributes:
        whole: of the model, all its events.
        own: of the model, the events that the reference saw.
        other: of the reference.
        frames: structures that the reference was asked for.
    """

    whole: EventLedger
    own: EventLedger
    other: EventLedger
    frames: int

    def rises(self) -> pd.DataFrame:
        """Rise of each interaction in eV by both, with standard errors over events, and their
        difference with its own."""
        mine = self.whole.rises()
        return self._both("stored", "interaction", mine["rise_eV"], mine["rise_error"], -1.0)

    def gates(self) -> pd.DataFrame:
        """What each motion gives in eV by both; see `rises`."""
        mine = self.whole.gates()
        return self._both("gained", "motion", mine["gives_eV"], mine["gives_error"], 1.0)

    @property
    def agreement(self) -> float:
        """Correlation of the rises of all interactions."""
        both = self.rises()
        return float(np.corrcoef(both["model_eV"], both["reference_eV"])[0, 1])

    @property
    def error(self) -> float:
        """Root mean square difference of the rises in eV."""
        return float(np.sqrt((self.rises()["difference_eV"] ** 2).mean()))

    @property
    def check(self) -> Check:
        """A line of a certificate: difference of the rises over their size."""
        rises = self.rises()
        size = float(np.sqrt((rises["reference_eV"] ** 2).mean()))
        asked = len(self.own.events)
        return Check(
            "truth",
            "reason of events",
            self.error / max(size, 1e-12),
            None,
            "",
            f"rises of the interactions differ from those of {self.other.data.attrs['model']} by "
            f"{1000 * self.error:.1f} meV of {1000 * size:.1f} (root mean squares; r "
            f"{self.agreement:.3f}, {asked} event{'s' * (asked > 1)}); {self._gates_agree()}",
        )

    def _gates_agree(self) -> str:
        if "gained" not in self.whole.data:
            return "no motions"
        gates = self.gates()
        theirs = gates["reference_eV"].sort_values(ascending=False).index
        first = gates.index[0]
        place = list(theirs).index(first) + 1
        return (
            f"the motion that gives most, {first}, is the first one there, too"
            if place == 1
            else f"the motion that gives most, {first}, is number {place} there"
        )

    def plot(self, most: int = 8, ax: Axes | None = None) -> Axes:
        """The largest rises by both, side by side."""
        from interpmd.plots.events import two_ledgers

        rises = self.rises().iloc[:most]
        return two_ledgers(
            list(rises.index),
            (rises["model_eV"].values, rises["model_error"].values),
            (rises["reference_eV"].values, rises["reference_error"].values),
            (f"potential ({self.own.data.attrs['model']})", str(self.other.data.attrs["model"])),
            ax,
        )

    def _both(
        self, what: str, rows: str, mean: pd.Series, error: pd.Series, sign: float
    ) -> pd.DataFrame:
        names = {rows: list(mean.index)}
        gap = sign * (self.own.data[what] - self.other.data[what]).sel(names).values[:, 0]
        averages = self.own.averages
        more, more_error = averages.mean(gap), averages.error(gap)
        return pd.DataFrame(
            {
                "model_eV": mean,
                "model_error": error,
                "reference_eV": mean - more,
                "reference_error": np.hypot(error, more_error),
                "difference_eV": more,
                "difference_error": more_error,
            }
        )

    def __str__(self) -> str:
        return self.check.words

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return markup("<p>{}</p>{}", self, table(self.rises().head(8).round(4)))


def ledger_beside(
    ledger: EventLedger,
    level: Any,
    events: int = 20,
    every: float | None = None,
    *,
    out: str | Path | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Beside:
    """The ledger of another model on the same frames: does the model have the right reason?

    Args:
        ledger: of `im.event_ledger`, of the gauge "internal".
        level: a level of theory as in `im.label` ("gfn2-xtb", "wb97x-d3bj/def2-svp"), an ASE
            calculator, or another potential; only its forces and energies are needed.
        events: how many of the events, from the first on.
        every: fs between the frames that it is asked for, from the foot of the rise to the
            crossing; between them the difference of its forces from the model's is a spline. All
            frames if None; 4 fs do where a frame costs seconds.
        out, workers, progress: see `im.label`.

    Raises:
        ReactionError: another gauge than "internal", or too few frames for a spline.
        Others: see `im.label`.
    """
    if not isinstance(ledger, EventLedger):
        raise ReactionError(
            f"ledger_beside takes a ledger of im.event_ledger, not {type(ledger).__name__}"
        )
    if not isinstance(ledger.gauge, InternalGauge):
        raise ReactionError(
            'a reference that gives forces only has rows of the gauge "internal"; this ledger has '
            f'the gauge "{ledger.gauge.name}"'
        )
    arguments.count(events=events)
    if every is not None:
        arguments.positive(every=every)
    some = ledger.events[:events]
    step = some[0].times[1] - some[0].times[0]
    stride = 1 if every is None else max(1, round(every / step))
    asked = [_asked(event, ledger.foot, stride) for event in some]
    frames = [e.frame(n) for e, places in zip(some, asked, strict=True) for n in places]
    answers = iter(_answers(level, frames, out, workers, progress))
    other = []
    for event, places in zip(some, asked, strict=True):
        energies, forces = zip(*(next(answers) for _ in places), strict=True)
        other.append(_asked_of(event, places, np.array(energies), np.stack(forces)))
    name = level if isinstance(level, str) else as_model(level).name
    own = [e.part(o.times[0] - 1e-6, o.times[-1] + 1e-6) for e, o in zip(some, other, strict=True)]
    pair = [
        assembled(
            None,
            chosen,
            ledger.gauge,
            ledger.motions,
            dict(ledger.data.attrs) | {"model": who},
            -ledger.foot,
            0.0,
            False,
        )
        for chosen, who in ((own, ledger.data.attrs["model"]), (other, name))
    ]
    return Beside(ledger, *pair, len(frames))


def _asked(event: Event, foot: float, stride: int) -> np.ndarray:
    """Frames for the reference: from the first crossing back to the foot, and one beyond it at
    either end if there is one."""
    crossing, _ = crossing_frames(event)
    step = event.times[1] - event.times[0]
    back = int(np.ceil(-foot / step / stride)) + (1 if stride == 1 else 0)
    places = crossing - stride * np.arange(back, -2, -1)
    places = places[(places >= 0) & (places < len(event))]
    if len(places) < KNOTS:
        raise ReactionError(
            f"{len(places)} frames of an event are too few for a spline: take a smaller every="
        )
    return places


def _asked_of(event: Event, places: np.ndarray, energies: np.ndarray, forces: np.ndarray) -> Event:
    """The event between the first and last of some frames, with energies and forces that are known
    at these."""
    assert event.forces is not None and event.energies is not None
    part = event.part(event.times[places[0]], event.times[places[-1]])
    at = event.times[places]
    more = CubicSpline(at, forces - event.forces[places])(part.times)
    raised = CubicSpline(at, energies - event.energies[places])(part.times)
    return replace(part, forces=part.forces + more, energies=part.energies + raised)


def _answers(
    level: Any, frames: Sequence[Any], out: str | Path | None, workers: int, progress: bool
) -> list[tuple[float, np.ndarray]]:
    """Energies and forces of frames by a level of theory or a model."""
    if isinstance(level, Potential):
        energies, forces = as_model(level).evaluate(frames)
        return list(zip(map(float, energies), forces, strict=True))
    labelled = label(list(frames), level, out=out, workers=workers, progress=progress)
    if len(labelled) < len(frames):
        raise ReactionError(
            f"{len(frames) - len(labelled)} of {len(frames)} frames have no label by {level}; the "
            "warning above says why"
        )
    return [(a.get_potential_energy(), a.get_forces(apply_constraint=False)) for a in labelled]
