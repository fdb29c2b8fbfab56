"""What the browser is told once: atoms, colours, radii, bonds, choices, and how to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors

from interpmd.attribution.methods.registry import METHODS
from interpmd.plots.molecule import corners_of, edges_of, plane_of
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
        **_cells(state.frames),
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
        "models": list(state.others),
    }


def _view(frames: Sequence[Atoms]) -> dict[str, Any]:
    """Middle, half width and height, and axes of the view in which the molecule lies flat."""
    some = frames[:: max(1, len(frames) // 50)]
    places, axes, margin = [atoms.positions for atoms in some], plane_of(frames[0]), 0.7
    centre = frames[0].positions.mean(0)
    if frames[0].pbc.any():
        places += [corners_of(atoms) for atoms in some]
        # images beyond the boundary are seen too
        centre, margin = corners_of(frames[0]).mean(0), 1.6
    turned = (np.concatenate(places) - centre) @ axes.T
    radius = np.abs(turned[:, :2]).max(0) + margin
    return {
        "centre": np.round(centre, 4).tolist(),
        "radius": np.round(radius, 4).tolist(),
        "axes": np.round(axes, 5).tolist(),
    }


def _cells(frames: Sequence[Atoms]) -> dict[str, Any]:
    """The edges of the cell of every frame: ``cells``, the different ones, each of edges (two
    corners in Å, flat; none where nothing is periodic), ``cellVectors`` of each, and ``cellOf``,
    which of them belongs to each frame."""
    sets: dict[bytes, int] = {}
    shown, vectors, of = [], [], []
    for atoms in frames:
        edges, cell = np.round(edges_of(atoms), 4), np.round(np.asarray(atoms.cell), 4)
        key = edges.tobytes() + cell.tobytes()
        if key not in sets:
            sets[key] = len(sets)
            shown.append(edges.ravel().tolist())
            vectors.append(cell.ravel().tolist())
        of.append(sets[key])
    return {"cells": shown, "cellVectors": vectors, "cellOf": of}


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
