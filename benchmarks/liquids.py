"""Liquid water and solid copper with the shipped potentials.

python benchmarks/liquids.py [water] [copper] [charges]    all if none is named

`water` reads the tables of runs that `python data/make_liquid_runs.py` makes (an hour and a half);
`copper` runs 1,000 steps of 500 atoms at constant pressure, with the potential and its teacher;
`charges` fits boxes of water with and without electrostatics beyond the cutoff.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from results import ROOT, record

import interpmd as im
from interpmd.potentials import Potential

sys.path.insert(0, str(ROOT / "data"))
from make_water_liquid import SPEC

DATA = ROOT / "data"
RUNS = DATA / "liquid_runs"

#: Of `charges`, in a potential so small that it is fitted in half a minute.
CHARGES = {"charges": {"O": -0.8, "H": 0.4}, "smearing": 1.8}


def water() -> dict[str, str]:
    """Stability, structure and density, from the stored tables."""
    about = json.loads((RUNS / "about.json").read_text())
    nvt, nve, npt = (about[name] for name in ("nvt", "nve", "npt"))
    moves = " and ".join(
        f"{each['proposals']} moves of {length} fs ({100 * each['accepted']:.0f} % accepted)"
        for length, each in about["reference"].items()
    )
    pairs = {
        pair: (
            f"{pair} {found['rms_difference']:.3f} (error {found['rms_error']:.3f}), "
            f"{found['chi2_per_bin']:.2f} (p = {found['by_chance']:.2f}), "
            f"{found['largest']:.1f} errors (p = {found['largest_by_chance']:.2f})"
        )
        for pair, found in about["rdf"].items()
    }
    return {
        "liquid water, NVT at 300 K and 0.997 g/ml": (
            f"{nvt['ps']:g} ps, {nvt['molecules_broken']} of {nvt['frames']} frames with a broken "
            f"molecule, {nvt['temperature_K']:.0f} K"
        ),
        "liquid water, NVE, 0.5 fs, drift": (
            f"{nve['ps']:g} ps, {nve['drift_meV_per_atom_per_ps']:+.4f} meV/atom/ps at "
            f"{nve['temperature_K']:.0f} K, {nve['molecules_broken']} frames with a broken molecule"
        ),
        "liquid water, NPT at 300 K and 1 bar, drift of the density": (
            f"{npt['ps']:g} ps, {npt['molecules_broken']} frames with a broken molecule; in the "
            f"last 50 ps {signed(npt['drift_last_50_ps_percent'])} %, after the first 10 ps "
            f"{signed(npt['drift_settled_percent_in_50_ps'])} % in 50 ps"
        ),
        "liquid water, NPT at 300 K and 1 bar, density, and of GFN1-xTB": (
            f"{value(npt['density'])} g/ml, by its teacher {value(npt['density_reference'])} g/ml "
            f"({npt['labels']} boxes weighted, as many as {npt['effective_labels']:.0f} alike); "
            f"pressure off by {value(npt['pressure_off_GPa'])} GPa"
        ),
        "liquid water: g(r) and that of GFN1-xTB: rms difference, chi² a bin, largest": (
            f"{'; '.join(pairs.values())}; GFN1-xTB by hybrid Monte Carlo, {moves}"
        ),
    }


def value(pair: list[float]) -> str:
    """A value and its error."""
    return f"{pair[0]:.3f} ± {pair[1]:.3f}"


def signed(pair: list[float]) -> str:
    """A value and its error, with a sign."""
    return f"{pair[0]:+.2f} ± {pair[1]:.2f}"


def copper() -> dict[str, str]:
    """Lattice constants at rest, and in 1,000 steps of 500 atoms at 300 K and 1 bar."""
    potential = im.load("copper")
    at_rest = [lattice_constant(c) for c in (potential.calculator(), EMT())]
    hot = []
    for model in (potential, EMT()):
        run = im.simulate(
            model,
            bulk("Cu", cubic=True, a=3.62) * (5, 5, 5),
            "npt",
            temperature=300,
            timestep=4.0,
            steps=1000,
            interval=10,
            friction=0.01,
            barostat_time=200.0,
            compressibility=7e-7,
            seed=0,
            progress=False,
        )
        cells = np.array([atoms.get_volume() for atoms in run[50:]]) ** (1 / 3) / 5
        hot.append(cells.mean())
        if model is potential:
            moved = farthest(run[-1], run[0])
    return {
        "copper: lattice constant at rest, and of its teacher (EMT)": (
            f"{at_rest[0]:.4f} Å, {at_rest[1]:.4f} Å ({deviation(at_rest):+.2f} %)"
        ),
        "copper, 500 atoms, 1,000 steps NPT at 300 K: lattice constant, and of its teacher": (
            f"{hot[0]:.4f} Å, {hot[1]:.4f} Å ({deviation(hot):+.2f} %), "
            f"no atom further than {moved:.1f} Å from its site"
        ),
    }


def deviation(pair: list[float]) -> float:
    """The first less the second, in per cent of the second."""
    return 100 * (pair[0] / pair[1] - 1)


def lattice_constant(calculator: Calculator) -> float:
    """Å, the minimum of a cubic polynomial through energies."""
    constants, energies = np.linspace(3.52, 3.66, 15), []
    for constant in constants:
        atoms = bulk("Cu", cubic=True, a=constant)
        atoms.calc = calculator
        energies.append(atoms.get_potential_energy())
    slope = np.polyder(np.polynomial.Polynomial.fit(constants, energies, 4).convert().coef[::-1])
    roots = np.roots(slope)
    return float(next(r.real for r in roots if abs(r.imag) < 1e-9 and 3.52 < r.real < 3.66))


def farthest(atoms: Atoms, sites: Atoms) -> float:
    """Largest distance of an atom from its site in Å, cells scaled to each other."""
    moved = atoms.get_scaled_positions(wrap=False) - sites.get_scaled_positions(wrap=False)
    moved -= moved.mean(0)
    return float(np.linalg.norm((moved - np.round(moved)) @ atoms.cell.array, axis=1).max())


def charges() -> dict[str, str]:
    """Boxes of water fitted with and without smeared charges, and what they cost."""
    folder, errors = DATA / "water_liquid", {}
    boxes = [a for a in im.read_frames(folder / "test.extxyz.gz") if a.pbc.all()]
    for name, more in (("without", {}), ("with", {"long_range": CHARGES})):
        spec = SPEC | {"terms": SPEC["terms"] | more}
        train = folder / "train.extxyz.gz"
        report = im.fit(
            train, test=boxes, spec=spec, ridge=1e-6, outliers="leave out", progress=False
        )
        errors[name] = report.evaluations["test"].summary()
    shipped, box = im.load("water_liquid"), boxes[0].copy()
    bare = Potential({n: t for n, t in shipped.terms.items() if n != "long_range"})
    slow = Potential([shipped.terms["long_range"]])
    times = [time_of(lambda p=potential: p.predict(box)) for potential in (bare, shipped)] + [
        time_of(lambda: slow.predict_by_torch(box))
    ]
    return {
        "liquid water: RMSE of boxes without and with charges, small potential": (
            "; ".join(
                f"{e['energy_rmse_meV']:.0f} meV, {e['force_rmse_meV/A']:.1f} meV/Å, "
                f"{e['stress_rmse_meV/A^3']:.2f} meV/Å³"
                for e in errors.values()
            )
        ),
        "liquid water, 96 atoms: one call without and with charges": (
            f"{times[0]:.2f} ms, {times[1]:.2f} ms (the charges by torch-pme alone: "
            f"{times[2]:.1f} ms)"
        ),
    }


def time_of(call) -> float:
    """Processor time of a call in ms, the shortest of 20."""
    call()
    found = []
    for _ in range(20):
        began = time.process_time()
        call()
        found.append(time.process_time() - began)
    return 1e3 * min(found)


STAGES = {"water": water, "copper": copper, "charges": charges}

if __name__ == "__main__":
    for stage in sys.argv[1:] or STAGES:
        record(STAGES[stage](), f"python benchmarks/liquids.py {stage}")
