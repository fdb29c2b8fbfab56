"""Acetylacetone (BOTNet data sets, arXiv:2205.06643): fit at 300 K, test at 300 and 600 K.

python benchmarks/acetylacetone.py FOLDER

FOLDER is dataset_acac of github.com/davkovacs/BOTNet-datasets, with train_300K.xyz,
test_MD_300K.xyz and test_MD_600K.xyz.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from results import record

import interpmd as im


def main(folder: Path) -> None:
    began, started = time.process_time(), time.perf_counter()
    report = im.fit(folder / "train_300K.xyz")
    minutes = (time.perf_counter() - started) / 60
    processor = (time.process_time() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = {
        "acetylacetone: fit with the defaults": f"{minutes:.1f} min, "
        f"{processor:.1f} min of processors, {peak:.1f} GiB, "
        f"{report.potential.card.provenance['weights']} weights"
    }
    for temperature in (300, 600):
        [test] = folder.glob(f"test*_{temperature}K.xyz")
        errors = im.evaluate(report.potential, test).summary()
        figures[f"acetylacetone: RMSE at {temperature} K"] = (
            f"{errors['energy_rmse_meV']:.2f} meV, {errors['force_rmse_meV/A']:.2f} meV/Å"
        )
    record(figures, "python benchmarks/acetylacetone.py FOLDER")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
