"""Speed of the shipped potentials, one thread, beside their own reference methods."""

from __future__ import annotations

import time

import numpy as np
import torch
from ase import Atoms
from results import record

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.reference.calculator import as_calculator

COMMAND = "python benchmarks/speed.py"


def milliseconds(function, repeats: int) -> float:
    """Median time of a call."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


def forces_of(calculator, atoms: Atoms):
    def call():
        calculator.results = {}
        calculator.calculate(atoms, ["energy", "forces"], ["positions"])

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


def main() -> None:
    torch.set_num_threads(1)
    potential = im.load("malonaldehyde")
    eager = milliseconds(lambda: potential.predict_by_torch(MALONALDEHYDE), 100)
    compiled = milliseconds(forces_of(potential.calculator(), MALONALDEHYDE), 300)
    rows = milliseconds(lambda: decompose(potential, MALONALDEHYDE, order=4), 10)
    figures = {
        "malonaldehyde (9 atoms): energy and forces, torch": f"{eager:.1f} ms",
        "malonaldehyde: energy and forces, generated code": f"{compiled:.3f} ms",
        "malonaldehyde: table to fourth order with forces": f"{rows:.0f} ms",
    }
    for method in ("gfn2-xtb", "wb97x-d3bj/def2-svp"):
        repeats = 20 if method == "gfn2-xtb" else 2
        reference = milliseconds(forces_of(as_calculator(method), MALONALDEHYDE), repeats)
        figures[f"malonaldehyde: speed over that of {method} (1 is equal), same run"] = (
            f"{reference / eager:.3g} by torch, {reference / compiled:.3g} by generated code"
        )
    water = im.load("water")
    times = {}
    for shape in ((4, 4, 4), (5, 5, 5), (7, 7, 7), (9, 9, 8)):
        box = water_box(shape)
        times[len(box)] = milliseconds(lambda box=box: water.predict(box), 2)
    figures["periodic water: atoms and time of one call"] = ", ".join(
        f"{atoms}: {t / 1e3:.2f} s" for atoms, t in times.items()
    )
    sizes, values = np.log(list(times)), np.log(list(times.values()))
    figures["periodic water: growth exponent (1 is linear)"] = (
        f"{np.polyfit(sizes, values, 1)[0]:.2f}"
    )
    record(figures, COMMAND)


if __name__ == "__main__":
    main()
