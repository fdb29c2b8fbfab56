"""A map of all frames: where each lies in two coordinates, and what colours it.

Coordinates are those that the user names, else what the frames offer: the energy, the distances of
protons in hydrogen bonds, dihedrals that can turn, and the slowest motions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from interpmd.dynamics.observables.coordinates import CoordinateLike, values_of
from interpmd.dynamics.observables.slow import slow_coordinates
from interpmd.errors import InterpmdError
from interpmd.structures.chemistry import shared_protons
from interpmd.views.explorer.choices import dihedrals
from interpmd.views.explorer.state import State

#: Coordinates of each kind that are offered, and frames that say which there are.
MOST, SAMPLED = 4, 50


@dataclass(frozen=True, eq=False)
class FrameMap:
    """Coordinates and properties of all frames, and which of them the map begins with.

    Attributes:
        values: by name, shape (frames,) each.
        units: by name; "" where there is none.
        x, y, colour: names.
    """

    values: dict[str, Float[np.ndarray, " frames"]]
    units: dict[str, str]
    x: str
    y: str
    colour: str

    def to_frame(self) -> pd.DataFrame:
        """A line for each frame, a column for each coordinate."""
        return pd.DataFrame(self.values).rename_axis("frame")

    def to_json(self, frames: Sequence[int] | None = None) -> dict[str, Any]:
        """For the browser; of some frames, or of all."""
        chosen = slice(None) if frames is None else list(frames)
        axes = [
            {
                "name": name,
                "unit": self.units[name],
                "values": [float(f"{value:.6g}") for value in values[chosen]],
            }
            for name, values in self.values.items()
        ]
        return {"axes": axes, "x": self.x, "y": self.y, "colour": self.colour}


def frame_map(state: State, given: Mapping[str, CoordinateLike] | None = None) -> FrameMap:
    """The map of an explorer's frames.

    Args:
        state: with the frames.
        given: coordinates by name, the first two of which the map begins with; see `values_of`.

    Raises:
        ArgumentError, StructureError: a coordinate that does not fit.
    """
    values: dict[str, np.ndarray] = {}
    units: dict[str, str] = {}

    def add(name: str, one: np.ndarray, unit: str) -> None:
        values[name], units[name] = np.asarray(one, dtype=float), unit

    for name, coordinate in (given or {}).items():
        one, _, unit = values_of(state.frames, coordinate)
        add(name, one, unit)
    shown = list(values)
    for name, atoms in _distances(state):
        add(name, values_of(state.frames, atoms)[0], "Å")
    for name, atoms in _dihedrals(state):
        add(name, values_of(state.frames, atoms)[0], "°")
    with contextlib.suppress(InterpmdError):  # too few frames, no coordinates, or no deeptime
        slow = slow_coordinates(state.frames)
        for number, column in enumerate(slow.T, start=1):
            add(f"slow motion {number}", column, "")
    if (energies := _energies(state)) is not None:
        add("energy", energies - energies.min(), "eV")
    add("time" if state.timed else "frame", state.times, "fs" if state.timed else "")
    names = list(values)
    x, y = [*shown, *(name for name in names if name not in shown)][:2]
    colour = "energy" if "energy" in values and "energy" not in (x, y) else names[-1]
    return FrameMap(values, units, x, y, colour)


def _distances(state: State) -> list[tuple[str, tuple[int, int]]]:
    """Both distances of protons in hydrogen bonds, those of the most frequent first."""
    counts: dict[tuple[int, int, int], int] = {}
    for atoms in state.frames[:: -(-len(state) // SAMPLED)]:
        for one in shared_protons(atoms):
            if not any(one.first_shift) and not any(one.second_shift):
                key = (one.first, one.hydrogen, one.second)
                counts[key] = counts.get(key, 0) + 1
    symbols = state.frames[0].get_chemical_symbols()
    found = {}
    for first, proton, second in sorted(counts, key=lambda key: -counts[key])[: MOST // 2]:
        for end in (first, second):
            found[f"{symbols[end]}{end}–{symbols[proton]}{proton}"] = (end, proton)
    return list(found.items())


def _dihedrals(state: State) -> list[tuple[str, tuple[int, ...]]]:
    """Dihedrals that can turn, those that turn most in these frames first."""
    symbols = state.frames[0].get_chemical_symbols()
    spread = []
    for atoms in dihedrals(state.frames[0]):
        angles = np.radians(values_of(state.frames, atoms)[0])
        # one less the length of the mean direction: 0 where nothing turns
        width = 1.0 - float(np.hypot(np.cos(angles).mean(), np.sin(angles).mean()))
        spread.append((width, "–".join(f"{symbols[a]}{a}" for a in atoms), atoms))
    ranked = sorted(spread, key=lambda one: -one[0])[:MOST]
    return [(name, atoms) for _, name, atoms in ranked]


def _energies(state: State) -> Float[np.ndarray, " frames"] | None:
    """Energies in eV: of the model where that is quick, else those that are stored."""
    if state.model.potential is not None:
        return np.asarray(state.model.evaluate(state.frames)[0], dtype=float)
    if not np.isfinite(state.stored_forces()).all():
        return None
    return np.array([a.get_potential_energy(apply_constraint=False) for a in state.frames])
