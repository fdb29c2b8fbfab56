"""Acetylacetone (BOTNet data sets, arXiv:2205.06643): fit at 300 K, test at 300 and 600 K.

python benchmarks/acetylacetone.py FOLDER [--members K | --random] [--smooth] [--seed N]

FOLDER is dataset_acac of github.com/davkovacs/BOTNet-datasets, with train_300K.xyz,
test_MD_300K.xyz and test_MD_600K.xyz. With members the potential has the channels of K fits of
random channels, with --random it is one fit of them, as with --smooth, of radial functions that
change more slowly than the usual ones.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from results import record

import interpmd as im
from interpmd.structures.files import read_frames

#: Radial functions that suit this molecule better than the usual ones do, and some others worse.
SMOOTH = {"basis": 5, "decay": 3.0}


def main(folder: Path, members: int | None, random: bool, smooth: bool, seed: int) -> None:
    began, started = time.process_time(), time.perf_counter()
    spec = SMOOTH if smooth else None
    how = {"members": members, "refine": 0 if random or smooth or members else None, "seed": seed}
    report = im.fit(folder / "train_300K.xyz", spec=spec, **how)
    minutes = (time.perf_counter() - started) / 60
    processor = (time.process_time() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    potential = report.potential
    name, option = named("acetylacetone", members, random)
    if smooth:
        name, option = f"{name}, smooth", f"{option} --smooth"
    if seed:
        name, option = f"{name}, seed {seed}", f"{option} --seed {seed}"
    figures = {
        f"{name}: fit": f"{minutes:.1f} min, {processor:.1f} min of processors, "
        f"{peak:.1f} GiB, {potential.card.provenance['weights']} weights"
    }
    for temperature in (300, 600):
        [test] = folder.glob(f"test*_{temperature}K.xyz")
        errors = im.evaluate(potential, test).summary()
        figures[f"{name}: RMSE at {temperature} K"] = (
            f"{errors['energy_rmse_meV']:.2f} meV, {errors['force_rmse_meV/A']:.2f} meV/Å"
        )
    figures[f"{name}: energy and forces"] = (
        f"{milliseconds(potential, read_frames(test)[0]):.2f} ms"
    )
    record(figures, f"python benchmarks/acetylacetone.py FOLDER{option}")


def named(name: str, members: int | None, random: bool) -> tuple[str, str]:
    """Name of a fit in the evidence, and what the command line says more."""
    if members:
        return f"{name}, {members} members", f" --members {members}"
    return (f"{name}, random channels", " --random") if random else (name, "")


def milliseconds(potential: im.Potential, atoms: Atoms, calls: int = 50) -> float:
    """Processor time of energy and forces, the median of some calls."""
    times = []
    for _ in range(calls):
        began = time.process_time()
        potential.predict(atoms)
        times.append(time.process_time() - began)
    return 1e3 * float(np.median(times))


def arguments_of_a_fit(words: str) -> argparse.ArgumentParser:
    """What the command line of a fit to one molecule gives."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("folder", type=Path)
    more = parser.add_mutually_exclusive_group()
    more.add_argument("--members", type=int)
    more.add_argument("--random", action="store_true")
    return parser


if __name__ == "__main__":
    arguments = arguments_of_a_fit(__doc__)
    arguments.add_argument("--smooth", action="store_true")
    arguments.add_argument("--seed", type=int, default=0)
    main(**vars(arguments.parse_args()))
