"""Runs of liquid water with the shipped potential, and of its reference, as small tables.

    python data/make_liquid_runs.py [nvt] [nve] [npt] [reference] [labels] [tables]

All stages if none is named. Each goes on where it was stopped (scratch/liquid_runs); an hour and a
half of one core in all. The tables of data/liquid_runs are what notebook 10 and
`benchmarks/liquids.py` read.

The reference's own ensemble at the density of the run comes from hybrid Monte Carlo: dynamics with
the potential proposes a box, which the energies by the reference accept or refuse, so that what the
potential gets wrong does not matter, but for the share of boxes that are refused (Duane et al.,
Phys. Lett. B 195, 216 (1987); Nagai et al., Phys. Rev. B 102, 041124 (2020)). One box is labelled
for each proposal, where dynamics by the reference itself would need a label for each step.

At constant pressure boxes of the run are labelled, and weighted by exp(-(E_reference -
E_potential)/kT): their weighted mean is that of the reference's own ensemble at this pressure.
"""

from __future__ import annotations

import json
import sys
from functools import partial

import numpy as np
import pandas as pd
from ase import Atoms, units
from ase.io import read
from ase.io import write as write_frames
from ase.md.verlet import VelocityVerlet
from common import DATA, SCRATCH
from make_water_liquid import LEVEL, edge, stretched, whole

import interpmd as im
from interpmd.structures.motion import set_thermal_momenta, temperature_of

PLACE, TABLES = SCRATCH / "liquid_runs", DATA / "liquid_runs"
POTENTIAL = "water_liquid"
SEED = 2035
DENSITY, TEMPERATURE = 0.997, 300.0  # g/ml, K

#: The runs: ensemble, steps and interval of frames, and what else is not as usual.
RUNS = {
    "start": {
        "ensemble": "nvt",
        "steps": 4_000,
        "interval": 1_000,
        "timestep": 0.5,
        "friction": 0.02,
    },
    "nvt": {
        "ensemble": "nvt",
        "steps": 100_000,
        "interval": 100,
        "timestep": 1.0,
        "friction": 0.002,
        "precision": "float32",
    },
    "nve": {"ensemble": "nve", "steps": 100_000, "interval": 200, "timestep": 0.5},
    "npt": {
        "ensemble": "npt",
        "steps": 200_000,
        "interval": 50,
        "timestep": 1.0,
        "friction": 0.005,
        "precision": "float32",
    },
}

#: Proposals of the hybrid Monte Carlo runs, by their lengths in steps of 1 fs.
CHAINS = {150: 120, 500: 83}

#: Frames at the beginning of runs that are left out; ps of that at constant pressure, after which
#: each so many-th frame is labelled; ps of the blocks for its errors, and of its last part.
EQUILIBRATION = 10
SETTLED, LABELLED, BLOCK, LAST = 10.0, 10, 5.0, 50.0

#: Pairs of elements, and beyond which distance (A) they are of two molecules.
NEAREST = {"O-O": 2.3, "O-H": 1.4, "H-H": 1.9}

#: Bins of the radial distribution functions (A).
BINS, REACH = 98, 4.9


def run(name: str) -> im.Trajectory:
    """One of `RUNS`; all but "start" begin where that ends."""
    return im.simulate(
        im.load(POTENTIAL),
        chosen() if name == "start" else run("start")[-1],
        temperature=TEMPERATURE,
        engine="openmm",
        seed=SEED,
        out=PLACE / f"{name}.traj",
        progress=False,
        **RUNS[name],
    )


def chosen() -> Atoms:
    """A box of the training data, stretched to the experimental density."""
    boxes = [a for a in im.read_frames(DATA / "water_liquid" / "train.extxyz.gz") if a.pbc.all()]
    liquid = [a for a in boxes if a.info["subset"] != "classical"]
    atoms = min(liquid, key=lambda a: abs(density(a) - DENSITY)).copy()
    stretched(atoms, edge(DENSITY))
    return atoms


def stored(name: str) -> im.Trajectory:
    """A run as far as it has come."""
    frames = read(PLACE / f"{name}.traj", ":")
    return im.Trajectory(frames, np.array([a.info["interpmd"]["time_fs"] for a in frames]), {})


def reference() -> None:
    """The hybrid Monte Carlo runs."""
    for length in CHAINS:
        chain(length)


def chain(length: int) -> list[Atoms]:
    """States of the hybrid Monte Carlo run with proposals of some length, one after each."""
    path, potential = PLACE / f"reference-{length}.extxyz", im.load(POTENTIAL)
    calculator = potential.calculator()
    states = read(path, ":") if path.exists() else []
    if not states:
        first = run("start")[-1]
        states = [_state(first, _energy(first), True)]
        write_frames(path, states, format="extxyz")
    while len(states) <= CHAINS[length]:
        rng = np.random.default_rng([SEED, len(states)])
        now = states[-1]
        moving = Atoms(now.numbers, now.positions, cell=now.cell, pbc=True)
        moving.calc = calculator
        set_thermal_momenta(moving, TEMPERATURE, rng)
        before = now.info["reference"] + moving.get_kinetic_energy()
        VelocityVerlet(moving, units.fs).run(length)
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


def labels() -> list[Atoms]:
    """Labels of boxes of the run at constant pressure."""
    pressed = stored("npt")
    first = int(np.searchsorted(pressed.times, 1000 * SETTLED))
    bare = []
    for time, frame in list(zip(pressed.times, pressed, strict=True))[first::LABELLED]:
        bare.append(Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True))
        bare[-1].info["ps"] = float(time) / 1000
    return im.label(bare, LEVEL, out=PLACE / "npt-labels.extxyz", workers=1, progress=False)


def pressures(labelled: list[Atoms]) -> pd.DataFrame:
    """Time (ps), density (g/ml), pressure (GPa) by the potential and by its teacher, with that of
    the motion at 300 K, and the weight in the teacher's ensemble."""
    potential, thermal, rows, gaps = im.load(POTENTIAL), units.kB * TEMPERATURE, [], []
    for atoms in labelled:
        ideal = len(atoms) * thermal / atoms.get_volume()
        found = potential.predict(atoms, stress=True)
        assert found.stress is not None, "it was asked for"
        gaps.append((atoms.get_potential_energy() - float(found.energy[0])) / thermal)
        rows.append(
            {
                "ps": atoms.info["ps"],
                "density": density(atoms),
                "reference": (ideal - atoms.get_stress()[:3].mean()) / units.GPa,
                "potential": (ideal - float(found.stress[0].trace()) / 3) / units.GPa,
            }
        )
    weights = np.exp(min(gaps) - np.array(gaps))
    return pd.DataFrame(rows).assign(weight=weights / weights.sum())


def settled(times: np.ndarray, densities: np.ndarray, table: pd.DataFrame) -> dict[str, object]:
    """Mean density at constant pressure and its drift, by the potential; mean by its teacher.

    Errors are those of blocks of 5 ps, which are longer than the memory of the density (0.3 ps).
    """
    kept = times > SETTLED
    blocks = ((times[kept] - SETTLED - 1e-6) // BLOCK).astype(int)
    means = np.array([densities[kept][blocks == block].mean() for block in np.unique(blocks)])
    spread, places = means.std(ddof=1), BLOCK * np.arange(len(means))

    def drift(last: int) -> list[float]:
        """Per cent in 50 ps, and its error."""
        here = places[-last:] - places[-last:].mean()
        scale = 100 * LAST / means.mean() / (here**2).sum()
        return [float(scale * here @ means[-last:]), float(scale * spread * np.sqrt(here @ here))]

    weights, of_boxes = table.weight.to_numpy(), table.density.to_numpy()
    parts = ((table.ps.to_numpy() - SETTLED - 1e-6) // BLOCK).astype(int)
    without = [np.average(of_boxes[parts != p], weights=weights[parts != p]) for p in set(parts)]
    gap = (table.potential - table.reference).groupby(parts).mean()
    return {
        "ps": round(float(times[-1]), 1),
        "density": [float(means.mean()), float(spread / np.sqrt(len(means)))],
        "fluctuation": float(densities[kept].std()),
        "drift_last_50_ps_percent": drift(round(LAST / BLOCK)),
        "drift_settled_percent_in_50_ps": drift(len(means)),
        "labels": len(table),
        "density_reference": [
            float(np.average(of_boxes, weights=weights)),
            float(np.std(without) * np.sqrt(len(without) - 1)),
        ],
        "effective_labels": float(1 / (weights**2).sum()),
        "pressure_off_GPa": [float(gap.mean()), float(gap.std() / np.sqrt(len(gap)))],
    }


def alike(one: list[Atoms], other: list[Atoms], draws: int = 4000) -> dict[str, dict[str, float]]:
    """Whether radial distribution functions of two runs are the same within their errors.

    For each pair, beyond a molecule's own distances: mean over bins of the squared difference over
    its squared error (1 where only errors differ), the largest difference in errors, and how often
    blocks drawn anew at random around their own means differ as much in either: neighbouring bins
    share their errors, so that neither has a distribution of the textbooks.
    """
    rng, found = np.random.default_rng(SEED), {}
    for pair, nearest in NEAREST.items():
        sides = [blocks_of(frames, pair) for frames in (one, other)]
        seen = im.radial_distribution(one[:1], [pair], bins=BINS, longest=REACH).distances > nearest
        sides = [side[:, seen] for side in sides]
        gap = sides[0].mean(0) - sides[1].mean(0)
        bar = np.sqrt(sum(side.var(0, ddof=1) / len(side) for side in sides))
        ratio, drawn = np.abs(gap / bar)[bar > 0], []
        for _ in range(draws):
            again = [side[rng.integers(len(side), size=len(side))] for side in sides]
            shift = again[0].mean(0) - again[1].mean(0) - gap
            width = np.sqrt(sum(side.var(0, ddof=1) / len(side) for side in again))
            part = np.abs(shift / np.where(width > 0, width, np.inf))[bar > 0]
            drawn.append(((part**2).mean(), part.max()))
        by_chance = np.array(drawn) >= [(ratio**2).mean(), ratio.max()]
        found[pair] = {
            "rms_difference": round(float(np.sqrt((gap**2).mean())), 3),
            "rms_error": round(float(np.sqrt((bar**2).mean())), 3),
            "chi2_per_bin": round(float((ratio**2).mean()), 2),
            "by_chance": round(float(by_chance[:, 0].mean()), 2),
            "largest": round(float(ratio.max()), 1),
            "largest_by_chance": round(float(by_chance[:, 1].mean()), 2),
        }
    return found


def blocks_of(frames: list[Atoms], pair: str) -> np.ndarray:
    """g(r) of ten parts of a run, shape (parts, bins)."""
    parts = np.array_split(np.arange(len(frames)), 10)
    return np.array(
        [
            im.radial_distribution(
                [frames[k] for k in part], [pair], bins=BINS, longest=REACH
            ).values[pair]
            for part in parts
        ]
    )


def density(atoms: Atoms) -> float:
    """g/ml."""
    return float(atoms.get_masses().sum() / units.mol / atoms.get_volume() * 1e24)


def tables() -> None:
    """Write the tables of what is there; runs may be on their way."""
    TABLES.mkdir(exist_ok=True)
    about = json.loads(path.read_text()) if (path := TABLES / "about.json").exists() else {}
    liquid = list(stored("nvt"))[EQUILIBRATION:]
    chains = {length: read(PLACE / f"reference-{length}.extxyz", ":")[1:] for length in CHAINS}
    states = [state for each in chains.values() for state in each[EQUILIBRATION:]]
    columns: dict[str, np.ndarray] = {}
    for name, frames in (("potential", liquid), ("reference", states)):
        found = im.radial_distribution(frames, list(NEAREST), bins=BINS, longest=REACH)
        columns["r"] = found.distances
        for pair in found.values:
            columns[f"{pair} {name}"] = found.values[pair]
            columns[f"{pair} {name} error"] = found.stds[pair]
    pd.DataFrame(columns).round(4).to_csv(TABLES / "rdf.csv", index=False)
    about["nvt"] = {
        "ps": round(float(stored("nvt").times[-1]) / 1000, 1),
        "frames": len(liquid),
        "temperature_K": round(float(np.mean([temperature_of(a) for a in liquid])), 1),
        "molecules_broken": sum(not whole(a) for a in liquid),
    }
    about["reference"] = {
        str(length): {
            "proposals": len(each),
            "accepted": round(float(np.mean([a.info["accepted"] for a in each])), 3),
        }
        for length, each in chains.items()
    }
    about["rdf"] = alike(liquid, states)
    constant = stored("nve")
    about["nve"] = {
        "ps": round(float(constant.times[-1]) / 1000, 1),
        "drift_meV_per_atom_per_ps": round(constant.drift(), 5),
        "temperature_K": round(float(constant.temperatures.mean()), 1),
        "molecules_broken": sum(not whole(a) for a in constant),
    }
    pressed = stored("npt")
    times, densities = np.asarray(pressed.times) / 1000, np.array([density(a) for a in pressed])
    pd.DataFrame({"ps": times.round(3), "density": densities.round(4)})[::LABELLED].to_csv(
        TABLES / "npt.csv", index=False
    )
    table = pressures(labels())
    table.round({"ps": 3, "density": 4, "reference": 3, "potential": 3, "weight": 7}).to_csv(
        TABLES / "pressures.csv", index=False
    )
    about["npt"] = settled(times, densities, table)
    about["npt"]["molecules_broken"] = sum(not whole(a) for a in pressed)
    path.write_text(json.dumps(about, indent=1) + "\n")
    some = liquid[:: max(1, len(liquid) // 12)]
    kept = [Atoms(a.numbers, a.positions.round(3), cell=a.cell, pbc=True) for a in some]
    write_frames(TABLES / "nvt.extxyz", kept, format="extxyz")
    print(path.read_text())


STAGES = {name: partial(run, name) for name in ("nvt", "nve", "npt")}
STAGES |= {"reference": reference, "labels": labels, "tables": tables}

if __name__ == "__main__":
    PLACE.mkdir(parents=True, exist_ok=True)
    for stage in sys.argv[1:] or STAGES:
        STAGES[stage]()
        print(stage, "is done", flush=True)
