"""Refined channels beside random ones, on molecules for which nothing was chosen.

python benchmarks/refinement.py FOLDER

The runs are those of `members.py`, whose FOLDER serves as well. A refined fit, the default where
labels are so many, is the mean of two of half as many weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from members import MOLECULES, arguments, data_of, measured
from results import record


def main(folder: Path) -> None:
    for name, (_, count) in MOLECULES.items():
        train, tests = data_of(folder, name)
        train = [train[k] for k in np.random.default_rng(0).permutation(len(train))]
        usual, refined = (measured(train, tests, refine=rounds) for rounds in (0, None))
        told = f"refinement, {name}, {count} frames of 300 K, 300 / 600 K"
        record(
            {told: f"random {usual}; refined {refined}"}, "python benchmarks/refinement.py FOLDER"
        )


if __name__ == "__main__":
    main(**vars(arguments(__doc__)))
