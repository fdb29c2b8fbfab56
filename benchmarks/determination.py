"""What dimers and trimers of its atoms do to the shipped malonaldehyde potential: the error bars of
its rows and its test errors, fitted with them (as shipped) and without.

python benchmarks/determination.py
"""

from __future__ import annotations

import numpy as np
from results import record

import interpmd as im
from interpmd.decomposition.assemble import decompose
from interpmd.demo import MALONALDEHYDE
from interpmd.potentials import Potential
from interpmd.shipped.make import DATA
from interpmd.shipped.recipes import RECIPES

NAME = "malonaldehyde"


def measured(potential: Potential) -> str:
    """Error bars of the equilibrium structure's rows, and errors on the test set."""
    rows = decompose(potential, MALONALDEHYDE, order=3)
    pairs, triplets = (np.median(rows.energy_stds[rows.order == order]) for order in (2, 3))
    errors = im.evaluate(potential, DATA / NAME / "test.extxyz.gz").summary()
    return (
        f"a pair row ± {pairs:.2f} eV, a triplet row ± {triplets:.2f} eV (medians), the whole "
        f"± {rows.energy_std:.4f} eV; test RMSE {errors['energy_rmse_meV']:.1f} meV, "
        f"{errors['force_rmse_meV/A']:.1f} meV/Å"
    )


def main() -> None:
    recipe = {k: v for k, v in RECIPES[NAME].items() if k not in ("subset_weights", "ridge")}
    without = im.fit(DATA / NAME / "train.extxyz.gz", progress=False, **recipe)
    record(
        {
            f"rows of {NAME}: as shipped, with dimers and trimers": measured(im.load(NAME)),
            f"rows of {NAME}: fitted without them": measured(without.potential),
        },
        "python benchmarks/determination.py",
    )


if __name__ == "__main__":
    main()
