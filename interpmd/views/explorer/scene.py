"""What the browser is told once: atoms, colours, radii, bonds, choices, and how to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors

from interpmd.attribution.methods.registry import METHODS
from interpmd.plots.molecule import plane_of
from interpmd.structures.chemistry import bonds
from interpmd.views.explorer.choices import dihedrals
from interpmd.views.explorer.questions import GROUPINGS, TARGETS
from interpmd.views.explorer.state import State


def scene_of(state: State) -> dict[str, Any]:
    """The scene of an explorer's frames, ready for JSON."""
    first = state.frames[0]
    potential = state.model.potential is not None
    return {
        **_view(state.frames),
        "arrowScale": _arrow_scale(state),
        "targets": [list(item) for item in TARGETS.items()],
        "groupings": [list(item) for item in GROUPINGS.items()],
        "names": [f"{s}{i}" for i, s in enumerate(first.symbols)],
        "colours": np.round(jmol_colors[first.numbers], 3).tolist(),
        "radii": np.round(0.16 + 0.2 * covalent_radii[first.numbers], 3).tolist(),
        **_bonds(state.frames),
        "times": np.round(state.times, 6).tolist(),
        "timed": state.timed,
        "dihedrals": [list(d) for d in dihedrals(first)],
        "methods": [
            {
                "name": name,
                "computes": m.computes,
                "guarantees": ", ".join(m.guarantees),
                "gauges": m.gauges,
            }
            for name, m in METHODS.items()
            if potential or m.models == "any"
        ],
        "gauges": state.gauges.offered(),
        "suited": state.gauges.suited(),
        "model": state.model.name,
    }


def _view(frames: Sequence[Atoms]) -> dict[str, Any]:
    """Middle, half width and height, and axes of the view in which the molecule lies flat."""
    centre, axes = frames[0].positions.mean(0), plane_of(frames[0])
    some = frames[:: max(1, len(frames) // 50)]
    turned = np.concatenate([atoms.positions - centre for atoms in some]) @ axes.T
    radius = np.abs(turned[:, :2]).max(0) + 0.7
    return {
        "centre": np.round(centre, 4).tolist(),
        "radius": np.round(radius, 4).tolist(),
        "axes": np.round(axes, 5).tolist(),
    }


def _bonds(frames: Sequence[Atoms]) -> dict[str, Any]:
    """The bonds of every frame, for the browser, which has no rule for them.

    ``bonds``: the different sets, each of ``pairs`` (i, j, i, j, ...) and ``across``, for each
    pair the way in Å from where j stands to the image that i is bonded to, empty where no bond
    crosses a periodic boundary. ``bondsOf``: which of the sets belongs to each frame.
    """
    sets: dict[tuple[bytes, bytes], int] = {}
    shown, of = [], []
    for atoms in frames:
        known = bonds(atoms)
        across = np.round(known.shifts @ np.asarray(atoms.cell), 4)
        key = (known.pairs.tobytes(), across.tobytes())
        if key not in sets:
            sets[key] = len(sets)
            crossing = across.ravel().tolist() if known.shifts.any() else []
            shown.append({"pairs": known.pairs.ravel().tolist(), "across": crossing})
        of.append(sets[key])
    return {"bonds": shown, "bondsOf": of}


def _arrow_scale(state: State) -> float:
    """Length in Å of an arrow for 1 eV/Å, such that a strong force is about 1 Å long."""
    forces = state.stored_forces()
    if not np.isfinite(forces).any():
        forces = np.array(state.model.evaluate([state.frames[0]])[1])
    strong = float(np.nanquantile(np.linalg.norm(forces, axis=-1), 0.9))
    if strong < 1e-6:
        return 1.0
    power = 10.0 ** np.floor(np.log10(1 / strong))
    return float(max(s * power for s in (1, 2, 5) if s * power <= 1 / strong))
