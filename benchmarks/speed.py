"""Speed of the shipped potentials beside torch and their own reference methods, in one run:
processor time of one thread."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch
from ase import Atoms
from results import ROOT, record

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.fitting.design import design, design_by_torch
from interpmd.potentials import Potential
from interpmd.potentials.fast import warm_up
from interpmd.potentials.uncertainty import posterior, posterior_by_torch
from interpmd.potentials.watch import FIRST
from interpmd.reference.calculator import as_calculator
from interpmd.structures.edges import neighbours

COMMAND = "python benchmarks/speed.py"


#: Seconds of calls of one kind in a row: the first finds the caches full of something else.
TURN = 0.1


def milliseconds(*functions: Callable[[], object], seconds: float = 6.0) -> list[float]:
    """Median processor time of a call of each, in turns that take all of them as long."""
    times: list[list[float]] = [[] for _ in functions]
    repeats = []
    for function in functions:
        function()
        before = time.perf_counter()
        function()
        repeats.append(max(1, round(TURN / (time.perf_counter() - before))))
    started = time.perf_counter()
    while time.perf_counter() - started < seconds or not times[-1]:
        for function, mine, number in zip(functions, times, repeats, strict=True):
            before = time.process_time()
            for _ in range(number):
                function()
            mine.append((time.process_time() - before) / number)
    return [1e3 * float(np.median(mine)) for mine in times]


def forces_of(calculator, atoms: Atoms) -> Callable[[], None]:
    """A call of a calculator, every time of the other of two structures: it may remember one."""
    moved = atoms.copy()
    moved.rattle(0.01, seed=0)
    places = cycle((moved, atoms.copy()))

    def call() -> None:
        calculator.results = {}
        calculator.calculate(next(places), ["energy", "forces"], ["positions"])

    return call


def water_box(shape: tuple[int, int, int], seed: int = 0) -> Atoms:
    """Water molecules on a full grid at liquid density, turned at random."""
    rng = np.random.default_rng(seed)
    spacing = (29.9) ** (1 / 3)
    monomer = np.array([[0, 0, 0], [0.757, 0.586, 0], [-0.757, 0.586, 0]])
    positions = []
    for place in np.ndindex(shape):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        positions.append(monomer @ turn.T + spacing * np.array(place))
    return Atoms(
        "OHH" * len(positions),
        positions=np.concatenate(positions),
        cell=np.diag(spacing * np.array(shape)),
        pbc=True,
    )


def energies_and_forces(name: str, potential: Potential, atoms: Atoms, xtb: bool) -> dict[str, str]:
    """Torch, float64, float32 and, of molecules, GFN2-xTB."""
    calls = [
        lambda: potential.predict_by_torch(atoms),
        lambda: potential.predict(atoms),
        forces_of(potential.calculator(), atoms),
        forces_of(potential.calculator(precision="float32"), atoms),
    ]
    if xtb:
        calls.append(forces_of(as_calculator("gfn2-xtb"), atoms))
    for _ in range(FIRST):  # the first structures are all graded
        calls[1]()
    slow, fast, step, half, *method = milliseconds(*calls)
    found, expected = potential.predict(atoms), potential.predict_by_torch(atoms)
    energy = float((found.site_energies - expected.site_energies).abs().max())
    force = float((found.forces - expected.forces).abs().max())
    figures = {
        f"{name}: energy and forces": (
            f"{fast:.3g} ms, by torch {slow:.3g} ms; by the calculator {step:.3g} ms, "
            f"in float32 {half:.3g} ms"
        ),
        f"{name}: times faster than torch, float64, float32": (
            f"{slow / fast:.0f}, {slow / half:.0f}"
        ),
        f"{name}: largest deviation from torch": f"{energy:.0e} eV an atom, {force:.0e} eV/Å",
    }
    if method:
        figures[f"{name}: times faster than GFN2-xTB"] = f"{method[0] / step:.1f}"
    else:
        figures[f"{name}: time an atom"] = (
            f"{1e3 * fast / len(atoms):.0f} µs, in float32 {1e3 * half / len(atoms):.0f} µs"
        )
    return figures


def everything_that_waits(name: str, potential: Potential, atoms: Atoms) -> dict[str, str]:
    """Error bars and rows of the fit."""
    batch, term = potential.batch(atoms), potential.terms["expansion"]
    slow, fast = milliseconds(
        lambda: posterior_by_torch(potential, batch), lambda: posterior(potential, batch)
    )
    figures = {f"{name}: error bars of forces, 32 draws": f"{fast:.3g} ms, by torch {slow:.3g} ms"}
    single, half = copy.deepcopy(term).float(), batch.to(dtype=torch.float32)
    pairs = neighbours(batch, term.cutoff)
    with torch.no_grad():
        slow, fast = milliseconds(
            lambda: design_by_torch(single, half, pairs), lambda: design(term, batch, pairs)
        )
    figures[f"{name}: rows of the fit of a frame"] = (
        f"{fast:.3g} ms, by torch in float32 {slow:.3g} ms"
    )
    return figures


def against_dft() -> dict[str, str]:
    potential = im.load("malonaldehyde")
    step, dft = milliseconds(
        forces_of(potential.calculator(), MALONALDEHYDE),
        forces_of(as_calculator("wb97x-d3bj/def2-svp"), MALONALDEHYDE),
        seconds=60.0,
    )
    return {
        "malonaldehyde, 9 atoms: times faster than its own reference method": f"{dft / step:.0f}"
    }


def growth() -> dict[str, str]:
    """With the number of atoms, of periodic water."""
    water = im.load("water")
    boxes = [water_box(shape) for shape in ((4, 4, 4), (5, 5, 5), (7, 7, 7), (9, 9, 9))]
    calls = [lambda box=box: water.predict(box) for box in boxes]
    for _ in range(FIRST):
        calls[0]()
    times = milliseconds(*calls, seconds=10.0)
    sizes = [len(box) for box in boxes]
    return {
        "periodic water: atoms and time of one call": ", ".join(
            f"{atoms}: {t:.0f} ms" for atoms, t in zip(sizes, times, strict=True)
        ),
        "periodic water: growth exponent (1 is linear)": (
            f"{np.polyfit(np.log(sizes), np.log(times), 1)[0]:.2f}"
        ),
    }


def main() -> None:
    torch.set_num_threads(1)
    warm_up()
    dipeptide = im.read_frames(ROOT / "data" / "alanine_dipeptide" / "test.extxyz.gz")[0]
    for name, title, atoms in (
        ("malonaldehyde", "malonaldehyde", MALONALDEHYDE),
        ("alanine_dipeptide", "alanine dipeptide", dipeptide),
    ):
        potential, title = im.load(name), f"{title}, {len(atoms)} atoms"
        record(energies_and_forces(title, potential, atoms, xtb=True), COMMAND)
        record(everything_that_waits(title, potential, atoms), COMMAND)
    potential = im.load("malonaldehyde")
    (table,) = milliseconds(lambda: im.decompose(potential, MALONALDEHYDE, order=4))
    record({"malonaldehyde: table to fourth order with forces": f"{table:.3g} ms"}, COMMAND)
    record(against_dft(), COMMAND)
    water = im.load("water")
    for shape in ((4, 4, 4), (7, 7, 7)):
        box = water_box(shape)
        title = f"periodic water, {len(box)} atoms"
        record(energies_and_forces(title, water, box, xtb=False), COMMAND)
    record(growth(), COMMAND)


if __name__ == "__main__":
    main()
