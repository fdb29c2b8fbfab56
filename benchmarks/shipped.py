"""Errors of the shipped potentials on their test sets: python benchmarks/shipped.py"""

from __future__ import annotations

from pathlib import Path

from results import record

import interpmd as im

DATA = Path(__file__).parents[1] / "data"


def main() -> None:
    figures = {}
    for name in ("malonaldehyde", "water", "alanine_dipeptide", "copper", "water_liquid"):
        potential = im.load(name)
        errors = im.evaluate(potential, DATA / name / "test.extxyz.gz", progress=False).summary()
        figures[f"shipped potentials, {name.replace('_', ' ')}: RMSE of the test set"] = (
            f"{errors['energy_rmse_meV']:.1f} meV, {errors['force_rmse_meV/A']:.1f} meV/Å, "
            f"{potential.terms['expansion'].readout.numel()} weights"
        )
    record(figures, "python benchmarks/shipped.py")


if __name__ == "__main__":
    main()
