"""Generated code beside torch and GFN2-xTB, in one run: processor time of one thread."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import read
from results import record
from speed import forces_of, water_box

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.design import design, design_by_torch
from interpmd.potentials import Potential
from interpmd.potentials.fast import warm_up
from interpmd.potentials.uncertainty import uncertainty, uncertainty_by_torch
from interpmd.reference.calculator import as_calculator
from interpmd.structures.edges import neighbours

COMMAND = "python benchmarks/fast.py"

DATA = Path(__file__).parents[1] / "data"


def milliseconds(*functions: Callable[[], object], seconds: float = 3.0) -> list[float]:
    """Median processor time of a call of each, taken in turns."""
    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        function()
    started = time.perf_counter()
    while time.perf_counter() - started < seconds or not times[0]:
        for function, mine in zip(functions, times, strict=True):
            # quick calls several at a time: the first finds the caches full of something else
            repeats = 1 if mine and mine[-1] > 0.02 else 20
            before = time.process_time()
            for _ in range(repeats):
                function()
            mine.append((time.process_time() - before) / repeats)
    return [1e3 * float(np.median(mine)) for mine in times]


def energies_and_forces(name: str, potential: Potential, atoms: Atoms, xtb: bool) -> dict:
    """Torch, float64, float32 and, of molecules, GFN2-xTB."""
    double, single = potential.calculator(), potential.calculator(precision="float32")
    calls = [
        lambda: potential.predict_by_torch(atoms),
        lambda: potential.predict(atoms),
        forces_of(double, atoms),
        forces_of(single, atoms),
    ]
    if xtb:
        calls.append(forces_of(as_calculator("gfn2-xtb"), atoms))
    slow, fast, step, half, *method = milliseconds(*calls)
    found, expected = potential.predict(atoms), potential.predict_by_torch(atoms)
    energy = float((found.site_energies - expected.site_energies).abs().max())
    force = float((found.forces - expected.forces).abs().max())
    figures = {
        f"{name}: energy and forces": f"{fast:.3g} ms, torch {slow:.3g}; by a "
        f"calculator {step:.3g}, in float32 {half:.3g}",
        f"{name}: times faster than torch, float64 and float32": (
            f"{slow / fast:.0f} and {slow / half:.0f}"
        ),
        f"{name}: largest deviation from torch": f"{energy:.0e} eV, {force:.0e} eV/A",
    }
    if method:
        figures[f"{name}: times faster than GFN2-xTB"] = f"{method[0] / step:.1f}"
    else:
        figures[f"{name}: time an atom"] = (
            f"{1e3 * fast / len(atoms):.0f} us, float32 {1e3 * half / len(atoms):.0f}"
        )
    return figures


def everything_that_waits(name: str, potential: Potential, atoms: Atoms) -> dict:
    """Error bars and rows of the fit."""
    batch, term = potential.batch(atoms), potential.terms["expansion"]
    slow, fast = milliseconds(
        lambda: uncertainty_by_torch(potential, batch), lambda: uncertainty(potential, batch)
    )
    figures = {
        f"{name}: error bars of forces, 32 draws": f"{fast:.3g} ms, torch {slow:.3g}",
    }
    single, half = copy.deepcopy(term).float(), batch.to(dtype=torch.float32)
    pairs = neighbours(batch, term.cutoff)
    with torch.no_grad():
        slow, fast = milliseconds(
            lambda: design_by_torch(single, half, pairs), lambda: design(term, batch, pairs)
        )
    figures[f"{name}: rows of the fit of a frame"] = f"{fast:.3g} ms, torch in float32 {slow:.3g}"
    return figures


def main() -> None:
    torch.set_num_threads(1)
    warm_up()
    dipeptide = read(DATA / "alanine_dipeptide/test.extxyz.gz", "0")
    for name, atoms in (("malonaldehyde", MALONALDEHYDE), ("alanine_dipeptide", dipeptide)):
        potential, title = im.load(name), f"{name}, {len(atoms)} atoms"
        record(energies_and_forces(title, potential, atoms, xtb=True), COMMAND)
        record(everything_that_waits(title, potential, atoms), COMMAND)
    potential = im.load("malonaldehyde")
    (table,) = milliseconds(lambda: im.decompose(potential, MALONALDEHYDE, order=4))
    record({"malonaldehyde: table to fourth order with forces": f"{table:.3g} ms"}, COMMAND)
    water, times = im.load("water"), {}
    for shape in ((4, 4, 4), (7, 7, 7)):
        box = water_box(shape)
        title = f"periodic water, {len(box)} atoms"
        record(energies_and_forces(title, water, box, xtb=False), COMMAND)
    for shape in ((4, 4, 4), (5, 5, 5), (7, 7, 7), (9, 9, 9)):
        box = water_box(shape)
        (times[len(box)],) = milliseconds(lambda box=box: water.predict(box))
    exponent = np.polyfit(np.log(list(times)), np.log(list(times.values())), 1)[0]
    record({"periodic water: growth exponent (1 is linear)": f"{exponent:.2f}"}, COMMAND)


if __name__ == "__main__":
    main()
