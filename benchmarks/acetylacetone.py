"""Acetylacetone (BOTNet data sets, arXiv:2205.06643): fit at 300 K, test at 300 and 600 K.

python benchmarks/acetylacetone.py FOLDER [--members K]

FOLDER is dataset_acac of github.com/davkovacs/BOTNet-datasets, with train_300K.xyz,
test_MD_300K.xyz and test_MD_600K.xyz. With members the potential has the channels of K fits.
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


def main(folder: Path, members: int) -> None:
    began, started = time.process_time(), time.perf_counter()
    report = im.fit(folder / "train_300K.xyz", members=members)
    minutes = (time.perf_counter() - started) / 60
    processor = (time.process_time() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    potential = report.potential
    name = "acetylacetone" if members == 1 else f"acetylacetone, {members} members"
    figures = {
        f"{name}: fit with the defaults": f"{minutes:.1f} min, {processor:.1f} min of processors, "
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
    option = "" if members == 1 else f" --members {members}"
    record(figures, f"python benchmarks/acetylacetone.py FOLDER{option}")


def milliseconds(potential: im.Potential, atoms: Atoms, calls: int = 50) -> float:
    """Processor time of energy and forces, the median of some calls."""
    times = []
    for _ in range(calls):
        began = time.process_time()
        potential.predict(atoms)
        times.append(time.process_time() - began)
    return 1e3 * float(np.median(times))


def folder_and_members(words: str) -> tuple[Path, int]:
    """What the command line of a fit to one molecule gives."""
    parser = argparse.ArgumentParser(description=words)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--members", type=int, default=1)
    given = parser.parse_args()
    return given.folder, given.members


if __name__ == "__main__":
    main(*folder_and_members(__doc__))
