"""Constant-energy dynamics of malonaldehyde with the shipped potential.

python benchmarks/conservation.py [picoseconds]    100 if left out
"""

from __future__ import annotations

import sys

from ase.neighborlist import natural_cutoffs, neighbor_list
from ase.optimize import BFGS
from results import record

import interpmd as im
from interpmd.demo import MALONALDEHYDE
from interpmd.structures.chemistry import bonds


def main(picoseconds: float) -> None:
    potential = im.load("malonaldehyde")
    start = MALONALDEHYDE.copy()
    start.calc = potential.calculator()
    BFGS(start, logfile=None).run(fmax=0.02)
    trajectory = im.simulate(
        potential,
        start,
        temperature=665,  # of which the motion within keeps 300 K
        timestep=0.5,
        steps=round(picoseconds * 2000),
        interval=100,
    )
    heavy = [i for i, z in enumerate(start.numbers) if z > 1]
    held = [b for b in bonds(start).pairs.tolist() if set(b) <= set(heavy)]
    broken = sum(
        any(atoms.get_distance(*b) > 2.0 for b in held)
        or len(set(neighbor_list("i", atoms, natural_cutoffs(atoms, mult=1.5)))) < len(atoms)
        for atoms in trajectory
    )
    record(
        {
            f"malonaldehyde: NVE, {picoseconds:g} ps, 0.5 fs, drift": (
                f"{trajectory.drift():+.4f} meV/atom/ps at "
                f"{trajectory.temperatures.mean():.0f} K, {broken} of {len(trajectory)} frames "
                "with a broken bond"
            )
        },
        "python benchmarks/conservation.py",
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 100.0)
