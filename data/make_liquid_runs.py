"""Runs of liquid water with the shipped potential, and of its reference, as small tables.

    python data/make_liquid_runs.py [nvt] [nve] [npt] [reference] [tables]

All stages if none is named. Each goes on where it was stopped (scratch/liquid_runs); an hour of one
core in all. The tables of data/liquid_runs are what notebook 10 and `benchmarks/liquids.py` read.

The reference's own ensemble at the density of the run comes from hybrid Monte Carlo: dynamics with
the potential proposes a box, which the energies by the reference accept or refuse, so that what the
potential gets wrong does not matter, but for the share of boxes that are refused (Duane et al.,
Phys. Lett. B 195, 216 (1987); Nagai et al., Phys. Rev. B 102, 041124 (2020)). One box is labelled
for each proposal, where dynamics by the reference itself would need a label for each step.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.io import read
from ase.io import write as write_frames
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.md.verlet import VelocityVerlet
from common import DATA, SCRATCH
from make_water_liquid import LEVEL, edge, stretched, whole

import interpmd as im

PLACE, TABLES = SCRATCH / "liquid_runs", DATA / "liquid_runs"
POTENTIAL = "water_liquid"
SEED = 2035
DENSITY, TEMPERATURE = 0.997, 300.0  # g/ml, K

#: Lengths of the runs (ps).
NVT, NVE, NPT = 100, 50, 5

#: Proposals of the hybrid Monte Carlo run, and how long each is.
PROPOSALS, SEGMENT, SEGMENT_STEP = 120, 150, 1.0  # steps, fs

#: Frames at the beginning of runs that are left out.
EQUILIBRATION = 10

PAIRS = ("O-O", "O-H", "H-H")

#: Bins of the radial distribution functions (A).
BINS, REACH = 98, 4.9


def start() -> Atoms:
    """A box at 300 K and the experimental density, 2 ps after one of the training data."""
    boxes = [a for a in im.read_frames(DATA / "water_liquid" / "train.extxyz.gz") if a.pbc.all()]
    liquid = [a for a in boxes if a.info["subset"] != "classical"]
    atoms = min(liquid, key=lambda a: abs(density(a) - DENSITY)).copy()
    stretched(atoms, edge(DENSITY))
    run = im.simulate(
        im.load(POTENTIAL),
        atoms,
        "nvt",
        temperature=TEMPERATURE,
        timestep=0.5,
        steps=4_000,
        interval=1_000,
        friction=0.02,
        engine="openmm",
        seed=SEED,
        out=PLACE / "start.traj",
        progress=False,
    )
    return run[-1]


def nvt() -> im.Trajectory:
    """At constant temperature."""
    return im.simulate(
        im.load(POTENTIAL),
        start(),
        "nvt",
        temperature=TEMPERATURE,
        timestep=1.0,
        steps=1_000 * NVT,
        interval=100,
        friction=0.002,
        engine="openmm",
        precision="float32",
        seed=SEED,
        out=PLACE / "nvt.traj",
        progress=False,
    )


def nve() -> im.Trajectory:
    """At constant energy."""
    return im.simulate(
        im.load(POTENTIAL),
        start(),
        "nve",
        timestep=0.5,
        steps=2_000 * NVE,
        interval=200,
        engine="openmm",
        seed=SEED,
        out=PLACE / "nve.traj",
        progress=False,
    )


def npt() -> im.Trajectory:
    """At 1 bar, where GFN1-xTB contracts, and leaves the densities of the training data."""
    return im.simulate(
        im.load(POTENTIAL),
        start(),
        "npt",
        temperature=TEMPERATURE,
        timestep=1.0,
        steps=1_000 * NPT,
        interval=50,
        friction=0.005,
        engine="openmm",
        precision="float32",
        seed=SEED,
        out=PLACE / "npt.traj",
        progress=False,
    )


def stored(name: str) -> im.Trajectory:
    """A run as far as it has come."""
    frames = read(PLACE / f"{name}.traj", ":")
    return im.Trajectory(frames, np.array([a.info["interpmd"]["time_fs"] for a in frames]), {})


def reference() -> list[Atoms]:
    """States of the hybrid Monte Carlo run, one after each proposal."""
    path, potential = PLACE / "reference.extxyz", im.load(POTENTIAL)
    calculator = potential.calculator()
    states = read(path, ":") if path.exists() else []
    if not states:
        first = start()
        states = [_state(first, _energy(first), True)]
        write_frames(path, states, format="extxyz")
    while len(states) <= PROPOSALS:
        rng = np.random.default_rng([SEED, len(states)])
        now = states[-1]
        moving = Atoms(now.numbers, now.positions, cell=now.cell, pbc=True)
        moving.calc = calculator
        MaxwellBoltzmannDistribution(moving, temperature_K=TEMPERATURE, rng=rng)
        before = now.info["reference"] + moving.get_kinetic_energy()
        VelocityVerlet(moving, SEGMENT_STEP * units.fs).run(SEGMENT)
        energy = _energy(moving)
        change = energy + moving.get_kinetic_energy() - before
        accepted = bool(rng.random() < np.exp(min(0.0, -change / (units.kB * TEMPERATURE))))
        state = _state(moving, energy, True) if accepted else _state(now, before, False)
        if not accepted:
            state.info["reference"] = now.info["reference"]
        states.append(state)
        write_frames(path, state, format="extxyz", append=True)
    return states


def _energy(atoms: Atoms) -> float:
    bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    [found] = im.label([bare], LEVEL, progress=False)
    return found.get_potential_energy()


def _state(atoms: Atoms, energy: float, accepted: bool) -> Atoms:
    state = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    state.info = {"reference": energy, "accepted": accepted}
    return state


def pressures(frames: list[Atoms], every: int = 12) -> pd.DataFrame:
    """Density (g/ml) of some frames and their pressure (GPa) by the potential and by its teacher,
    with that of the motion at 300 K."""
    bare = [Atoms(a.numbers, a.positions, cell=a.cell, pbc=True) for a in frames[::every]]
    labels = im.label(bare, LEVEL, out=PLACE / "npt-labels.extxyz", progress=False)
    potential, rows = im.load(POTENTIAL), []
    for atoms in labels:
        ideal = len(atoms) * units.kB * TEMPERATURE / atoms.get_volume()
        by_potential = potential.predict(atoms, stress=True).stress
        assert by_potential is not None, "it was asked for"
        rows.append(
            {
                "density": density(atoms),
                "reference": (ideal - atoms.get_stress()[:3].mean()) / units.GPa,
                "potential": (ideal - float(by_potential[0].trace()) / 3) / units.GPa,
            }
        )
    return pd.DataFrame(rows)


def density(atoms: Atoms) -> float:
    """g/ml."""
    return float(atoms.get_masses().sum() / units.mol / atoms.get_volume() * 1e24)


def tables() -> None:
    """Write the tables of what is there; runs may be on their way."""
    TABLES.mkdir(exist_ok=True)
    about = json.loads(path.read_text()) if (path := TABLES / "about.json").exists() else {}
    run, chain = list(stored("nvt"))[EQUILIBRATION:], read(PLACE / "reference.extxyz", ":")[1:]
    columns: dict[str, np.ndarray] = {}
    for name, frames in (("potential", run), ("reference", chain[EQUILIBRATION:])):
        found = im.radial_distribution(frames, PAIRS, bins=BINS, longest=REACH)
        columns["r"] = found.distances
        for pair in found.values:
            columns[f"{pair} {name}"] = found.values[pair]
            columns[f"{pair} {name} error"] = found.stds[pair]
    pd.DataFrame(columns).round(4).to_csv(TABLES / "rdf.csv", index=False)
    about["nvt"] = {
        "ps": round(float(stored("nvt").times[-1]) / 1000, 1),
        "frames": len(run),
        "temperature_K": round(float(np.mean([a.get_temperature() for a in run])), 1),
        "molecules_broken": sum(not whole(a) for a in run),
    }
    about["reference"] = {
        "proposals": len(chain),
        "accepted": round(float(np.mean([a.info["accepted"] for a in chain])), 3),
    }
    constant = stored("nve")
    about["nve"] = {
        "ps": round(float(constant.times[-1]) / 1000, 1),
        "drift_meV_per_atom_per_ps": round(constant.drift(), 5),
        "temperature_K": round(float(constant.temperatures.mean()), 1),
        "molecules_broken": sum(not whole(a) for a in constant),
    }
    pressed = stored("npt")
    pd.DataFrame(
        {
            "ps": np.round(np.asarray(pressed.times) / 1000, 3),
            "density": np.round([density(a) for a in pressed], 4),
        }
    ).to_csv(TABLES / "npt.csv", index=False)
    pressures(list(pressed)).round(3).to_csv(TABLES / "pressures.csv", index=False)
    about["npt"] = {"molecules_broken": sum(not whole(a) for a in pressed)}
    path.write_text(json.dumps(about, indent=1) + "\n")
    some = run[:: max(1, len(run) // 12)]
    kept = [Atoms(a.numbers, a.positions.round(3), cell=a.cell, pbc=True) for a in some]
    write_frames(TABLES / "nvt.extxyz", kept, format="extxyz")
    print(path.read_text())


STAGES = {"nvt": nvt, "nve": nve, "npt": npt, "reference": reference, "tables": tables}

if __name__ == "__main__":
    PLACE.mkdir(parents=True, exist_ok=True)
    for stage in sys.argv[1:] or STAGES:
        STAGES[stage]()
        print(stage, "is done", flush=True)
