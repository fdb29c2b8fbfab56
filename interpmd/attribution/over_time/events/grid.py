"""All events on one grid of time, counted from their crossings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from ase import units

from interpmd.attribution.contributions import summed
from interpmd.attribution.over_time.events.motions import Motions
from interpmd.attribution.over_time.events.stored import (
    Stored,
    counted_from_crossing,
    crossing_frames,
)
from interpmd.dynamics.events import Event


def dataset_of(
    events: Sequence[Event],
    stored: Sequence[Stored],
    works: Sequence[np.ndarray],
    motions: Motions | None,
    by: str,
    early: int,
    late: int,
    step: float,
) -> xr.Dataset:
    """The dataset of `EventLedger`.

    Args:
        events: with forces and energies.
        stored: energies of the interactions along each.
        works: on the motions along each; none without motions.
        motions: the vibrations, or None.
        by: "interaction" or "kind".
        early, late: frames before and after the crossing.
        step: fs between frames.
    """

    def counted(values: Sequence[np.ndarray]) -> np.ndarray:
        pairs = zip(events, values, strict=True)
        return np.stack([counted_from_crossing(e, v, early, late) for e, v in pairs])

    names: dict[str, tuple[str, tuple[int, ...]]] = {}
    for one in stored:
        if by == "kind":
            names |= {kind: (kind, ()) for kind in one.kinds}
        else:
            names |= dict(zip(one.labels, zip(one.kinds, one.members, strict=True), strict=True))
    table = np.zeros((len(events), early + late + 1, len(names)))
    places = {name: k for k, name in enumerate(names)}
    for number, (event, one) in enumerate(zip(events, stored, strict=True)):
        sums = summed([[key] for key in (one.kinds if by == "kind" else one.labels)], one.values.T)
        values = counted_from_crossing(event, np.stack(list(sums.values()), 1), early, late)
        table[number][:, [places[key] for key in sums]] = values
    energy = {"units": "eV"}
    each = ("event", "time")
    variables: dict[str, Any] = {
        "stored": ((*each, "interaction"), table, energy),
        "potential_energy": (each, counted([np.asarray(e.energies) for e in events]), energy),
        "coordinate": (each, np.stack([_coordinate(e, early, late) for e in events])),
        "weight": ("event", np.array([e.weight for e in events])),
    }
    members = ["-".join(map(str, atoms)) for _, atoms in names.values()]
    coordinates: dict[str, Any] = {
        "event": [e.origin for e in events],
        "time": ("time", step * np.arange(-early, late + 1), {"units": "fs"}),
        "interaction": np.array(list(names), dtype=str),
        "kind": ("interaction", np.array([kind for kind, _ in names.values()], dtype=str)),
        "atoms": ("interaction", np.array(members, dtype=str)),
    }
    if motions is not None:
        variables["gained"] = ((*each, "motion"), counted(works), energy)
        variables["kinetic_energy"] = (each, counted([_kinetic(e) for e in events]), energy)
        coordinates["motion"] = np.array(motions.labels, dtype=str)
        waves = np.append(motions.wave_numbers, np.nan)
        coordinates["wave_number"] = ("motion", waves, {"units": "cm^-1"})
    return xr.Dataset(variables, coordinates)


def _coordinate(event: Event, early: int, late: int) -> np.ndarray:
    first, last = crossing_frames(event)
    before = event.values[first - early : first + 1]
    return np.concatenate([before, event.values[last + 1 : last + late + 1]])


def _kinetic(event: Event) -> np.ndarray:
    assert event.velocities is not None
    # u Å²/fs² in eV
    masses = event.atoms.get_masses()[:, None] / units.fs**2
    return 0.5 * (masses * event.velocities**2).sum((1, 2))
