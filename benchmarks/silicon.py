"""Periodic silicon by Stillinger and Weber: 200 frames of 64 atoms fitted with the defaults.

python benchmarks/silicon.py

Frames are the diamond structure with displacements as at low and at high temperatures, strained by
up to 3 %; the test set is 50 more.
"""

from __future__ import annotations

import resource
import time

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from results import record

import interpmd as im
from interpmd.potentials import Potential, StillingerWeber


def frames(count: int, seed: int) -> list[Atoms]:
    """Labelled frames."""
    rng, truth, many = np.random.default_rng(seed), Potential([StillingerWeber.example()]), []
    for _ in range(count):
        atoms = bulk("Si", cubic=True) * (2, 2, 2)
        strain = np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += rng.normal(0, rng.uniform(0.03, 0.2), atoms.positions.shape)
        found = truth.predict(atoms, stress=True)
        atoms.calc = SinglePointCalculator(
            atoms,
            energy=float(found.energy),
            forces=found.forces.numpy(),
            stress=full_3x3_to_voigt_6_stress(found.stress[0].numpy()),
        )
        many.append(atoms)
    return many


def main() -> None:
    train, test = frames(200, 0), frames(50, 1)
    began, started = time.process_time(), time.perf_counter()
    report = im.fit(train, isolated_energies={"Si": 0.0}, progress=False)
    minutes = (time.perf_counter() - started) / 60
    processor = (time.process_time() - began) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    errors = im.evaluate(report.potential, test).summary()
    figures = {
        "silicon, 200 frames of 64 atoms: fit with the defaults": (
            f"{minutes:.1f} min, {processor:.1f} min of processors, {peak:.1f} GiB, "
            f"{report.potential.card.provenance['weights']} weights"
        ),
        "silicon, 200 frames of 64 atoms: RMSE of 50 others": (
            f"{errors['energy_rmse_meV']:.2f} meV, {errors['force_rmse_meV/A']:.2f} meV/Å of "
            f"{1e3 * np.std(np.concatenate([a.get_forces() for a in test])):.0f}"
        ),
    }
    record(figures, "python benchmarks/silicon.py")


if __name__ == "__main__":
    main()
