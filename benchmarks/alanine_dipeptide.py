"""Alanine dipeptide: a fit of many weights to the shipped labels of whole molecules.

python benchmarks/alanine_dipeptide.py FOLDER

The shipped potential learns parts of the molecule too, for rows of groups; this one does not. It is
written to FOLDER; an interrupted fit goes on there.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

from results import record

import interpmd as im

DATA = Path(__file__).parents[1] / "data" / "alanine_dipeptide"

#: As many as the default memory holds.
WEIGHTS = 25_000


def main(folder: Path) -> None:
    began = time.process_time()
    report = im.fit(DATA / "train.extxyz.gz", spec={"weights": WEIGHTS}, out=folder)
    processor = (time.process_time() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    potential = report.potential
    errors = im.evaluate(potential, DATA / "test.extxyz.gz").summary()
    record(
        {
            "alanine dipeptide, whole molecules: fit": f"{processor:.0f} min of processors, "
            f"{peak:.1f} GiB, {potential.card.provenance['weights']} weights",
            "alanine dipeptide, whole molecules: RMSE of the test set": (
                f"{errors['energy_rmse_meV']:.1f} meV, {errors['force_rmse_meV/A']:.1f} meV/Å"
            ),
        },
        "python benchmarks/alanine_dipeptide.py FOLDER",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
