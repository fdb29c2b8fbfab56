"""Which recipe makes the best general potential? Fits some, judges them by molecules of their own.

``python benchmarks/general.py FOLDER [recipe ...]``: the potentials are written into the folder,
each with its figures, `judged.json`. A GPU is used where there is one. The judges are molecules of
seven and eight heavy atoms (data/small_molecules/choosing.extxyz.gz) that no fit has seen and that
no table of the evidence asks for. RDKit is needed.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.build import minimize_rotation_and_translation
from ase.optimize import BFGS
from results import ROOT

import interpmd as im
from interpmd.errors import StructureError
from interpmd.reference.checks import closest_overlap
from interpmd.shipped.make import fitted
from interpmd.shipped.recipes import NAME_OF_GENERAL, RECIPES
from interpmd.structures.chemistry import bonds

DATA = ROOT / "data" / NAME_OF_GENERAL

#: kcal/mol in eV.
KCAL = 0.0433641

#: What a relaxation may not do: move atoms by this root mean square (Å), fall so far below the
#: reference's minimum (eV).
MOVED, FALLEN = 0.5, 1.0

#: Recipes beside the one in `interpmd.shipped.make`, as what differs from it.
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "shipped": {},
    "longer": {"spec": {"cutoff": 4.5}},
    "five": {"spec": {"cutoff": 4.5, "channels": (200, 136, 136, 48), "lmax": (0, 4, 4, 3)}},
    "large": {"spec": {"cutoff": 4.5, "channels": (400, 320, 380), "weights": 30_000}},
}


def recipe(name: str) -> dict[str, Any]:
    """All of a recipe."""
    base, changed = RECIPES[NAME_OF_GENERAL], OTHERS[name]
    return {**base, **changed, "spec": {**base["spec"], **changed.get("spec", {})}}


def judged(place: Path) -> dict[str, Any]:
    """Errors on other frames of training molecules and on the choosing molecules; holes."""
    potential = im.load(place)
    frames = im.read_frames(DATA / "choosing.extxyz.gz")
    by_subset: dict[str, list[Atoms]] = {}
    for atoms in frames:
        by_subset.setdefault(atoms.info["subset"], []).append(atoms)
    moving = [*by_subset["vibration"], *by_subset["torsion"], *by_subset["conformer"]]
    found: dict[str, Any] = {
        "weights": int(potential.card.provenance["weights"]),
        "ridge": potential.card.provenance["ridge"],
        "training molecules, forces, meV/A": _force_error(
            potential, im.read_frames(DATA / "test.extxyz.gz")
        ),
        "unseen molecules, forces, meV/A": _force_error(potential, moving),
        "conformers, MAE, kcal/mol": _spread_error(potential, by_subset["conformer"]),
        "torsions, MAE, kcal/mol": _spread_error(potential, by_subset["profile"]),
    }
    minima = {}
    for atoms in by_subset["conformer"]:
        minima.setdefault(atoms.info["molecule"], atoms)
    starts = [atoms for atoms in by_subset["start"] if atoms.info["molecule"] in minima]
    kinds, names = {"broken": 0, "moved": 0, "fallen": 0}, []
    for start, end in zip(starts, relaxed(place, starts), strict=True):
        faults = _faults(potential, minima[start.info["molecule"]], end)
        for kind in faults:
            kinds[kind] += 1
        if faults:
            names.append(start.info["molecule"])
    return {**found, "holes": len(names), "of": len(starts), **kinds, "in": names}


def _force_error(potential: im.Potential, frames: Sequence[Atoms]) -> float:
    errors = [(potential.predict(a).forces.numpy() - a.get_forces()).ravel() for a in frames]
    return round(1000 * float(np.sqrt(np.mean(np.concatenate(errors) ** 2))), 1)


def _spread_error(potential: im.Potential, frames: Sequence[Atoms]) -> float:
    """Mean over molecules of the MAE of energies about their mean."""
    energies: dict[str, list[tuple[float, float]]] = {}
    for atoms in frames:
        both = atoms.get_potential_energy(), float(potential.predict(atoms).energy)
        energies.setdefault(atoms.info["molecule"], []).append(both)
    errors = []
    for pairs in energies.values():
        if len(pairs) > 1:
            some = np.array(pairs) - np.mean(pairs, axis=0)
            errors.append(np.abs(some[:, 1] - some[:, 0]).mean() / KCAL)
    return round(float(np.mean(errors)), 3)


def relaxed(place: Path, starts: Sequence[Atoms]) -> list[Atoms]:
    """Where relaxations by the potential of a folder end, in processes of their own."""
    bare = [Atoms(atoms.numbers, atoms.positions) for atoms in starts]
    with ProcessPoolExecutor(
        max(1, min(8, (cpu_count() or 2) // 2)), get_context("spawn"), _take, (place,)
    ) as pool:
        return list(pool.map(_downhill, bare))


_TAKEN: list[im.Potential] = []


def _take(place: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    _TAKEN[:] = [im.load(place)]


def _downhill(atoms: Atoms) -> Atoms:
    atoms.calc = _TAKEN[0].calculator()
    with suppress(StructureError):  # atoms fell onto each other
        BFGS(atoms, logfile=None, maxstep=0.1).run(fmax=0.03, steps=250)
    return Atoms(atoms.numbers, atoms.positions)


def _faults(potential: im.Potential, reference: Atoms, end: Atoms) -> list[str]:
    """Whether bonds broke, atoms moved far, the energy fell far below the reference's minimum."""
    if closest_overlap(end) is not None:
        return ["broken", "moved", "fallen"]
    minimum, there = Atoms(reference.numbers, reference.positions), end.copy()
    minimize_rotation_and_translation(minimum, there)
    moved = np.sqrt(((minimum.positions - there.positions) ** 2).sum(axis=1).mean())
    fallen = float(potential.predict(minimum).energy) - float(potential.predict(end).energy)
    faults = {
        "broken": _bonded(minimum) != _bonded(end),
        "moved": moved > MOVED,
        "fallen": fallen > FALLEN,
    }
    return [kind for kind, wrong in faults.items() if wrong]


def _bonded(atoms: Atoms) -> set[tuple[int, ...]]:
    return {tuple(sorted(pair)) for pair in bonds(atoms).pairs.tolist()}


def main(folder: str, *names: str) -> None:
    for name in names or OTHERS:
        started, place = time.perf_counter(), Path(folder) / name
        if (place / "judged.json").exists():
            continue
        report = fitted(NAME_OF_GENERAL, recipe(name))
        report.potential.save(place)
        took = round(time.perf_counter() - started)
        figures = {"recipe": name, "fit, s": took, **judged(place)}
        (place / "judged.json").write_text(json.dumps(figures, indent=1) + "\n")
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
