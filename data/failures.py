"""Where a potential goes when it is let loose: relaxations and hot dynamics led by itself.

What it takes for minima beside the data are frames that no other way of sampling finds. They are
labelled by the method that it was fitted to, and join the training data.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution
from ase.optimize import BFGS
from geometries import rounded

from interpmd.reference.checks import closest_overlap

#: Steps of a relaxation at which frames are taken.
DOWNHILL = (6, 20, 60)

#: Steps of 0.5 fs of hot dynamics at which frames are taken, and temperatures in K.
HOT, TEMPERATURES = (60, 120, 200), (500.0, 1200.0)

#: Where a run ends: atoms closer than this times the sum of their covalent radii.
TOO_CLOSE = 0.5


def downhill(atoms: Atoms, calculator: Calculator) -> list[Atoms]:
    """Frames of a relaxation that a potential leads, until atoms overlap."""
    moving = atoms.copy()
    moving.calc = calculator
    search = BFGS(moving, logfile=None, maxstep=0.15)
    return list(_frames(moving, search.irun(fmax=0.02, steps=max(DOWNHILL)), DOWNHILL))


def hot(atoms: Atoms, calculator: Calculator, seed: int) -> list[Atoms]:
    """Frames of dynamics that a potential leads, until atoms overlap."""
    rng = np.random.default_rng(seed)
    moving, temperature = atoms.copy(), float(rng.uniform(*TEMPERATURES))
    moving.calc = calculator
    MaxwellBoltzmannDistribution(moving, temperature_K=temperature, rng=rng)
    run = Langevin(
        moving, 0.5 * units.fs, temperature_K=temperature, friction=0.02 / units.fs, rng=rng
    )
    return list(_frames(moving, run.irun(steps=max(HOT)), HOT))


def _frames(moving: Atoms, steps: Iterator[bool], wanted: tuple[int, ...]) -> Iterator[Atoms]:
    """Copies at the wanted steps, and of the last one."""
    last, given = moving.copy(), False
    for number, _ in enumerate(steps):
        if closest_overlap(moving, factor=TOO_CLOSE) is not None:
            break
        last, given = moving.copy(), number in wanted
        if given:
            yield rounded(last)
    if not given:
        yield rounded(last)
